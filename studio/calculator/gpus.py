"""GPUs to train on: memory, peak speed, and whether a total fits.

Memory is the vendor's figure in 10^9 bytes; speed is dense 16-bit tensor throughput with fp32
accumulation, from NVIDIA's data sheets (no sparsity).
"""

from __future__ import annotations

import functools
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from studio.core.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe

Verdict = Literal["fits", "tight", "does not fit"]
TIGHT_FROM = 0.9
THIS_MACHINE = "this machine"
_CARD = re.compile(r"this machine,? gpu (\d{1,3})")


@dataclass(frozen=True)
class Gpu:
    """A device: `memory` in bytes, `flops` per second at peak, `efficiency` (low, high) of that.

    `tokens_per_second` is the speed that a run of the same shape reached on it, where known; it is
    preferred to the peak.
    """

    name: str
    memory: int
    flops: float
    bf16: bool = True
    device: str = "cuda"
    efficiency: tuple[float, float] = (0.2, 0.45)
    tokens_per_second: float | None = None


def _gpu(name: str, gigabytes: int, teraflops: float, bf16: bool = True) -> Gpu:
    return Gpu(name, gigabytes * 10**9, teraflops * 1e12, bf16)


GPUS: dict[str, Gpu] = {
    gpu.name: gpu
    for gpu in (
        _gpu("T4 16 GB", 16, 65, bf16=False),
        _gpu("L4 24 GB", 24, 121),
        _gpu("A10G 24 GB", 24, 70),
        _gpu("RTX 4090 24 GB", 24, 165),
        _gpu("L40S 48 GB", 48, 362),
        _gpu("A100 40 GB", 40, 312),
        _gpu("A100 80 GB", 80, 312),
        _gpu("H100 80 GB", 80, 989),
        _gpu("H200 141 GB", 141, 989),
    )
}


def find_gpu(name: str) -> Gpu:
    """A GPU by name or the start of it (`L4`, `a100 80`), or this machine's own: the one with most
    free memory, or one by its number (`this machine, GPU 1`)."""
    wanted = " ".join(name.lower().split())
    if wanted in (THIS_MACHINE, "here"):
        return this_machine()
    if own := _CARD.fullmatch(wanted):
        return this_machine(int(own[1]))
    for gpu in GPUS.values():
        if gpu.name.lower() == wanted:
            return gpu
    starts = [gpu for gpu in GPUS.values() if f"{gpu.name.lower()} ".startswith(f"{wanted} ")]
    if len(starts) == 1:
        return starts[0]
    several = f" Say which: {', '.join(gpu.name for gpu in starts)}." if starts else ""
    near = did_you_mean(name, GPUS)
    raise ConfigError(
        f"No GPU is called {name!r}.{several or near} Known: {', '.join(GPUS)}, {THIS_MACHINE}."
    )


def card_name(index: int) -> str:
    """The name of one of this machine's GPUs, as `find_gpu` takes it."""
    return f"{THIS_MACHINE}, GPU {index}"


def gpu_for(recipe: Recipe, name: str | None = None) -> Gpu:
    """A GPU by name; this machine's, and of several the recipe's, by default."""
    if name is None or name in (THIS_MACHINE, "here"):
        return this_machine(recipe.device)
    return find_gpu(name)


def this_machine(device: int | None = None) -> Gpu:
    """What this process would train on: its GPU, or the CPU, with the memory it can have.

    `device` is as in a recipe: one of several GPUs, or None for the one with most free memory.
    """
    from studio.core import cards
    from studio.core.hardware import detect, memory_for_a_run

    here = detect(cards.choose(device))
    free = memory_for_a_run(here)
    if here.device == "cpu":
        return Gpu("this CPU", free, cpu_flops(), False, "cpu", (0.3, 0.8))
    known = next((c for c in GPUS.values() if c.name.split()[0] in here.name.split()), None)
    speed = known.flops if known else 50e12
    return Gpu(here.name, free, speed, here.bf16, here.device)


def verdict(total: int, gpu: Gpu) -> Verdict:
    """`tight` from 90 % of the GPU: an estimate is no promise, and memory fragments."""
    if total > gpu.memory:
        return "does not fit"
    return "tight" if total > TIGHT_FROM * gpu.memory else "fits"


@functools.cache
def cpu_flops() -> float:
    """This machine's float32 matrix speed, measured once (0.1 s), in operations a second.

    Through numpy: torch keeps a thread pool for every thread that computes with it.
    """
    import numpy

    side = 512
    a = numpy.ones((side, side), dtype=numpy.float32)
    numpy.matmul(a, a)
    best = math.inf
    for _ in range(5):
        started = time.perf_counter()
        numpy.matmul(a, a)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best
