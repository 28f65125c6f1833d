"""Constraints on a recipe's rewards, group size, and beta."""

from __future__ import annotations

from collections.abc import Iterator

from studio.core.errors import StudioError
from studio.rewards import WeightedReward
from studio.runs.fields import RecipeFields
from studio.runs.methods import METHODS, is_quantized
from studio.runs.objectives import OBJECTIVES, REWARDED


def _teacher_errors(values: RecipeFields) -> Iterator[str]:
    if not 0 <= values.beta <= 1:
        yield "beta is between 0 (forward KL divergence) and 1 (reverse) for Distillation"
    if values.accelerate_config != "single":
        yield "Distillation runs in one process; set accelerate_config: single"
    method = METHODS[values.method]
    if method.prompted:
        yield (
            f"TRL's distillation reads a model without {method.label}'s virtual tokens; choose lora"
        )


def _sampling_errors(values: RecipeFields) -> Iterator[str]:
    """What vLLM and continuous batching cannot sample from."""
    if not values.use_vllm:
        if values.use_transformers_continuous_batching and METHODS[values.method].prompted:
            yield (
                f"transformers' continuous batching writes no virtual tokens of "
                f"{METHODS[values.method].label}; choose lora"
            )
        return
    if values.use_transformers_continuous_batching:
        yield "choose use_vllm or use_transformers_continuous_batching, not both"
    if METHODS[values.method].adapter and METHODS[values.method].config != "LoraConfig":
        yield "vLLM gets the weights with the adapter merged; choose lora or full"
    if is_quantized(values):
        yield (
            "vLLM gets the weights with the adapter merged, and merging into quantized weights is "
            "not exact; choose lora, or use_vllm: false"
        )
    if values.rope_parameters:
        yield "vLLM reads the model's own RoPE; leave rope_parameters empty, or use_vllm: false"
    address = values.vllm_server_base_url or ""
    if values.vllm_mode == "server" and not address.startswith(("http://", "https://")):
        yield "vllm_mode server needs vllm_server_base_url, such as http://localhost:8000"


def validation_errors(values: RecipeFields) -> Iterator[str]:
    """Why a recipe's rewards, group size, or beta are invalid: sentences without their period."""
    row = OBJECTIVES[values.objective]
    if row.online:
        yield from _sampling_errors(values)
    if row.teacher:
        yield from _teacher_errors(values)
        return
    if not row.rewarded:
        if not values.beta:
            free = ", ".join(OBJECTIVES[name].label for name in REWARDED)
            yield f"beta must be above 0 for {row.label}; only {free} accept 0"
        return
    if values.reward_funcs:
        try:
            WeightedReward(values.reward_funcs, values.reward_weights)
        except StudioError as problem:
            yield str(problem).removesuffix(".")
    if values.accelerate_config != "single":
        yield f"{row.label} runs in one process; set accelerate_config: single"
    together = values.per_device_train_batch_size * values.gradient_accumulation_steps
    if together % values.num_generations:
        yield (
            f"a step has {together} completions (per_device_train_batch_size x "
            f"gradient_accumulation_steps), which is no multiple of num_generations "
            f"{values.num_generations}"
        )
