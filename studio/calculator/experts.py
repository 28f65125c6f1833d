"""Experts of a mixture whose matrices are stacked into 3-D weights, which `all-linear` passes over.

PEFT adapts such a stack where `target_parameters` names it: A and B of rank r for every expert.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.core.formatting import compact as short

if TYPE_CHECKING:
    from studio.calculator.meta_model import MetaModel
    from studio.runs.recipe import Recipe

_LAYER = re.compile(r"^.*?\.\d+\.")


@dataclass(frozen=True)
class Stack:
    """Equal stacks of experts: the name in a layer, (experts, ...) of one, how many layers."""

    name: str
    shape: tuple[int, ...]
    layers: int

    @property
    def parameters(self) -> int:
        """In all layers."""
        number = self.layers
        for side in self.shape:
            number *= side
        return number

    def adapted(self, recipe: Recipe) -> bool:
        """Whether a recipe names it, as PEFT matches names: by their ends."""
        return any(
            f".{self.name}".endswith(f".{_LAYER.sub('', each) or each}")
            for each in recipe.lora_target_parameters
        )


def stacks(model: MetaModel) -> tuple[Stack, ...]:
    """The stacked weights of a model's layers; empty for a dense one."""
    found: dict[tuple[str, tuple[int, ...]], int] = {}
    for path, weight in model.module.named_parameters():
        name = _LAYER.sub("", path)
        if weight.ndim == 3 and name != path and "conv" not in name:
            key = (name, tuple(weight.shape))
            found[key] = found.get(key, 0) + model.copies(path)
    return tuple(Stack(name, shape, layers) for (name, shape), layers in found.items())


def names(model: MetaModel) -> tuple[str, ...]:
    """What `lora_target_parameters` can name in a model."""
    return tuple(dict.fromkeys(stack.name for stack in stacks(model)))


def adapted_numbers(model: MetaModel, recipe: Recipe) -> int:
    """Numbers in the stacks that a recipe adapts: PEFT adds the update to a copy of each."""
    if not recipe.lora_target_parameters:
        return 0
    return sum(stack.parameters for stack in stacks(model) if stack.adapted(recipe))


def frozen_note(model: MetaModel, trained: set[str], more: int | None) -> str:
    """A sentence where experts stay frozen; empty where there are none, or they train.

    `trained` are the modules with an adapter, by their names in the meta model; `more` is how many
    parameters would train in the experts if the recipe named them, None where its method cannot.
    """
    left = [
        stack
        for stack in stacks(model)
        if not any(f".{name}.".endswith(f".{stack.name.rpartition('.')[0]}.") for name in trained)
    ]
    if not left:
        return ""
    frozen = sum(stack.parameters for stack in left)
    said = (
        f"The experts stay frozen: {short(frozen)} of {short(model.total)} parameters are stacked "
        "in 3-D weights, which lora_target_modules does not reach."
    )
    if more is None:
        return said
    named = ", ".join(dict.fromkeys(stack.name for stack in left))
    return f"{said} lora_target_parameters: {named} trains {more:,} parameters in them."
