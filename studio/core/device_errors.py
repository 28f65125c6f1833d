"""What a device's errors mean: memory ran out, or nothing will work until the app restarts.

PyTorch raises its own classes for some of them and a plain `RuntimeError` with the driver's words
for the others; both were read in torch 2.13 (c10/cuda, aten/src/ATen/cuda, MPSAllocator.mm,
c10/core/impl/alloc_cpu.cpp) and bitsandbytes 0.50. Light: no torch here.
"""

from __future__ import annotations

from collections.abc import Iterator

_OUT_OF_MEMORY = (
    "out of memory",  # CUDA, HIP, MPS, XPU and the driver itself
    "can't allocate memory",  # the host's allocator
    "cannot allocate memory",
    "not enough memory: you tried to allocate",  # the host's allocator on Windows
    "cublas_status_alloc_failed",
    "cublas_status_not_initialized",  # cuBLAS makes its workspace at its first product
    "cudnn_status_alloc_failed",
    "cusparse_status_alloc_failed",
    "hipblas_status_alloc_failed",
)
# A fault on the card ends its context: every later call fails with the same words.
_STICKY = (
    "illegal memory access",
    "device-side assert",
    "misaligned address",
    "illegal instruction",
    "invalid program counter",
    "hardware stack error",
    "unspecified launch failure",
    "uncorrectable ecc error",
    "gpu has fallen off the bus",
    "the launch timed out and was terminated",
)
# Gloo's and NCCL's words for a process that is gone (torch 2.13, third_party/gloo and c10d).
_PEER_GONE = (
    "gloo/transport",
    "[gloo]",
    "connection closed by peer",
    "connection reset by peer",
    "nccl communicator was aborted",
    "nccl error",
    "tcpstore",
    "timed out waiting for clients",
    "no route to host",
)
RESTART = "The GPU reported an error from which this process cannot recover"
"""How the sentence begins that asks for a restart."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device, or the host, refused an allocation; causes count as well."""
    for each in _chain(error):
        kinds = {kind.__name__ for kind in type(each).__mro__}
        if kinds & {"OutOfMemoryError", "MemoryError"}:
            return True
        if isinstance(each, RuntimeError) and any(s in str(each).lower() for s in _OUT_OF_MEMORY):
            return True
    return False


def needs_restart(error: BaseException) -> str | None:
    """A sentence where a fault has ended the card's context for this process; else None."""
    for each in _chain(error):
        if isinstance(each, RuntimeError):
            words = next((sign for sign in _STICKY if sign in str(each).lower()), None)
            if words is not None:
                return (
                    f"{RESTART} ({words}). Restart the app; runs resume from their last complete "
                    "checkpoint."
                )
    return None


def lost_peer(error: BaseException) -> str | None:
    """A sentence where another process of the same run is gone, in place of the transport's."""
    for each in _chain(error):
        words = str(each).lower()
        kinds = {kind.__name__ for kind in type(each).__mro__}
        if kinds & {"DistBackendError", "DistNetworkError", "DistStoreError"} or (
            isinstance(each, RuntimeError) and any(sign in words for sign in _PEER_GONE)
        ):
            return (
                "Another process of this run ended, or its machine could not be reached. What it "
                "said is in launch.log in the run's folder, here or there; resume continues from "
                "the last complete checkpoint."
            )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and what it was raised from."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__
