"""The ways to launch a run on several processes, and what each refuses. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from studio.core.errors import ConfigError
from studio.core.workspace import PRESETS
from studio.runs.methods import METHODS

CONFIGS = PRESETS / "accelerate"


SINGLE = "single"


@dataclass(frozen=True)
class LaunchConfig:
    """One way to launch; `sharded` ones divide the weights, `needs` is a package of their own."""

    label: str
    gpu: bool = True
    sharded: bool = False
    needs: str = ""


LAUNCH_CONFIGS = {
    SINGLE: LaunchConfig("One process", gpu=False),
    "multi_cpu": LaunchConfig("Processes on the CPU", gpu=False),
    "multi_gpu": LaunchConfig("Every GPU (DDP)"),
    "fsdp2": LaunchConfig("Every GPU, weights divided (FSDP)", sharded=True),
    "zero2": LaunchConfig("Every GPU, DeepSpeed ZeRO-2", needs="deepspeed"),
    "zero3": LaunchConfig(
        "Every GPU, weights divided (DeepSpeed ZeRO-3)", sharded=True, needs="deepspeed"
    ),
}


def validation_errors(values: Any) -> Iterator[str]:
    """Why this recipe cannot be launched as asked: sentences without their full stop."""
    way, count = LAUNCH_CONFIGS[values.accelerate_config], values.num_processes
    if values.accelerate_config == SINGLE:
        if count:
            yield "num_processes needs an accelerate_config, such as multi_gpu"
        return
    if way.sharded and METHODS[values.method].moves_base:
        yield (
            f"{values.accelerate_config} divides the weights, which {values.method} changes at its "
            "start; choose multi_gpu or zero2, or lora"
        )
    if way.sharded and values.quantized:
        yield (
            f"{values.accelerate_config} divides the weights, which a 4- or 8-bit base does not "
            "allow; choose multi_gpu or zero2, or a method that does not quantise, such as lora"
        )
    if not way.gpu or count:
        try:
            share(values, count or usual_count(values.accelerate_config))
        except ConfigError as error:
            yield str(error).removesuffix(".")


def usual_count(name: str) -> int:
    """The number of processes that a config names."""
    return yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))["num_processes"]


def share(recipe: Any, processes: int) -> dict[str, int]:
    """What each of several processes takes of a step's rows, as changes to the recipe.

    Fewer accumulations first, then fewer rows at once.
    """
    batch, times = recipe.per_device_train_batch_size, recipe.gradient_accumulation_steps
    fewer = math.gcd(times, processes)
    rest = processes // fewer
    if batch % rest:
        raise ConfigError(
            f"A step's {batch * times} rows cannot be divided among {processes} processes; set "
            f"gradient_accumulation_steps to a multiple of {processes}."
        )
    if processes > 1 and recipe.objective == "kto" and batch // rest < 2:
        raise ConfigError(
            f"KTO needs two rows at once, and {processes} processes would have {batch // rest} "
            "each; raise per_device_train_batch_size or gradient_accumulation_steps."
        )
    return {
        "per_device_train_batch_size": batch // rest,
        "gradient_accumulation_steps": times // fewer,
    }
