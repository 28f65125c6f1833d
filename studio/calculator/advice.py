"""What to change so that a run fits: the smallest changes first, each with what it saves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from studio.calculator.adapter_settings import LORA_LIKE
from studio.calculator.estimates import RunEstimate, re_estimate
from studio.calculator.formatting import size
from studio.calculator.gpus import Verdict
from studio.calculator.gpus import verdict as judge


@dataclass(frozen=True)
class Change:
    """One step that helps: words for a button, the settings behind it, the total after it."""

    label: str
    why: str
    settings: tuple[tuple[str, Any], ...]
    total: int
    verdict: Verdict

    def words(self) -> str:
        return f"{self.label} \N{RIGHTWARDS ARROW} {size(self.total)}"


def suggestions(before: RunEstimate, limit: int = 4) -> list[Change]:
    """Changes that make it fit, cheapest for the result first; combined ones when no single does.

    Empty when it fits already.
    """
    if before.verdict == "fits":
        return []
    singles = [_change(before, *step) for step in _steps(before)]
    fitting = [change for change in singles if change.verdict == "fits"]
    if fitting:
        return fitting[:limit]
    combined = _combined(before)
    helpful = [change for change in singles if change.total < 0.98 * before.memory.total]
    return ([combined] if combined else []) + helpful[: limit - 1]


def _change(before: RunEstimate, label: str, why: str, settings: dict[str, Any]) -> Change:
    after = re_estimate(before, **settings)
    total = after.memory.total
    return Change(label, why, tuple(settings.items()), total, judge(total, before.card))


def _steps(before: RunEstimate) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Single changes, those that leave the result as it is first."""
    plan = before.plan
    if not plan.activation_checkpointing:
        yield (
            "Checkpoint activations",
            "same result, about a third slower",
            {"activation_checkpointing": True},
        )
    batch, accumulation = plan.per_device_train_batch_size, plan.gradient_accumulation_steps
    while batch > plan.smallest_batch:
        smaller = max(plan.smallest_batch, batch // 2)
        accumulation *= -(-batch // smaller)
        batch = smaller
        yield (
            f"Batch {batch}, accumulate {accumulation}",
            "same result, somewhat slower",
            {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation},
        )
    fewer = plan.per_device_train_batch_size // 2
    while plan.answers and fewer * plan.gradient_accumulation_steps % plan.num_generations == 0:
        if not fewer:
            break
        yield (
            f"{fewer * plan.gradient_accumulation_steps} answers a step",
            "fewer prompts a step, noisier",
            {"per_device_train_batch_size": fewer},
        )
        fewer //= 2
    if plan.scores_reference and plan.whole_model and not plan.keep_base:
        yield (
            "Precompute the reference",
            "scores it once, then drops it",
            {"precompute_ref_log_probs": True},
        )
    if not plan.optim.endswith("8bit"):
        yield "8-bit optimizer", "states in 8 bits", {"optim": "adamw_8bit"}
    if plan.method in LORA_LIKE and plan.quantization == "none":
        changes: dict[str, Any] = {"quantization": "4bit"}
        if plan.method == "lora":
            changes["method"] = "qlora"
        yield "4-bit base", "slightly rougher weights underneath", changes
    length = plan.max_length
    while length > 256:
        length //= 2
        yield f"Length {length}", "longer rows are cut", {"max_length": length}
    if plan.whole_model:
        yield "LoRA", "trains an adapter instead of all weights", {"method": "lora"}
        yield (
            "QLoRA",
            "trains an adapter on a 4-bit base",
            {"method": "qlora", "quantization": "4bit", "activation_checkpointing": True},
        )


def _combined(before: RunEstimate) -> Change | None:
    """Add changes one after another until it fits; None when even all of them do not."""
    settings: dict[str, Any] = {}
    labels: list[str] = []
    plan = before.plan
    ladder: list[tuple[str, dict[str, Any]]] = []
    if plan.whole_model:
        ladder.append(("LoRA", {"method": "lora"}))
    if not plan.activation_checkpointing:
        ladder.append(("checkpoint activations", {"activation_checkpointing": True}))
    if plan.quantization != "4bit":
        small: dict[str, Any] = {"quantization": "4bit"}
        if plan.method == "lora" or plan.whole_model:
            small["method"] = "qlora"
        ladder.append(("4-bit base", small))
    least = plan.smallest_batch
    if plan.per_device_train_batch_size > least:
        rows = plan.per_device_train_batch_size * plan.gradient_accumulation_steps
        smaller = {
            "per_device_train_batch_size": least,
            "gradient_accumulation_steps": -(-rows // least),
        }
        ladder.append((f"batch {least}", smaller))
    if not plan.optim.endswith("8bit"):
        ladder.append(("8-bit optimizer", {"optim": "paged_adamw_8bit"}))
    if plan.max_length > 512:
        ladder.append(("length 512", {"max_length": 512}))
    for label, step in ladder:
        settings |= step
        labels = [known for known in labels if not (known == "LoRA" and label == "4-bit base")]
        labels.append(label)
        words = " + ".join(labels)
        change = _change(before, words[0].upper() + words[1:], "together", dict(settings))
        if change.verdict == "fits":
            return change
    return None
