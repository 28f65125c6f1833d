"""Row gradients made small: a seeded sparse projection of every module, all added up.

A sketch keeps inner products (Charikar et al. 2002; Weinberger et al. 2009): each value gets a
random sign, and values `dims` apart are added up, from a random place on for each module. That is
read in order, which a random place for each value would not be. A layer too large to be held for a
batch of rows first has its two sides projected by themselves, as LoGra does (Choe et al. 2024).
Imports torch.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

WHOLE = 1 << 17
"""Numbers of a layer up to which a row's gradient is projected as it is."""
_SIDE = 64


@dataclass(frozen=True)
class _Module:
    """How one module is projected: `left` and `right` project its outputs and inputs first, or are
    None; `start` is the place of its first value; `signs` multiply the values, scales included."""

    left: Tensor | None
    right: Tensor | None
    signs: Tensor
    start: int


class Projector:
    """Projects gradients of named modules to `dims` numbers a row; the same for the same seed.

    Args:
        shapes: [outputs, inputs] of each module's weight; [numbers, 1] of a parameter by itself.
        scales: what each gradient is multiplied with, in the shape of its weight; a layer whose
            sides are projected takes the mean.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, int]],
        dims: int,
        seed: int = 0,
        scales: Mapping[str, Tensor] | None = None,
        device: torch.device | str = "cpu",
    ):
        self.dims, self.device = dims, torch.device(device)
        self._modules = {
            name: self._module(name, shape, seed, (scales or {}).get(name))
            for name, shape in shapes.items()
        }

    def _module(
        self, name: str, shape: tuple[int, int], seed: int, scale: Tensor | None
    ) -> _Module:
        random = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
        left = right = None
        outputs, inputs = shape
        if outputs * inputs > WHOLE and inputs > 1:
            left, outputs = _side(outputs, random)
            right, inputs = _side(inputs, random)
            scale = None if scale is None else scale.mean()
        count = outputs * inputs
        signs = torch.randint(0, 2, (count,), generator=random, dtype=torch.float32) * 2 - 1
        start = int(torch.randint(0, self.dims, (1,), generator=random))
        if scale is not None:
            signs = signs * scale.reshape(-1).float()
        left, right, signs = (
            None if each is None else each.to(self.device) for each in (left, right, signs)
        )
        assert signs is not None
        return _Module(left, right, signs, start)

    def empty(self, rows: int) -> Tensor:
        """Zeros to add to: [rows, dims] in float32."""
        return torch.zeros((rows, self.dims), device=self.device)

    def add_layer(self, into: Tensor, name: str, inputs: Tensor, grads: Tensor) -> None:
        """Add a linear layer's part: inputs [rows, tokens, in], output gradients [.., out]."""
        module = self._modules[name]
        inputs, grads = inputs.float(), grads.float()
        if module.left is not None:
            grads = grads @ module.left
        if module.right is not None:
            inputs = inputs @ module.right
        self._sketch(into, module, torch.bmm(grads.transpose(1, 2), inputs).flatten(1))

    def add_whole(self, into: Tensor, name: str, gradient: Tensor) -> None:
        """Add a parameter's part, where it is at hand: [rows, numbers]."""
        self._sketch(into, self._modules[name], gradient.float())

    def _sketch(self, into: Tensor, module: _Module, values: Tensor) -> None:
        values = values * module.signs
        place, at = module.start, 0
        while at < values.shape[1]:
            size = min(self.dims - place, values.shape[1] - at)
            into[:, place : place + size] += values[:, at : at + size]
            place, at = 0, at + size


def _side(size: int, random: torch.Generator) -> tuple[Tensor | None, int]:
    if size <= _SIDE:
        return None, size
    return torch.randn((size, _SIDE), generator=random) / math.sqrt(_SIDE), _SIDE


def unit(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Rows at unit norm, and their norms; a row of zeros stays one."""
    norms = vectors.norm(dim=1)
    return vectors / norms.clamp(min=1e-30)[:, None], norms
