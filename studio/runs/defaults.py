"""Recommended values for an objective and a method, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator

from studio.runs.fields import RecipeFields
from studio.runs.launch_configs import LAUNCH_CONFIGS
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES, Default

AUTO_OPTIM: str = RecipeFields.model_fields["optim"].default
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
    rate, why = row.rate
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
    elif objective != "sft" and not (row.teacher or row.embeds):
        yield Default("num_train_epochs", 1.0, "preferences are overfitted within an epoch or two")
        yield Default("warmup_steps", 0.1, "a slow start keeps early pairs from dominating")
    yield from row.defaults
    if method in ("qlora", "loftq"):
        yield Default("load_in_4bit", True, f"{METHODS[method].label} loads the base in 4 bits")
    if method == "ia3":
        yield Default("lora_target_modules", None, "PEFT has IA3 targets for each model")


def for_device(recipe: RecipeFields, device: str) -> Iterator[Default]:
    """What follows from the device (`cuda`, `mps`, or `cpu`) for a recipe.

    Data type, tf32, and pinned memory are set by `studio.training.trainers`.
    """
    odd = "8bit" in recipe.optim or recipe.optim.startswith("paged")
    if device != "cuda" and odd:
        yield Default("optim", AUTO_OPTIM, "paged and 8-bit optimizers save nothing without CUDA")


def optimizer(recipe: RecipeFields, device: str) -> str:
    """The optimizer of a recipe on a device (`cuda`, `mps`, or `cpu`), by transformers' name.

    In float32 the states of all weights take twice their memory, so that `full` keeps them in 8
    bits where bitsandbytes has kernels for it. FSDP's weights take PyTorch's own optimizers alone.
    """
    if recipe.optim != AUTO_OPTIM:
        return recipe.optim
    fsdp = LAUNCH_CONFIGS[recipe.accelerate_config].fsdp
    eight_bit = device == "cuda" and recipe.method == "full" and not fsdp
    return "adamw_8bit" if eight_bit else "adamw_torch_fused"


def defaults_for(objective: str, method: str) -> dict[str, object]:
    """`defaults` as recipe values."""
    return {each.field: each.value for each in defaults(objective, method)}
