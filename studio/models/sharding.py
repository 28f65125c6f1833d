"""Loading a model that several processes divide among them, with FSDP 2 or DeepSpeed ZeRO-3.

No process keeps a whole copy. Under FSDP the first process of a machine reads the weights into main
memory, the others hold shapes only, and accelerate hands every process its shares
(`fsdp_cpu_ram_efficient_loading`). Under ZeRO-3 transformers divides each weight as it reads it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import (
    DeepSpeedPlugin,
    DistributedType,
    FullyShardedDataParallelPlugin,
    disable_fsdp_ram_efficient_loading,
    enable_fsdp_ram_efficient_loading,
)
from torch import nn
from transformers.integrations import is_deepspeed_zero3_enabled, is_fsdp_enabled

from studio.core.library_types import LanguageModel, Trainer


def join(on_cpu: bool) -> object:
    """Join the other processes, so that `from_pretrained` knows that the weights are divided.

    Returns what must be kept until the trainer has read its own settings: transformers refers to
    DeepSpeed's settings weakly.
    """
    state = PartialState(cpu=on_cpu)
    if state.distributed_type is not DistributedType.DEEPSPEED:
        return state
    plugin = DeepSpeedPlugin()
    plugin.set_deepspeed_weakref()
    return plugin


def placement(on: torch.device, quantized: bool) -> dict[str, Any]:
    """The `device_map` that `from_pretrained` needs to load for this process, where it needs one.

    A quantized model is read whole by every process: accelerate does not hand out 4-bit weights.
    """
    if is_deepspeed_zero3_enabled():  # which refuses a device_map
        return {}
    if is_fsdp_enabled() and not quantized:
        return {} if os.environ.get("LOCAL_RANK") == "0" else {"device_map": {"": "meta"}}
    if quantized or on.type != "cpu":
        # Straight to the device, so that the host never holds the whole model.
        return {"device_map": {"": on}}
    return {}


def give_addresses(model: LanguageModel) -> None:
    """Give tensors without storage one of their own, which is never filled.

    accelerate tells an optimizer's tensors apart by their addresses, and shapes alone have none.
    Memory that nothing has written to takes none.
    """
    given: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, tensor in list(module.named_parameters(recurse=False)):
            if tensor.is_meta:
                if id(tensor) not in given:  # a tied weight has two names
                    empty = torch.empty_like(tensor, device="cpu")
                    given[id(tensor)] = nn.Parameter(empty, tensor.requires_grad)
                setattr(module, name, given[id(tensor)])


@contextlib.contextmanager
def everywhere() -> Generator[None]:
    """Within this, FSDP's processes each load a model whole.

    For a reference model: TRL divides it from what each process holds, and hands nothing out.
    """
    divided = is_fsdp_enabled()
    if divided:
        disable_fsdp_ram_efficient_loading()
    try:
        yield
    finally:
        if divided:
            enable_fsdp_ram_efficient_loading()


def use_fsdp_on_cpu(trainer: Trainer) -> None:
    """Let accelerate divide a model among processes on the CPU, which it does on GPUs alone."""
    state = trainer.accelerator.state
    wanted = os.environ.get("ACCELERATE_USE_FSDP") == "true"
    if not wanted or state.distributed_type is not DistributedType.MULTI_CPU:
        return
    state.fsdp_plugin = FullyShardedDataParallelPlugin()
    if state.mixed_precision != "no":
        state.fsdp_plugin.set_mixed_precision(state.mixed_precision)
    state.distributed_type = PartialState().distributed_type = DistributedType.FSDP
    trainer.is_fsdp_enabled = True


def gathered(trainer: Trainer, trained_only: bool) -> dict[str, Any] | None:
    """The weights of a trainer whose processes divide them, on the first; None where none do.

    Every process must call it. `trained_only` leaves out what is frozen, which an adapter's file
    does not hold.
    """
    if trainer.is_deepspeed_enabled:
        whole = trainer.accelerator.get_state_dict(trainer.model_wrapped)
        return whole and _without_tied(whole, trainer.model)
    if not trainer.is_fsdp_enabled:
        return None
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    # Training is over: room for what is gathered.
    trainer.optimizer.state.clear()
    trainer.model.zero_grad(set_to_none=True)
    how = StateDictOptions(
        full_state_dict=True,
        cpu_offload=True,
        broadcast_from_rank0=True,
        ignore_frozen_params=trained_only,
    )
    return _without_tied(get_model_state_dict(trainer.model, options=how), trainer.model)


def _without_tied(state: dict[str, Any], model: LanguageModel) -> dict[str, Any]:
    """The state without second names of weights that have two, which files leave out."""
    seen: set[int] = set()
    second: set[str] = set()
    for name, tensor in model.named_parameters(remove_duplicate=False):
        if id(tensor) in seen:
            second.add(name)
        seen.add(id(tensor))
    return {name: tensor for name, tensor in state.items() if name not in second}
