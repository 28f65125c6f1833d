"""Embeddings and norms that train in full beside a LoRA, as LongLoRA does for longer contexts."""

from __future__ import annotations

from typing import Any

from studio.runs.recipe import Recipe


def by_name(recipe: Recipe, model: Any) -> Recipe:
    """The recipe with the model's embedding and norms among its `lora_modules_to_save`.

    They are found by what they are, so by whatever name the family gives them.
    """
    if not recipe.train_embeddings_and_norms:
        return recipe
    names = tuple(dict.fromkeys((*recipe.lora_modules_to_save, *found(model))))
    return recipe.model_copy(update={"lora_modules_to_save": names})


def found(model: Any) -> tuple[str, ...]:
    """Last names of the input embedding and of every norm with weights of its own."""
    embedding = model.get_input_embeddings()
    names = [
        path.rpartition(".")[2]
        for path, module in model.named_modules()
        if module is embedding
        or ("Norm" in type(module).__name__ and any(True for _ in module.parameters(False)))
    ]
    return tuple(dict.fromkeys(names))
