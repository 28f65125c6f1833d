"""Launch configurations for several processes, and what each supports. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from studio.core.errors import ConfigError
from studio.core.workspace import PRESETS
from studio.runs.fields import RecipeFields
from studio.runs.methods import METHODS, is_quantized

CONFIGS = PRESETS / "accelerate"
SINGLE = "single"


@dataclass(frozen=True)
class LaunchConfig:
    """One launch configuration; `sharded` ones shard the weights, `needs` is an extra package."""

    label: str
    gpu: bool = True
    sharded: bool = False
    needs: str = ""


LAUNCH_CONFIGS = {
    SINGLE: LaunchConfig("One process", gpu=False),
    "multi_cpu": LaunchConfig("Processes on the CPU", gpu=False),
    "multi_gpu": LaunchConfig("Every GPU (DDP)"),
    "fsdp2": LaunchConfig("Every GPU, sharded weights (FSDP)", sharded=True),
    "zero2": LaunchConfig("Every GPU, DeepSpeed ZeRO-2", needs="deepspeed"),
    "zero3": LaunchConfig(
        "Every GPU, sharded weights (DeepSpeed ZeRO-3)", sharded=True, needs="deepspeed"
    ),
}


def validation_errors(values: RecipeFields) -> Iterator[str]:
    """Why this recipe cannot be launched this way: sentences without their period."""
    way, count = LAUNCH_CONFIGS[values.accelerate_config], values.num_processes
    if values.accelerate_config == SINGLE:
        if count:
            yield "num_processes needs an accelerate_config, such as multi_gpu"
        return
    if values.device is not None:
        yield (
            f"device names one GPU, and {values.accelerate_config} gives each process its own; "
            "leave device empty, and hide GPUs with CUDA_VISIBLE_DEVICES"
        )
    if way.sharded and METHODS[values.method].moves_base:
        yield (
            f"{values.accelerate_config} shards the weights, which {values.method} changes at "
            "initialization; choose multi_gpu or zero2, or lora"
        )
    if way.sharded and is_quantized(values):
        yield (
            f"{values.accelerate_config} shards the weights, which a 4- or 8-bit base does not "
            "allow; choose multi_gpu or zero2, or a method that does not quantize, such as lora"
        )
    if not way.gpu or count:
        try:
            share(values, count or usual_count(values.accelerate_config))
        except ConfigError as error:
            yield str(error).removesuffix(".")


def usual_count(name: str) -> int:
    """The number of processes in a config file."""
    return yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))["num_processes"]


def share(recipe: RecipeFields, processes: int) -> dict[str, int]:
    """Each process's share of a step's rows, as changes to the recipe.

    Gradient accumulation is divided first, then the batch size.
    """
    batch, times = recipe.per_device_train_batch_size, recipe.gradient_accumulation_steps
    fewer = math.gcd(times, processes)
    rest = processes // fewer
    if batch % rest:
        raise ConfigError(
            f"The {batch * times} rows of a step cannot be split among {processes} processes; set "
            f"gradient_accumulation_steps to a multiple of {processes}."
        )
    if processes > 1 and recipe.objective == "kto" and batch // rest < 2:
        raise ConfigError(
            f"KTO needs at least two rows per batch, and {processes} processes would have "
            f"{batch // rest} each; raise per_device_train_batch_size or "
            "gradient_accumulation_steps."
        )
    return {
        "per_device_train_batch_size": batch // rest,
        "gradient_accumulation_steps": times // fewer,
    }
