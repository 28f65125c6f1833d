"""The calculator's one entry: a model and a run's settings -> what trains, what it needs, how long.

>>> estimate("TinyLlama/TinyLlama-1.1B-Chat-v1.0", lora_r=8,
...          lora_target_modules=["q_proj", "k_proj", "v_proj"]).trainable_parameters
1531904
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from studio.calculator import formatting, gpus
from studio.calculator.adapter_settings import (
    SPEC_FIELDS,
    TARGETED,
    UNQUANTIZED,
    AdapterSpec,
    make_spec,
)
from studio.calculator.cost import Cost, estimate_cost
from studio.calculator.dataset_lengths import Lengths
from studio.calculator.gpus import Card, Verdict
from studio.calculator.memory import Memory, estimate_memory, precision_of
from studio.calculator.meta_model import Skeleton, skeleton
from studio.calculator.parameters import ParameterCount, count
from studio.calculator.run_settings import Plan, make_plan
from studio.runs.methods import METHODS, WHOLE_MODEL, field_applies


@dataclass(frozen=True)
class RunEstimate:
    """Exact counts, estimated memory and time, and how it sits on the card."""

    name: str
    origin: str
    plan: Plan
    spec: AdapterSpec
    parameters: ParameterCount
    memory: Memory
    cost: Cost
    card: Card
    skeleton: Skeleton = field(repr=False, compare=False)

    @property
    def total_parameters(self) -> int:
        """Of the base model."""
        return self.parameters.total

    @property
    def trainable_parameters(self) -> int:
        return self.parameters.trainable

    @property
    def trainable_percent(self) -> float:
        """Of all parameters, the adapter's among them (PEFT's `trainable%`)."""
        return self.parameters.percent

    @property
    def adapter_bytes(self) -> int:
        """Size of the file that training saves."""
        precision = precision_of(self.plan)
        return self.parameters.adapter_bytes(precision.adapter, precision.weights)

    @property
    def verdict(self) -> Verdict:
        """`fits`, `tight` or `does not fit` on the card."""
        return gpus.verdict(self.memory.total, self.card)

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.parameters.notes, *self.memory.notes)

    def line(self) -> str:
        """`1.53 M trainable (0.139 %) · 3.1 GB · about 2 min · fits`."""
        parts = [
            f"{formatting.count(self.trainable_parameters)} trainable "
            f"({formatting.percent(self.trainable_percent)})",
            formatting.size(self.memory.total),
            self.cost.words(),
            self.verdict,
        ]
        return " \N{MIDDLE DOT} ".join(part for part in parts if part)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, everything in it."""
        return {
            "model": self.name,
            "origin": self.origin,
            "method": self.spec.name,
            "objective": self.plan.objective,
            "total_parameters": self.total_parameters,
            "trainable_parameters": self.trainable_parameters,
            "all_parameters": self.parameters.all_parameters,
            "trainable_percent": self.trainable_percent,
            "modules": [module.as_dict() for module in self.parameters.modules],
            "layers": [
                {"layer": name, "trainable": number} for name, number in self.parameters.layers
            ],
            "adapter_bytes": self.adapter_bytes,
            "memory": self.memory.as_dict(),
            "terms": [term.as_dict() for term in self.memory.terms],
            "kv_cache_bytes_per_token": self.memory.kv_cache_per_token,
            "card": self.card.name,
            "card_bytes": self.card.memory,
            "verdict": self.verdict,
            "cost": self.cost.as_dict(),
            "notes": list(self.notes),
        }


def estimate(
    model: str | Path | Mapping[str, Any],
    *,
    method: str = "lora",
    objective: str = "sft",
    card: str | Card | None = None,
    rows: int | None = None,
    mean_tokens: float | None = None,
    lengths: Lengths | None = None,
    tokens_per_second: float | None = None,
    dtype: str = "auto",
    **settings: Any,
) -> RunEstimate:
    """Estimate one run. Raises `ModelError` or `ConfigError`, each one sentence.

    Args:
        model: `pocket`, a Hub id, a folder, a `config.json`'s path, text or values.
        card: a name from `CARDS`; this machine when left out.
        rows: rows of the dataset; without them there is no time.
        mean_tokens: mean tokens a row (DPO: of its two sides together).
        lengths: what the dataset's rows measure (`dataset_lengths`), in place of both.
        tokens_per_second: a measured speed, which beats the card's peak.
        settings: the adapter's (`lora_r`, `lora_alpha`, `lora_target_modules`,
            `lora_modules_to_save`, `rank_pattern`, `num_virtual_tokens` ...) and the run's
            (`quantization`, `optim`, `per_device_train_batch_size`, `max_length`,
            `activation_checkpointing` ...: see `Plan`).
    """
    if not isinstance(card, Card):
        card = gpus.find_card(card or gpus.THIS_MACHINE)
    adapter = {key: settings.pop(key) for key in SPEC_FIELDS if key in settings}
    unknown = [key for key in settings if key not in Plan.__dataclass_fields__]
    if unknown:
        from studio.core.errors import ConfigError, did_you_mean

        known = (*SPEC_FIELDS, *Plan.__dataclass_fields__)
        raise ConfigError(
            f"The calculator has no setting {unknown[0]!r}.{did_you_mean(unknown[0], known)}"
        )
    if "lora_target_modules" not in adapter:
        adapter["lora_target_modules"] = _usual_targets(method)
    spec = make_spec(method, objective, **adapter)
    plan = make_plan(
        card,
        method=spec.method,
        objective=objective,
        dtype=dtype,
        lora_dropout=spec.lora_dropout,
        **settings,
    )
    bones = skeleton(model, spec.scored)
    data = {"rows": rows, "mean_tokens": mean_tokens, "lengths": lengths}
    return _estimate(bones, spec, plan, card, tokens_per_second=tokens_per_second, **data)


