"""Checks of memory: what running out of it leaves behind, and the estimate."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.gpu.place import Found, Place


def out_of_memory(place: Place) -> Found:
    """Runs that ask for far too much at their second step: what they leave behind, in bytes."""
    times = 2 if place.small else 20
    grown: dict[str, int] = {}
    states: set[str] = set()
    for optim in ("adamw_torch_fused", "paged_adamw_8bit"):
        recipe = place.recipe("sft", optim=optim)
        with _greedy():
            held: list[int] = []
            for _ in range(times):
                run = place.studio.wait(place.studio.train(recipe).id)
                states.add(f"{run.state}: {str(run.error)[:30]}")
                held.append(place.studio.worker.submit(lambda pool: _held()).result())
        grown[optim] = held[-1] - held[0]
    fine = grown["adamw_torch_fused"] < 4 << 20 and states == {
        "failed: The device ran out of memory. "
    }
    return Found(
        {"grown": grown, "ended": sorted(states)},
        f"{times} runs said to be out of memory, less than 4 MiB left by those with fused AdamW",
        fine,
    )


@contextmanager
def _greedy() -> Iterator[None]:
    """Let SFT's second step ask the device for more than it can have."""
    import torch
    from trl import SFTTrainer

    compute = SFTTrainer.compute_loss

    def more(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step:
            torch.empty(1 << 50, dtype=torch.uint8, device=self.args.device)
        return compute(self, *args, **kwargs)

    with mock.patch.object(SFTTrainer, "compute_loss", more):
        yield


def _held() -> int:
    """Bytes in use: of the card by anyone, else of tensors in this process."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info()
        return total - free
    return sum(x.nbytes for x in gc.get_objects() if isinstance(x, torch.Tensor))


class _HostMemory:
    """Stands in for the card's counters on a CPU: this process's resident memory."""

    def reset(self) -> None:
        gc.collect()

    def peak(self) -> tuple[int, int]:
        import psutil

        held = psutil.Process().memory_info().rss
        return held, held


def memory(place: Place) -> Found:
    """Measured peaks beside the estimate: two shapes, three methods, two batches."""
    from benchmarks.memory import CudaMemory, Setting, measure

    shapes = ("Qwen/Qwen2.5-0.5B-Instruct", "TinyLlama/TinyLlama-1.1B-Chat-v1.0")
    kinds, batches = ("lora", "qlora", "full"), ((1024, 1), (256, 8))
    if place.small:
        shapes, kinds, batches = ("pocket",), ("lora",), ((64, 1),)
    found: dict[str, Any] = {}
    errors: list[float] = []
    with tempfile.TemporaryDirectory(dir=place.home) as folder:
        for shape in shapes:
            for method in kinds:
                for length, rows in batches:
                    setting = Setting(shape, "sft", method, length, rows, False)
                    point = measure(
                        setting, Path(folder), _HostMemory() if place.small else CudaMemory()
                    )
                    errors.append(point.error)
                    found[setting.label()] = {
                        "measured": point.peak,
                        "estimated": point.estimate + point.estimated_overhead,
                    }
    fine = None if place.small else max(map(abs, errors)) < 0.15
    return Found(found, "within 15 % of each other on a card", fine)
