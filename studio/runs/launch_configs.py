"""Launch configurations for several processes, and what each supports. Imports no torch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from studio.core.errors import ConfigError
from studio.core.workspace import PRESETS
from studio.runs.fields import RecipeFields
from studio.runs.methods import METHODS, PROMPTED, is_quantized

CONFIGS = PRESETS / "accelerate"
SINGLE = "single"
_SHARDABLE = ("adamw_torch_fused", "auto", "adamw_torch", "sgd", "adagrad", "rmsprop")
"""Optimizers of PyTorch itself: the others take plain tensors, not FSDP's."""
_UNSHARDED = (*PROMPTED, "vera", "adalora", "oft", "llama_adapter")
"""Methods whose tensors PEFT computes with outside of the modules that FSDP gathers."""
PORT = 29500  # of machine 0, accelerate's own default
_ADDRESS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:_-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class LaunchConfig:
    """One launch configuration; `sharded` ones shard the weights, `needs` is an extra package."""

    label: str
    gpu: bool = True
    sharded: bool = False
    needs: str = ""

    @property
    def fsdp(self) -> bool:
        return self.sharded and not self.needs


LAUNCH_CONFIGS = {
    SINGLE: LaunchConfig("One process", gpu=False),
    "multi_cpu": LaunchConfig("Processes on the CPU", gpu=False),
    "multi_gpu": LaunchConfig("Every GPU (DDP)"),
    "fsdp2": LaunchConfig("Every GPU, sharded weights (FSDP)", sharded=True),
    "fsdp2_cpu": LaunchConfig(
        "Processes on the CPU, sharded weights (FSDP)", gpu=False, sharded=True
    ),
    "zero2": LaunchConfig("Every GPU, DeepSpeed ZeRO-2", needs="deepspeed"),
    "zero3": LaunchConfig(
        "Every GPU, sharded weights (DeepSpeed ZeRO-3)", sharded=True, needs="deepspeed"
    ),
}


def validation_errors(values: RecipeFields) -> Iterator[str]:
    """Why this recipe cannot be launched this way: sentences without their period."""
    way, count = LAUNCH_CONFIGS[values.accelerate_config], values.num_processes
    yield from _machine_refusals(values)
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
    if way.fsdp and values.method in _UNSHARDED:
        yield (
            f"FSDP cannot shard what {METHODS[values.method].label} trains; choose multi_gpu, or "
            "lora"
        )
    if way.fsdp and values.optim not in _SHARDABLE:
        yield (
            f"optim {values.optim} cannot update weights that {values.accelerate_config} shards; "
            f"choose {_SHARDABLE[0]}"
        )
    if way.sharded and values.trainable_token_indices:
        yield (
            f"PEFT cannot train single tokens of weights that {values.accelerate_config} shards; "
            "choose multi_gpu, or leave trainable_token_indices empty"
        )
    if way.sharded and values.precompute_ref_log_probs:
        yield (
            f"precompute_ref_log_probs needs the whole model in each process, and "
            f"{values.accelerate_config} shards it; leave it empty"
        )
    yield from _quantized_refusals(values, way)
    if not way.gpu or count:
        try:
            share(values, count or usual_count(values.accelerate_config) * values.num_machines)
        except ConfigError as error:
            yield str(error).removesuffix(".")


def _machine_refusals(values: RecipeFields) -> Iterator[str]:
    machines, processes = values.num_machines, values.num_processes
    if values.machine_rank >= machines:
        numbers = f"from 0 to {machines - 1}" if machines > 1 else "0"
        yield f"machine_rank is {values.machine_rank}, and the machines are numbered {numbers}"
    if machines == 1:
        for name in ("main_process_ip", "main_process_port"):
            if getattr(values, name) is not None:
                yield f"{name} is for several machines; set num_machines, or leave it empty"
        return
    if values.accelerate_config == SINGLE:
        yield "num_machines needs an accelerate_config, such as multi_gpu"
    if LAUNCH_CONFIGS[values.accelerate_config].needs:
        yield (
            "DeepSpeed keeps a share of every checkpoint on each machine; choose fsdp2 or "
            "multi_gpu for several machines"
        )
    if not values.main_process_ip:
        yield f"main_process_ip is missing: name machine 0 as the other {machines - 1} reach it"
    elif not _ADDRESS.fullmatch(values.main_process_ip):
        yield f"main_process_ip cannot be {values.main_process_ip!r}: give a host name or an IP"
    if processes and processes % machines:
        yield (
            f"{processes} processes cannot be divided evenly among {machines} machines; make "
            "num_processes a multiple of num_machines"
        )


def _quantized_refusals(values: RecipeFields, way: LaunchConfig) -> Iterator[str]:
    if not way.sharded or not is_quantized(values):
        return
    if not way.fsdp or values.load_in_8bit or values.method == "loftq":
        bits = "an 8-bit base" if values.load_in_8bit else "a 4-bit base"
        bits = "a base that LoftQ changes" if values.method == "loftq" else bits
        yield (
            f"{values.accelerate_config} shards the weights, which {bits} does not allow; choose "
            "multi_gpu or zero2, qlora with fsdp2, or a method that does not quantize, such as lora"
        )


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
