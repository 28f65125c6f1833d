"""Fit to memory: batch, accumulation, checkpointing and quantization of the quickest such run.

The rows of an optimizer step stay the same, so the result does too. Only a 4-bit base changes it,
and is used where nothing else fits. The calculator estimates each candidate; imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from studio.calculator import Gpu, RowCount, RunEstimate, estimate
from studio.core.errors import StudioError
from studio.core.formatting import bytes_text
from studio.runs.objectives import OBJECTIVES, ONLINE, RANKING_LOSSES
from studio.runs.recipe import Recipe

_SWITCH = {"lora": "qlora"}  # the same adapter on a 4-bit base
_ROWS = 1000  # to weigh speeds by, where the rows are not known


@dataclass(frozen=True)
class Fit:
    """The `changes` to the recipe, empty where it is best unchanged, and the estimate with them."""

    recipe: Recipe
    changes: dict[str, Any]
    estimate: RunEstimate

    @property
    def fits(self) -> bool:
        return self.estimate.verdict == "fits"

    def sentence(self) -> str:
        """What was chosen and how much memory it takes."""
        chosen = self.recipe
        rewarded = chosen.objective in ONLINE
        what = "answers" if rewarded else "rows"
        rows = f"{chosen.per_device_train_batch_size} {what} at once"
        if chosen.gradient_accumulation_steps > 1:
            rows += f", {chosen.gradient_accumulation_steps} times per step"
        parts = [
            rows,
            f"{'with' if chosen.activation_checkpointing else 'no'} checkpointing",
            f"{'4-bit' if chosen.quantized else 'unquantized'} base",
        ]
        gpu = self.estimate.gpu
        takes = f"{bytes_text(self.estimate.memory.total)} of {bytes_text(gpu.memory)}"
        if not self.fits:
            shorter = "Shorten max_length, lower lora_r or choose a smaller model."
            if rewarded:
                shorter = "Shorten max_length, or use a smaller batch."
            return (
                f"Nothing tried fits {gpu.name} with room to spare; the smallest takes {takes}. "
                f"{shorter}"
            )
        said = ", ".join(parts)
        kept = "" if self.changes else "Unchanged: "
        return f"{kept}{said if kept else said[0].upper() + said[1:]}. Takes {takes}."


def best_fit(recipe: Recipe, rows: int | None = None, gpu: str | Gpu | None = None) -> Fit:
    """The quickest way to run a recipe that fits, fewest changes first among equals.

    Raises:
        StudioError: when not even the recipe as it stands can be estimated.
    """
    tried: list[tuple[Recipe, RunEstimate]] = []
    for candidate in _candidates(recipe):
        try:
            tried.append((candidate, estimate(candidate, gpu, RowCount(rows or _ROWS))))
        except StudioError:
            if candidate == recipe:
                raise
    fitting = [one for one in tried if one[1].verdict == "fits"]
    plain = [one for one in fitting if one[0].quantized == recipe.quantized]
    chosen, best = min(plain or fitting or tried, key=lambda one: _rank(recipe, one, bool(fitting)))
    changes = {
        name: getattr(chosen, name)
        for name in Recipe.model_fields
        if getattr(chosen, name) != getattr(recipe, name)
    }
    return Fit(chosen, changes, best)


def _candidates(recipe: Recipe) -> Iterator[Recipe]:
    """The recipe, and variants with the same rows per step."""
    together = recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps
    methods = [recipe.method]
    if recipe.method in _SWITCH and not recipe.start_from:
        methods.append(_SWITCH[recipe.method])
    sizes = [size for size in range(1, together + 1) if together % size == 0]
    batches = [_batch(size, together) for size in reversed(sizes)]
    if OBJECTIVES[recipe.objective].embeds:  # a smaller batch has fewer negatives
        batches = _chunks(recipe)
    yield recipe
    for method in methods:
        for batch in batches:
            for checkpointing in (False, True):
                settings: dict[str, Any] = {
                    "method": method,
                    "activation_checkpointing": checkpointing,
                    **batch,
                }
                if method != recipe.method:
                    settings["load_in_4bit"] = True
                try:
                    yield recipe.with_(**settings)
                except StudioError:
                    continue  # a combination that cannot work, such as KTO on single rows


def _batch(size: int, together: int) -> dict[str, Any]:
    return {"per_device_train_batch_size": size, "gradient_accumulation_steps": together // size}


def _chunks(recipe: Recipe) -> list[dict[str, Any]]:
    """The same batch with the loss as it is, and cached in smaller and smaller chunks."""
    found: list[dict[str, Any]] = [{}]
    size = recipe.per_device_train_batch_size
    while recipe.loss_type[0] in RANKING_LOSSES and size > 1:
        size //= 2
        found.append({"loss_type": (RANKING_LOSSES[1],), "mini_batch_size": size})
    return found


def _rank(recipe: Recipe, one: tuple[Recipe, RunEstimate], fits: bool) -> tuple[float, int]:
    chosen, found = one
    changed = sum(getattr(chosen, name) != getattr(recipe, name) for name in Recipe.model_fields)
    if not fits:
        return float(found.memory.total), changed
    seconds = found.cost.seconds
    return round(sum(seconds), 1) if seconds else 0.0, changed
