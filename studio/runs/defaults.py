"""The customary values for an objective and a method, each with its reason. Light."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES


@dataclass(frozen=True)
class Default:
    """A knob's value where it differs from the plain one, and why, as half a sentence."""

    knob: str
    value: Any
    why: str


# Customary peak rates of an adapter, read off the field's own recipes.
_RATES = {
    "sft": (2e-4, "LoRA SFT usually takes 1e-4 to 2e-4"),
    "dpo": (5e-6, "DPO wants some forty times less than SFT, or answers fall apart"),
    "kto": (5e-6, "KTO is as touchy as DPO (its paper stays under 5e-6)"),
    "orpo": (8e-6, "ORPO's paper takes 8e-6: it imitates and prefers in one loss"),
    "cpo": (5e-6, "CPO has no reference to hold it back"),
    "simpo": (1e-6, "SimPO breaks down above 1e-6 (its authors' advice)"),
    "grpo": (5e-5, "reinforcement learning through an adapter takes less than SFT"),
    "rloo": (5e-5, "reinforcement learning through an adapter takes less than SFT"),
    "reward": (1e-4, "a reward model's new head learns from nothing"),
}
# Methods whose few numbers each move much further than LoRA's.
_FACTORS = {
    "vera": (10, "VeRA trains vectors, which take ten times LoRA's rate"),
    "ia3": (10, "IA3 trains scales, which take ten times LoRA's rate"),
    "prompt_tuning": (50, "virtual tokens take much higher rates than matrices"),
    "prefix_tuning": (25, "virtual keys and values take much higher rates than matrices"),
    "p_tuning": (10, "the prompt network takes higher rates than LoRA"),
    "llama_adapter": (25, "gated prompts start at zero and take higher rates"),
    "adalora": (5, "AdaLoRA starts from zero singular values"),
    "last_layers": (0.1, "weights of the model itself take a tenth of LoRA's rate"),
    "full": (0.1, "weights of the model itself take a tenth of LoRA's rate"),
}


def defaults(objective: Any, method: Any) -> Iterator[Default]:
    """What follows from the choice of objective and method; nothing for names it does not know."""
    row = OBJECTIVES.get(objective)
    if row is None or method not in METHODS:
        return
    rate, why = _RATES[objective]
    factor, more = _FACTORS.get(method, (1, ""))
    if objective == "dpo" and method in ("full", "last_layers"):
        factor, more = 0.2, "all weights under DPO take TRL's own 1e-6"
    yield Default("learning_rate", float(f"{rate * factor:.6g}"), more or why)
    own = f"{row.label}'s own loss" if row.losses else f"{row.label} has but one loss"
    yield Default("loss_type", row.losses[:1], own)
    if row.rewarded:
        yield Default("beta", 0.04, "GRPO's paper holds to the reference by 0.04")
        yield Default("num_train_epochs", 1.0, "every pass writes new answers")
        yield Default("lr_scheduler_type", "constant", "rewards go on teaching to the end")
        yield Default("warmup_steps", 0.0, "the first answers are on-policy")
    elif objective != "sft":
        yield Default("num_train_epochs", 1.0, "preferences are overfitted within a pass or two")
        yield Default("warmup_steps", 0.1, "a slow start keeps early pairs from steering the rest")
    if objective == "simpo":
        yield Default("beta", 2.0, "SimPO's rewards are means over tokens, so beta is 2 to 10")
        yield Default("cpo_alpha", 0.0, "SimPO is CPO without its imitation term")
    if method in ("qlora", "loftq"):
        yield Default("load_in_4bit", True, f"{METHODS[method].label} holds the base in 4 bits")
    if method == "ia3":
        yield Default("lora_target_modules", None, "PEFT knows where IA3 scales, by model")


def for_device(recipe: Any, device: str) -> Iterator[Default]:
    """What follows from the device (`cuda`, `mps` or `cpu`) for a recipe; the rest suits any.

    Number format, tf32 and pinned memory follow by themselves (see `studio.training.trainers`).
    """
    odd = "8bit" in recipe.optim or recipe.optim.startswith("paged")
    if device == "cuda" and recipe.quantized and not odd:
        yield Default(
            "optim",
            "paged_adamw_8bit",
            "a 4-bit base is for a tight card, so the optimizer's states are 8-bit and paged",
        )
    if device != "cuda" and odd:
        yield Default(
            "optim",
            "adamw_torch_fused",
            "without CUDA there is nothing that a paged or 8-bit optimizer would save",
        )


def defaults_for(objective: Any, method: Any) -> dict[str, Any]:
    """`defaults` as recipe values."""
    return {found.knob: found.value for found in defaults(objective, method)}
