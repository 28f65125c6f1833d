"""Rows of several LoRA adapters, and of the base, through one model in one batch.

PEFT does this too (`adapter_names`), looking up every layer's rows and adapters anew at every
token: on a small model that costs more than the model itself. Here they are settled once a batch.
A row gets exactly what PEFT gives its adapter alone (Hu et al. 2021): W x + scaling B (A x).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from peft.tuners import lora
from torch.nn.functional import linear

BASE = "__base__"  # PEFT's name for rows that use no adapter
_PLAIN = tuple(
    getattr(lora, name)
    for name in ("Linear", "Linear4bit", "Linear8bitLt")  # the last two with bitsandbytes only
    if hasattr(lora, name)
)

Span = tuple[slice, torch.Tensor, torch.Tensor, float]
"""Rows of one adapter in one layer, with A, B and the scaling."""


@contextlib.contextmanager
def generate_with(view: Any, adapters: Sequence[str | None]) -> Iterator[Callable[..., Any]]:
    """`generate` of a `PeftModel` with an adapter for each row, None for the base.

    Rows of one adapter stand next to each other. Where an adapter is on other layers than linear
    ones, or is no plain LoRA, PEFT's own way is taken.
    """
    layers: list[Any] = [module for module in view.modules() if isinstance(module, lora.LoraLayer)]
    names = set(adapters) - {None}
    if not all(_is_plain(layer, names) for layer in layers):
        rows = [adapter or BASE for adapter in adapters]
        yield functools.partial(view.generate, adapter_names=rows)
        return
    try:
        for layer in layers:
            setattr(layer, "forward", _forward(layer.base_layer, _spans(layer, adapters)))  # noqa: B010
        yield view.get_base_model().generate
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)  # the class's own again


@contextlib.contextmanager
def settled(model: Any) -> Iterator[Any]:
    """The model to call for batches that all use the one adapter in use.

    That is the base with its layers' adapters settled once; a model without a plain LoRA, or one
    that drops out while it trains, is itself.
    """
    layers: list[Any] = [module for module in model.modules() if isinstance(module, lora.LoraLayer)]
    name = getattr(model, "active_adapter", None)
    plain = isinstance(name, str) and all(_is_plain(layer, {name}) for layer in layers)
    if not (layers and plain) or any(map(_altered, layers)):
        yield model
        return
    try:
        for layer in layers:
            setattr(layer, "forward", _forward(layer.base_layer, _spans(layer, [name])))  # noqa: B010
        yield model.get_base_model()
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def _altered(layer: Any) -> bool:
    """Whether a layer does more, or less, than add its adapter."""
    drops = any(isinstance(each, torch.nn.Dropout) for each in layer.lora_dropout.values())
    return layer.merged or layer.disable_adapters or (layer.training and drops)


def _is_plain(layer: Any, names: set[str | None]) -> bool:
    varied = any(name in layer.lora_variant or layer.lora_bias.get(name) for name in names)
    return isinstance(layer, _PLAIN) and not varied


def _spans(layer: Any, adapters: Sequence[str | None]) -> list[Span]:
    found: list[Span] = []
    for name, places in itertools.groupby(range(len(adapters)), key=adapters.__getitem__):
        rows = list(places)
        if name in layer.lora_A:
            a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
            which = slice(rows[0], rows[-1] + 1) if len(rows) < len(adapters) else slice(None)
            found.append((which, a, b, layer.scaling[name]))
    return found


def _forward(base: Any, spans: list[Span]) -> Callable[..., torch.Tensor]:
    def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        out = base(x, *args, **kwargs)
        for rows, a, b, scaling in spans:
            # PEFT holds adapters in float32 also where the base is not.
            out[rows].add_(linear(linear(x[rows].to(a.dtype), a), b), alpha=scaling)
        return out

    return forward
