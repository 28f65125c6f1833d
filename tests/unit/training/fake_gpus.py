"""Machines with other cards than this one, as torch and transformers would describe them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import TrainingArguments
from transformers.utils import is_torch_tf32_available

from studio.calculator import Gpu


@dataclass(frozen=True)
class Machine:
    """`memory` in GB; `capability` of its CUDA cards, `hip` for AMD's."""

    label: str
    device: str = "cuda"
    capability: tuple[int, int] = (0, 0)
    memory: int = 0
    count: int = 1
    hip: bool = False

    @property
    def bf16(self) -> bool:
        """Whether its tensor cores multiply bfloat16."""
        return self.device == "cuda" and (self.hip or self.capability >= (8, 0))

    def gpu(self) -> Gpu:
        """The same card for the calculator; its speed does not matter here."""
        return Gpu(self.label, self.memory * 10**9, 1e14, self.bf16)


MACHINES = {
    machine.label: machine
    for machine in (
        Machine("T4", capability=(7, 5), memory=16),
        Machine("V100", capability=(7, 0), memory=16),
        Machine("RTX 2080", capability=(7, 5), memory=8),
        Machine("RTX 3090", capability=(8, 6), memory=24),
        Machine("RTX 4090", capability=(8, 9), memory=24),
        Machine("A100", capability=(8, 0), memory=80),
        Machine("H100", capability=(9, 0), memory=80),
        Machine("MI300X", capability=(9, 4), memory=192, hip=True),
        Machine("two RTX 3090", capability=(8, 6), memory=24, count=2),
        Machine("Apple GPU", "mps"),
        Machine("no GPU", "cpu"),
    )
}


@contextmanager
def on(machine: Machine) -> Iterator[pytest.MonkeyPatch]:
    """This process as if it ran on that machine, as far as settings are chosen by it."""
    cuda = machine.device == "cuda"
    major, minor = machine.capability
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: cuda)
        patch.setattr(torch.cuda, "current_device", lambda: 0)
        patch.setattr(torch.cuda, "device_count", lambda: machine.count if cuda else 0)
        patch.setattr(torch.cuda, "get_device_capability", lambda device=None: (major, minor))
        patch.setattr(
            torch.cuda,
            "get_device_properties",
            lambda device=None: SimpleNamespace(major=major, minor=minor, name=machine.label),
        )
        patch.setattr(torch.version, "cuda", "13.0" if cuda and not machine.hip else None)
        patch.setattr(torch.version, "hip", "7.0" if machine.hip else None)
        patch.setattr(torch.backends.mps, "is_available", lambda: machine.device == "mps")
        patch.setattr(TrainingArguments, "_setup_devices", property(lambda self: _place(self)))
        is_torch_tf32_available.cache_clear()

        def _place(arguments: Any) -> torch.device:
            arguments._n_gpu, arguments.distributed_state = machine.count if cuda else 0, None
            return torch.device(machine.device)

        yield patch
    is_torch_tf32_available.cache_clear()
