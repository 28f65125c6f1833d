"""Recommended values for an objective and a method, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from studio.runs.fields import RecipeFields
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES


@dataclass(frozen=True)
class Default:
    """A field's value where it differs from the plain default, and why, as a clause."""

    field: str
    value: object
    why: str


PLAIN_RATE: float = RecipeFields.model_fields["learning_rate"].default
PLAIN_OPTIM: str = RecipeFields.model_fields["optim"].default
# Usual peak learning rates of an adapter, from published recipes.
_RATES = {
    "sft": (2e-4, "LoRA SFT typically uses 1e-4 to 2e-4"),
    "dpo": (5e-6, "DPO needs about forty times less than SFT, or answers degenerate"),
    "kto": (5e-6, "KTO is as sensitive as DPO (its paper stays below 5e-6)"),
    "orpo": (8e-6, "ORPO's paper uses 8e-6: it combines imitation and preference"),
    "cpo": (5e-6, "CPO has no reference to keep it close to"),
    "simpo": (1e-6, "SimPO's authors advise at most 1e-6"),
    "grpo": (5e-5, "RL with an adapter needs less than SFT"),
    "rloo": (5e-5, "RL with an adapter needs less than SFT"),
    "reward": (1e-4, "a reward model's head starts from random weights"),
}
# Factors on the rate, for methods that train fewer parameters than LoRA or all of them.
_FACTORS = {
    "vera": (10, "VeRA trains vectors, which need ten times LoRA's rate"),
    "ia3": (10, "IA3 trains scales, which need ten times LoRA's rate"),
    "prompt_tuning": (50, "virtual tokens need much higher rates than matrices"),
    "prefix_tuning": (25, "virtual keys and values need much higher rates than matrices"),
    "p_tuning": (10, "the prompt encoder needs higher rates than LoRA"),
    "llama_adapter": (25, "gated prompts start at zero and need higher rates"),
    "adalora": (5, "AdaLoRA starts from zero singular values"),
    "last_layers": (0.1, "the model's own weights need a tenth of LoRA's rate"),
    "full": (0.1, "the model's own weights need a tenth of LoRA's rate"),
}


def defaults(objective: str, method: str) -> Iterator[Default]:
    """What follows from the choice of objective and method; nothing for unknown names."""
    row = OBJECTIVES.get(objective)
    if row is None or method not in METHODS:
        return
    rate, why = _RATES.get(objective, (PLAIN_RATE, f"{row.label} has no usual rate; SFT's is used"))
    factor, more = _FACTORS.get(method, (1, ""))
    if objective == "dpo" and method in ("full", "last_layers"):
        factor, more = 0.2, "DPO of all weights uses TRL's own 1e-6"
    yield Default("learning_rate", float(f"{rate * factor:.6g}"), more or why)
    own = f"{row.label}'s own loss" if row.losses else f"{row.label} has only one loss"
    yield Default("loss_type", row.losses[:1], own)
    if row.rewarded:
        yield Default("beta", 0.04, "GRPO's paper uses a KL coefficient of 0.04")
        yield Default("num_train_epochs", 1.0, "every epoch samples new completions")
        yield Default("lr_scheduler_type", "constant", "rewards are informative until the end")
        yield Default("warmup_steps", 0.0, "the first answers are on-policy")
    elif objective != "sft":
        yield Default("num_train_epochs", 1.0, "preferences are overfitted within an epoch or two")
        yield Default("warmup_steps", 0.1, "a slow start keeps early pairs from dominating")
    if objective == "simpo":
        yield Default("beta", 2.0, "SimPO's rewards are averages over tokens, so beta is 2 to 10")
        yield Default("cpo_alpha", 0.0, "SimPO is CPO without its imitation term")
    if method in ("qlora", "loftq"):
        yield Default("load_in_4bit", True, f"{METHODS[method].label} loads the base in 4 bits")
    if method == "ia3":
        yield Default("lora_target_modules", None, "PEFT has IA3 targets for each model")


def for_device(recipe: RecipeFields, device: str) -> Iterator[Default]:
    """What follows from the device (`cuda`, `mps`, or `cpu`) for a recipe.

    Data type, tf32, and pinned memory are set by `studio.training.trainers`.
    """
    odd = "8bit" in recipe.optim or recipe.optim.startswith("paged")
    if device == "cuda" and recipe.method == "full" and recipe.optim == PLAIN_OPTIM:
        yield Default(
            "optim", "adamw_8bit", "in float32 the states of all weights take twice their memory"
        )
    if device != "cuda" and odd:
        yield Default("optim", PLAIN_OPTIM, "paged and 8-bit optimizers save nothing without CUDA")


def defaults_for(objective: str, method: str) -> dict[str, object]:
    """`defaults` as recipe values."""
    return {each.field: each.value for each in defaults(objective, method)}
