"""Every way in which memory runs out is known for one; a fault that stays asks for a restart."""

from __future__ import annotations

import pytest
import torch

from studio.core.device_errors import is_out_of_memory, needs_restart
from studio.core.errors import ModelError

OUT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("MPS backend out of memory (MPS allocated: 17.92 GB, max allowed: 18.13 GB)"),
    RuntimeError("HIP out of memory. Tried to allocate 20.00 MiB."),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory"
    ),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    MemoryError(),
]
OTHER = [
    RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
    ValueError("a row about running out of memory"),
    torch.AcceleratorError("CUDA error: device-side assert triggered"),
]


@pytest.mark.parametrize("error", OUT, ids=lambda error: str(error)[:40])
def test_memory_that_ran_out_is_known(error: BaseException) -> None:
    assert is_out_of_memory(error) and needs_restart(error) is None
    try:
        raise ModelError("The model could not be loaded.") from error
    except ModelError as wrapped:
        assert is_out_of_memory(wrapped)


@pytest.mark.parametrize("error", OTHER, ids=lambda error: str(error)[:40])
def test_other_errors_are_not(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_a_fault_that_stays_asks_for_a_restart() -> None:
    for words in ("an illegal memory access was encountered", "device-side assert triggered"):
        said = needs_restart(torch.AcceleratorError(f"CUDA error: {words}"))
        assert said is not None and "Restart the app" in said and "resume" in said
    assert needs_restart(RuntimeError("shapes cannot be multiplied")) is None
