"""Whether this is a Space on ZeroGPU, and on which side of a call that borrows its GPU.

The `spaces` package that such a Space brings emulates CUDA in the thread that imported it alone,
but replaces functions of `torch.cuda` for all threads (read in spaces 0.51's
`spaces.zero.torch.patching`): in another one `is_available()` is true and nothing can be moved to
CUDA. So here the device is the CPU, except in the process that a decorated function runs in. Light:
no torch.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator

NOTE = "ZeroGPU lends its GPU to answers, one call at a time; everything else runs on the CPU."
_borrowed_in: int | None = None  # the process that has the GPU


def lent() -> bool:
    """Whether this is a Space whose GPU is lent by the call."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def has_gpu() -> bool:
    """Whether this very process has the GPU; false wherever none is lent."""
    return _borrowed_in == os.getpid()


def only_cpu() -> bool:
    """Whether CUDA is out of reach here, whatever `torch.cuda.is_available()` says."""
    return lent() and not has_gpu()


@contextlib.contextmanager
def borrowed() -> Generator[None]:
    """Within a decorated function: CUDA is real."""
    global _borrowed_in
    _borrowed_in = os.getpid()
    try:
        yield
    finally:
        _borrowed_in = None
