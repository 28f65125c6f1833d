"""Recipe -> TRL trainer. TRL does the training; this only hands it what the recipe says."""

from __future__ import annotations

import copy
import dataclasses
import shutil
from pathlib import Path
from typing import Any

import torch
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from studio.errors import TrainingError
from studio.models import loading
from studio.models.pool import Resident
from studio.recipe import Recipe
from studio.training import checkpoints, methods

_OURS = {"name", "objective", "method", "start_from", "sample_steps", "chat_template_path"}
# chat_template_path is TRL's name, but the tokenizer comes dressed: it may be one of ours by name.


def model_for(recipe: Recipe, resident: Resident, parent_adapter: Path | None) -> Any:
    """What the trainer gets: a weight-sharing clone, with the parent's adapter when it goes on.

    A full fine-tune changes its weights, so it takes a copy of its own.
    """
    if recipe.method == "full":
        model = copy.deepcopy(resident.model)
        model.requires_grad_(True)
        return model
    clone = loading.share(resident.model)
    if parent_adapter is not None:
        return loading.load_adapter(clone, parent_adapter, trainable=True)
    return clone


def arguments(recipe: Recipe, folder: Path, rows: int, has_eval: bool) -> Any:
    """TRL's SFTConfig or DPOConfig: every knob of the recipe that it knows, under the same name."""
    config = SFTConfig if recipe.objective == "sft" else DPOConfig
    known = {field.name for field in dataclasses.fields(config)}
    values = {
        key: value
        for key, value in recipe.model_dump().items()
        if key in known and key not in _OURS and value is not None
    }
    for key in ("loss_type", "loss_weights"):
        if recipe.objective == "sft":
            values.pop(key, None)
        elif key in values:
            values[key] = list(values[key])
    steps = planned_steps(recipe, rows)
    on_cpu = loading.device().type == "cpu"
    values |= {
        "output_dir": str(folder),
        "use_cpu": on_cpu,
        "bf16": not on_cpu and loading.weights_dtype(recipe.dtype) is torch.bfloat16,
        "fp16": not on_cpu and loading.weights_dtype(recipe.dtype) is torch.float16,
        "tf32": torch.cuda.is_available() or None,
        "save_strategy": "steps",
        "save_steps": recipe.save_steps or max(1, -(-steps // 10)),
        "eval_strategy": ("steps" if recipe.eval_steps else "epoch") if has_eval else "no",
        "per_device_eval_batch_size": recipe.per_device_train_batch_size,
        "logging_nan_inf_filter": False,  # a NaN must be seen, not smoothed away
        "logging_first_step": True,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_num_workers": 0,  # workers forked from a thread can hang
        "dataloader_pin_memory": torch.cuda.is_available(),
        "gradient_checkpointing": recipe.activation_checkpointing,
    }
    # TRL turns checkpointing on by default under its older name; both must say the same.
    values["activation_checkpointing"] = recipe.activation_checkpointing
    return config(**values)


def planned_steps(recipe: Recipe, rows: int) -> int:
    """Optimizer steps that a recipe takes over so many rows (one process, no packing)."""
    if recipe.max_steps > 0:
        return recipe.max_steps
    batches = -(-rows // recipe.per_device_train_batch_size)
    per_epoch = max(1, -(-batches // recipe.gradient_accumulation_steps))
    return max(1, round(per_epoch * recipe.num_train_epochs))


def build(
    recipe: Recipe, resident: Resident, parent_adapter: Path | None,
    train: Any, evaluation: Any, folder: Path, callbacks: list[Any],
) -> Any:  # fmt: skip
    """A ready SFTTrainer or DPOTrainer.

    DPO without a parent takes the base as reference (the adapter off); with one, TRL freezes a
    copy of the parent's adapter and goes on training it.
    """
    model = model_for(recipe, resident, parent_adapter)
    fresh = recipe.uses_adapter and parent_adapter is None
    settings: dict[str, Any] = {
        "model": model,
        "args": arguments(recipe, folder, len(train), evaluation is not None),
        "train_dataset": train,
        "eval_dataset": evaluation,
        "processing_class": resident.tokenizer,
        "callbacks": callbacks,
        "peft_config": methods.peft_config(recipe) if fresh else None,
    }
    if recipe.objective == "dpo" and recipe.method == "full":
        settings["ref_model"] = loading.share(resident.model)
    trainer = SFTTrainer if recipe.objective == "sft" else DPOTrainer
    try:
        return trainer(**settings)
    except (ValueError, TypeError, RuntimeError) as error:
        raise TrainingError(f"TRL cannot start this run: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


def save_result(trainer: Any, recipe: Recipe, tokenizer: Any, run_folder: Path) -> None:
    """The adapter (or the whole model) with its tokenizer, complete or not there at all."""
    name = "adapter" if recipe.uses_adapter else "model"
    temporary = run_folder / f".{name}.part"
    if recipe.uses_adapter:
        trainer.model.save_pretrained(temporary, selected_adapters=["default"])
    else:
        trainer.model.save_pretrained(temporary)
    tokenizer.save_pretrained(temporary)
    _replace(temporary, run_folder / name)


def _replace(source: Path, target: Path) -> None:
    checkpoints.seal(source)
    if target.exists():
        shutil.rmtree(target)
    source.rename(target)
