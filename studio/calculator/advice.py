"""What to change so that a run fits: the smallest changes first, each with what it saves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.calculator.estimates import RunEstimate, estimate
from studio.calculator.gpus import Verdict
from studio.core.errors import ConfigError
from studio.core.formatting import bytes_text
from studio.runs.methods import METHODS
from studio.runs.objectives import RANKING_LOSSES

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe

_FEW_PAIRS, _LONG_ANSWERS = 300, 300  # pairs, and trained tokens of one answer
_CHECKPOINTING = {"activation_checkpointing": True}


@dataclass(frozen=True)
class Change:
    """A change that helps: its label and reason, the recipe's fields behind it, the total after."""

    label: str
    why: str
    settings: tuple[tuple[str, Any], ...]
    total: int
    verdict: Verdict

    def words(self) -> str:
        return f"{self.label} \N{RIGHTWARDS ARROW} {bytes_text(self.total)}"


def dpo_mix(recipe: Recipe, rows: int, mean: float) -> str:
    """DPO with imitation of the chosen answers mixed in, where plain DPO tends to collapse.

    On few or long pairs the chosen answers become less likely together with the rejected ones.

    Args:
        mean: trained tokens of a pair, both answers together.
    """
    if recipe.objective != "dpo" or recipe.loss_type != ("sigmoid",):
        return ""
    few, long = rows < _FEW_PAIRS, mean / 2 > _LONG_ANSWERS
    if not (few or long):
        return ""
    why = "few" if few else "long"
    return (
        f"These pairs are {why}, so DPO may make the chosen answers less likely, too: loss_type "
        "sigmoid,sft with loss_weights 1,0.2 holds them"
    )


def suggestions(before: RunEstimate, limit: int = 4) -> list[Change]:
    """Changes that make it fit, the least costly first; combined ones when no single one does.

    Empty when it fits already.
    """
    if before.verdict == "fits":
        return []
    singles = [change for step in _steps(before) if (change := _change(before, *step))]
    fitting = [change for change in singles if change.verdict == "fits"]
    if fitting:
        return fitting[:limit]
    combined = _combined(before)
    helpful = [change for change in singles if change.total < 0.98 * before.memory.total]
    return ([combined] if combined else []) + helpful[: limit - 1]


def _change(before: RunEstimate, label: str, why: str, settings: dict[str, Any]) -> Change | None:
    """The change with its total; None where the recipe cannot be changed so."""
    try:
        after = estimate(before.recipe.with_(**settings), before.gpu)
    except ConfigError:
        return None
    return Change(label, why, tuple(settings.items()), after.memory.total, after.verdict)


def _batch(rows: int, batch: int) -> dict[str, Any]:
    """At least as many rows per step, in batches of `batch`."""
    return {"per_device_train_batch_size": batch, "gradient_accumulation_steps": -(-rows // batch)}


def _four_bits(before: RunEstimate) -> dict[str, Any]:
    method = METHODS[before.recipe.method]
    changes: dict[str, Any] = {"load_in_4bit": True}
    if method.name in ("lora", "full", "last_layers"):
        changes["method"] = "qlora"
    return changes


def _steps(before: RunEstimate) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Single changes, those that leave the result as it is first."""
    recipe, work = before.recipe, before.work
    if not recipe.activation_checkpointing:
        yield "Checkpoint activations", "same result, about a third slower", _CHECKPOINTING
    batch = recipe.per_device_train_batch_size
    rows = batch * recipe.gradient_accumulation_steps
    if work.embeds:
        yield from _chunks(before)
    while batch > 1 and not work.embeds:
        batch //= 2
        smaller = _batch(rows, batch)
        accumulation = smaller["gradient_accumulation_steps"]
        yield f"Batch {batch}, accumulate {accumulation}", "same result, somewhat slower", smaller
    fewer = recipe.per_device_train_batch_size // 2
    while work.online and fewer:
        completions = fewer * recipe.gradient_accumulation_steps
        label, why = f"{completions} completions per step", "fewer prompts per step, noisier"
        yield label, why, {"per_device_train_batch_size": fewer}
        fewer //= 2
    if not work.optim.endswith("8bit"):
        yield "8-bit optimizer", "states in 8 bits", {"optim": "adamw_8bit"}
    if METHODS[recipe.method].config == "LoraConfig" and not recipe.quantized:
        yield "4-bit base", "slightly less exact base weights", _four_bits(before)
    length = recipe.max_length
    while length > 256:
        length //= 2
        yield f"Max length {length}", "longer rows are cut", {"max_length": length}
    if work.whole_model:
        yield "LoRA", "trains an adapter instead of all weights", {"method": "lora"}
        quantized = _four_bits(before) | _CHECKPOINTING
        yield "QLoRA", "trains an adapter on a 4-bit base", quantized


def _chunks(before: RunEstimate) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The cached loss in smaller chunks: a smaller batch would have fewer negatives."""
    recipe, cached = before.recipe, "CachedMultipleNegativesRankingLoss"
    if recipe.loss_type[0] not in RANKING_LOSSES:
        return
    size = min(recipe.per_device_train_batch_size, recipe.mini_batch_size)
    size = size // 2 if recipe.loss_type[0] == cached else size
    while size >= 1:
        settings = {"loss_type": (cached,), "mini_batch_size": size}
        yield f"Cached loss, {size} rows at once", "same loss, embedded twice", settings
        size //= 2


def _combined(before: RunEstimate) -> Change | None:
    """Add changes one after another until it fits; None when even all of them do not."""
    recipe = before.recipe
    batch = recipe.per_device_train_batch_size
    ladder: list[tuple[str, dict[str, Any]]] = []
    if before.work.whole_model:
        ladder.append(("LoRA", {"method": "lora"}))
    if not recipe.activation_checkpointing:
        ladder.append(("checkpoint activations", _CHECKPOINTING))
    if not recipe.quantized or recipe.load_in_8bit:
        ladder.append(("4-bit base", _four_bits(before) | {"load_in_8bit": False}))
    if before.work.embeds:
        ladder += [(label.lower(), settings) for label, _, settings in _chunks(before)][-1:]
    elif batch > 1:
        least = 2 if before.work.estimates_kl else 1
        ladder.append((f"batch {least}", _batch(batch * recipe.gradient_accumulation_steps, least)))
    if not before.work.optim.endswith("8bit"):
        ladder.append(("8-bit optimizer", {"optim": "adamw_8bit"}))
    if recipe.max_length > 512:
        ladder.append(("max length 512", {"max_length": 512}))
    settings: dict[str, Any] = {}
    labels: list[str] = []
    for label, step in ladder:
        kept = [known for known in labels if not (known == "LoRA" and label == "4-bit base")]
        words = " + ".join([*kept, label])
        change = _change(before, words[0].upper() + words[1:], "together", settings | step)
        if change is None:
            continue
        if change.verdict == "fits":
            return change
        settings, labels = settings | step, [*kept, label]
    return None
