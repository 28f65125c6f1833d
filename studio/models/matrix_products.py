"""The matrix product that decodes fastest on this CPU, chosen by measuring it.

Decoding multiplies a few rows (one a sequence) with every weight. Some BLAS builds take several
times longer for 2 to 16 rows by `x @ W.T`, as `linear` asks, than by `(W @ x.T).T`, which has the
same terms. `decoding` measures both on a model's own layers, once for each shape and number of
rows, keeps what it finds (see `studio.core.calibration`), and uses the faster within its block.
Only float32 on a CPU is touched. Rounding may differ in the last bit, as between two BLAS builds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from studio.core import calibration

BUDGET = 0.1  # seconds for all shapes that a model is measured for at once
MOST_ROWS = 64  # beyond this the products are bound by arithmetic, and equally fast
_TURNS = 3  # measurements of each product at least, taking turns
_LAYERS = 8  # layers of a shape that are measured one after the other, so that caches are cold
_SMALL = 1 << 16  # weights below this cost less than the call
_SLICE = 4096  # rows of the largest weight that bfloat16 is tried on
_known: dict[str, dict[str, float]] = {}  # what this process has read or measured, by machine

Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def swapped(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`linear` of (..., rows, in), as (W x^T)^T: (..., rows, out)."""
    flat = x.reshape(-1, x.shape[-1])
    out = torch.mm(weight, flat.t()).t()
    if bias is not None:
        out = out + bias
    return out.reshape(*x.shape[:-1], weight.shape[0])


@contextlib.contextmanager
def decoding(model: Any, rows: int, cache: Path | None, shrinking: bool = False) -> Iterator[None]:
    """Decode batches of `rows` rows with the products that are fastest here.

    Rows are counted in powers of two: 5 to 8 are one case. Batches that are `shrinking` as rows
    end have all cases below too. Nothing is changed on a device, for other types than float32, or
    where `linear` is the fastest. Whatever has other rows (a prompt being read) goes the usual way.
    """
    shapes = _shapes(model) if 1 < rows <= MOST_ROWS else {}
    cases = [case(rows)]
    while shrinking and cases[-1] > 2:
        cases.append(cases[-1] // 2)
    chosen = {each: chosen_shapes(shapes, each, cache) for each in cases} if shapes else {}
    changed: list[nn.Linear] = []
    try:
        for shape, layers in shapes.items():
            swap = frozenset(each for each, names in chosen.items() if shape in names)
            for layer in layers if swap else ():
                setattr(layer, "forward", _forward(layer, swap))  # noqa: B010
                changed.append(layer)
        yield
    finally:
        for layer in changed:
            vars(layer).pop("forward", None)  # the class's own again


def case(rows: int) -> int:
    """The number of rows that is measured for this one: the next power of two."""
    return 1 << (rows - 1).bit_length()


def _forward(layer: nn.Linear, cases: frozenset[int]) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        if case(x.numel() // x.shape[-1]) in cases:
            return swapped(x, layer.weight, layer.bias)
        return linear(x, layer.weight, layer.bias)

    return forward


def _shapes(model: Any) -> dict[str, list[nn.Linear]]:
    """A model's plain float32 layers on the CPU by their shape; those of other kinds stay."""
    found: dict[str, list[nn.Linear]] = {}
    for layer in model.modules():
        if type(layer) is not nn.Linear or "forward" in vars(layer):
            continue
        weight = layer.weight
        if weight.device.type == "cpu" and weight.dtype == torch.float32 and _is_plain(weight):
            found.setdefault(f"{weight.shape[0]} x {weight.shape[1]}", []).append(layer)
    return found


def _is_plain(weight: Tensor) -> bool:
    return weight.numel() >= _SMALL and weight.is_contiguous()


def machine() -> str:
    """The key under which this machine's measurements are kept."""
    return calibration.machine(torch.__version__, torch.get_num_threads())


def chosen_shapes(shapes: dict[str, list[nn.Linear]], rows: int, cache: Path | None) -> set[str]:
    """The shapes whose product is better swapped; those not known yet are measured and kept."""
    here = machine()
    known = _known.setdefault(here, {})
    names = {shape: f"{shape}, {rows} rows" for shape in shapes}
    if cache and not known.keys() >= set(names.values()):
        known |= calibration.read(cache).get(here, {})
    fresh = {
        names[shape]: measured(layers, rows, BUDGET / len(shapes))
        for shape, layers in shapes.items()
        if names[shape] not in known
    }
    if fresh and cache:
        largest = max((layer for each in shapes.values() for layer in each), key=_size)
        if (name := f"{calibration.HALF}, {rows} rows") not in known:
            fresh[name] = bfloat16_ratio(largest, rows)
        calibration.add(cache, here, fresh)
    known |= fresh
    return {shape for shape, name in names.items() if known[name] <= calibration.GAIN}


def _size(layer: nn.Linear) -> int:
    return layer.weight.numel()


@torch.inference_mode()
def measured(layers: Sequence[nn.Linear], rows: int, budget: float) -> float:
    """The swapped product's time as a share of `linear`'s."""
    some = layers[:: max(1, len(layers) // _LAYERS)]
    x = torch.ones(rows, some[0].weight.shape[1])

    def pass_with(product: Product) -> float:
        began = time.perf_counter()
        for layer in some:
            product(x, layer.weight, None)
        return time.perf_counter() - began

    return _ratio(lambda: pass_with(swapped), lambda: pass_with(linear), budget)


@torch.inference_mode()
def bfloat16_ratio(layer: nn.Linear, rows: int) -> float:
    """bfloat16's time for `linear` as a share of float32's, on a part of a layer.

    For people to read: it changes what a model says, so that it is never chosen for them.
    """
    weight = layer.weight[:_SLICE]
    x, half = torch.ones(rows, weight.shape[1]), weight.to(torch.bfloat16)

    def timed(x: Tensor, weight: Tensor) -> float:
        began = time.perf_counter()
        linear(x, weight)
        return time.perf_counter() - began

    other = x.to(torch.bfloat16)
    return _ratio(lambda: timed(other, half), lambda: timed(x, weight), BUDGET / 10)


def _ratio(one: Callable[[], float], other: Callable[[], float], budget: float) -> float:
    """The least of `one()` by the least of `other()`, which take turns until `budget` seconds are
    used up. Whatever else runs on the machine only adds to a time, so the least is the nearest."""
    one()  # the first calls make threads and buffers
    other()
    ends, turns = time.perf_counter() + budget, list[tuple[float, float]]()
    while len(turns) < _TURNS or time.perf_counter() < ends:
        turns.append((one(), other()))
    ours, usual = (min(times) for times in zip(*turns, strict=True))
    return round(ours / max(usual, 1e-9), 3)
