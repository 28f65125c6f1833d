"""The GPUs this process can see, and the one that it works on. Imports torch only when asked.

A process of the studio trains on one GPU. With several in sight a run names one, or takes the one
with the most free memory. CUDA's current device belongs to a thread, so the page's threads are told
here which one the worker uses.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from studio.core import zerogpu
from studio.core.errors import ConfigError
from studio.core.formatting import DOT, bytes_of

if TYPE_CHECKING:
    import torch

_in_use: int | None = None


@dataclass(frozen=True)
class Card:
    """A visible GPU; memory in bytes. `free` counts what this process holds and can reuse."""

    index: int
    name: str
    free: int
    total: int

    def label(self) -> str:
        """`GPU 1 · NVIDIA A100 · 30.1 of 80.0 GB free`."""
        memory = f"{bytes_of(self.free, self.total)} free"
        return DOT.join((f"GPU {self.index}", self.name, memory))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def cards() -> list[Card]:
    """The visible GPUs in CUDA's order; empty without CUDA."""
    import torch

    if zerogpu.only_cpu() or not torch.cuda.is_available():
        return []
    return [_card(index) for index in range(torch.cuda.device_count())]


def several() -> bool:
    """Whether there is more than one GPU to choose from."""
    import torch

    return not zerogpu.only_cpu() and torch.cuda.device_count() > 1


def _card(index: int) -> Card:
    import torch

    free, total = torch.cuda.mem_get_info(index)
    reusable = free + torch.cuda.memory_reserved(index)
    return Card(index, torch.cuda.get_device_name(index), min(reusable, total), total)


def choose(device: int | None) -> int:
    """The index of a recipe's GPU: the one it names, or the one with the most free memory.

    Of equally free ones the first is taken, and 0 without CUDA. Raises `ConfigError` for a GPU that
    is not there.
    """
    if device is None and ("LOCAL_RANK" in os.environ or not several()):
        return current()  # of several processes each has its own
    seen = cards()
    if device is None:
        return max(seen, key=lambda card: (card.free, -card.index)).index if seen else 0
    if device >= len(seen):
        there = "; ".join(card.label() for card in seen) or "no GPU"
        raise ConfigError(f"device is {device}, and this machine has {there}.")
    return device


def current() -> int:
    """The index of the GPU that this thread works on; 0 without one."""
    import torch

    if zerogpu.only_cpu() or not torch.cuda.is_available():
        return 0
    return torch.cuda.current_device()


def in_use() -> int | None:
    """The index of the GPU that the worker trains on, None while nothing trains."""
    return _in_use


def place() -> str:
    """` on GPU 1` for a run's events, where there are several; else nothing."""
    return f" on GPU {current()}" if several() else ""


@contextlib.contextmanager
def training_on(index: int) -> Generator[None]:
    """Make a GPU this thread's current one while a run trains, and say so to other threads."""
    import torch

    global _in_use
    before, _in_use = current(), index if cards() else None
    if index != before:
        torch.cuda.set_device(index)
    try:
        yield
    finally:
        _in_use = None
        if index != before or current() != before:
            torch.cuda.set_device(before)


def at(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Make a model's GPU the current one: kernels of Triton and bitsandbytes start there."""
    import torch

    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()