def _usual_targets(method: str) -> str | None:
    """IA3 scales what PEFT names for each architecture; the others take every linear layer."""
    return "all-linear" if method in TARGETED and method != "ia3" else None


def _estimate(
    bones: Skeleton, spec: AdapterSpec, plan: Plan, card: Card, **data: Any
) -> RunEstimate:
    counted = count(bones, spec)
    return RunEstimate(
        name=bones.name,
        origin=bones.source.origin,
        plan=plan,
        spec=spec,
        parameters=counted,
        memory=estimate_memory(bones, counted, plan, card.device),
        cost=estimate_cost(bones, counted, plan, card, **data),
        card=card,
        skeleton=bones,
    )


def re_estimate(
    before: RunEstimate,
    *,
    method: str | None = None,
    spec: AdapterSpec | None = None,
    card: Card | None = None,
    **changes: Any,
) -> RunEstimate:
    """The same estimate with changes of the plan, the adapter or the card."""
    card = card or before.card
    if method:
        changes["method"] = method
        if method in UNQUANTIZED:
            changes["quantization"] = "none"
        spec = replace(spec or before.spec, method=method)
    plan = before.plan.with_(**changes)
    return _estimate(before.skeleton, spec or before.spec, plan, card)


def recipe_settings(recipe: Any) -> dict[str, Any]:
    """What of a `studio.runs.recipe.Recipe` the calculator asks for, as keyword arguments."""
    adapter = {
        name: getattr(recipe, name)
        for name in SPEC_FIELDS
        if name in type(recipe).model_fields and field_applies(name, recipe.method)
    }
    return {
        "method": recipe.method,
        "objective": recipe.objective,
        "loss_type": next(iter(recipe.loss_type), ""),
        **adapter,
        "quantization": _bits(recipe),
        "double_quant": recipe.use_bnb_nested_quant,
        "optim": recipe.optim,
        "dtype": recipe.dtype,
        "per_device_train_batch_size": recipe.per_device_train_batch_size,
        "gradient_accumulation_steps": recipe.gradient_accumulation_steps,
        "max_length": recipe.max_length,
        "activation_checkpointing": recipe.activation_checkpointing,
        "attn_implementation": recipe.attn_implementation,
        "precompute_ref_log_probs": bool(recipe.precompute_ref_log_probs),
        "packing": recipe.packing,
        "num_train_epochs": recipe.num_train_epochs,
        "max_steps": recipe.max_steps,
        "num_generations": recipe.num_generations,
        "max_completion_length": recipe.max_completion_length,
        "num_iterations": recipe.num_iterations,
        "continued": bool(recipe.start_from),
        "keep_base": keeps_base(recipe.method),
    }


def keeps_base(method: str) -> bool:
    """Whether training here holds the base as it was beside the weights that the method changes."""
    return method in WHOLE_MODEL or (method in METHODS and METHODS[method].moves_base)


def _bits(recipe: Any) -> str:
    if not recipe.quantized:
        return "none"
    return "8bit" if recipe.load_in_8bit else "4bit"


def estimate_recipe(
    recipe: Any,
    rows: int | None = None,
    mean_tokens: float | None = None,
    *,
    lengths: Lengths | None = None,
    card: str | Card | None = None,
    tokens_per_second: float | None = None,
) -> RunEstimate:
    """`estimate` of a recipe: the line beside the Start button."""
    return estimate(
        recipe.model_name_or_path,
        rows=rows,
        mean_tokens=mean_tokens,
        lengths=lengths,
        card=card,
        tokens_per_second=tokens_per_second,
        **recipe_settings(recipe),
    )
