"""Cards one can train on: memory, peak speed, and what a term's total means on them.

Memory is the maker's figure in 10^9 bytes; speed is dense 16-bit tensor throughput with fp32
accumulation, from NVIDIA's data sheets (no sparsity).
"""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass
from typing import Literal

from studio.core.errors import ConfigError, did_you_mean

Verdict = Literal["fits", "tight", "does not fit"]
TIGHT_FROM = 0.9
THIS_MACHINE = "this machine"


@dataclass(frozen=True)
class Card:
    """`memory` in bytes, `flops` per second at peak, `efficiency` the share one may expect."""

    name: str
    memory: int
    flops: float
    bf16: bool = True
    device: str = "cuda"
    efficiency: tuple[float, float] = (0.2, 0.45)


def _card(name: str, gigabytes: int, teraflops: float, bf16: bool = True) -> Card:
    return Card(name, gigabytes * 10**9, teraflops * 1e12, bf16)


CARDS: dict[str, Card] = {
    card.name: card
    for card in (
        _card("T4 16 GB", 16, 65, bf16=False),
        _card("L4 24 GB", 24, 121),
        _card("A10G 24 GB", 24, 70),
        _card("RTX 4090 24 GB", 24, 165),
        _card("L40S 48 GB", 48, 362),
        _card("A100 40 GB", 40, 312),
        _card("A100 80 GB", 80, 312),
        _card("H100 80 GB", 80, 989),
        _card("H200 141 GB", 141, 989),
    )
}


def find_card(name: str) -> Card:
    """A card by name or the start of it (`L4`, `a100 80`), or this machine's own."""
    wanted = " ".join(name.lower().split())
    if wanted in (THIS_MACHINE, "here"):
        return this_machine()
    for card in CARDS.values():
        if card.name.lower() == wanted:
            return card
    starts = [card for card in CARDS.values() if f"{card.name.lower()} ".startswith(f"{wanted} ")]
    if len(starts) == 1:
        return starts[0]
    several = f" Say which: {', '.join(card.name for card in starts)}." if starts else ""
    near = did_you_mean(name, CARDS)
    raise ConfigError(
        f"There is no card {name!r} here.{several or near} "
        f"Known: {', '.join(CARDS)}, {THIS_MACHINE}."
    )


def this_machine() -> Card:
    """What this process would train on: its GPU with the memory that is free, or the CPU."""
    import psutil

    from studio.core.hardware import detect, detected

    here = detected()
    if here.device == "cpu":
        from studio.calculator.gpus import cpu_flops

        # What this process holds already is its own to use again.
        free = detect().memory_free + psutil.Process().memory_info().rss
        return Card("this CPU", min(free, here.memory_total), cpu_flops(), False, "cpu", (0.3, 0.8))
    free = detect().memory_free
    known = next((c for c in CARDS.values() if c.name.split()[0] in here.name.split()), None)
    speed = known.flops if known else 50e12
    return Card(here.name, free, speed, here.bf16, here.device)


def verdict(total: int, card: Card) -> Verdict:
    """`tight` from 90 % of the card: an estimate is no promise, and memory fragments."""
    if total > card.memory:
        return "does not fit"
    return "tight" if total > TIGHT_FROM * card.memory else "fits"


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
