"""Build a TRL trainer from a recipe; TRL does the training."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, DatasetDict
from peft import PeftModel
from transformers import GenerationConfig, TrainerCallback
from transformers.integrations import TensorBoardCallback

from studio.core import compat, rope
from studio.core.device_errors import is_out_of_memory
from studio.core.errors import ConfigError, TrainingError
from studio.core.library_types import LanguageModel, Tokenizer, Trainer
from studio.core.workspace import put_in_place, write_json
from studio.models import loading, sharding, tokenization, trained_tokens
from studio.models.pool import LoadedModel
from studio.rewards import WeightedReward
from studio.runs import checkpoints, launch_configs
from studio.runs.defaults import optimizer
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.runs.steps import planned_steps, warmup_steps
from studio.training import encoder_trainer, initial_model, online_rl, precision
from studio.training.encoder_rows import Tell
from studio.training.held_out import EarlyStopping
from studio.training.padding_free import use_padding_free
from studio.training.ref_logps_cache import ReferenceCache, reference_key
from studio.training.trainer_mixin import AdaLoraCallback, with_mixin

_OURS = {
    "name",
    "objective",
    "method",
    "start_from",
    "start_as",
    "sample_steps",
    "report_to",
    "chat_template_path",
    "reward_funcs",
    "teacher_model_name_or_path",  # it comes loaded
    "teacher_load_in_4bit",
    "judge_rubric",
    "judge_max_new_tokens",
    # Rows come tokenized where answers alone are trained, see `chat_rows`.
    "assistant_only_loss",
    "mask_history",
    # The rows come mixed.
    "datasets",
    "mixture",
    "stopping_strategy",
}
# chat_template_path is TRL's name, but the tokenizer comes dressed: it may be one of ours by name.
_LISTS = ("loss_weights", "reward_weights")


def settings(recipe: Recipe, rows: int, has_eval: bool, processes: int = 1) -> dict[str, Any]:
    """Arguments for TRL's config: every recipe field that it has, under the same name.

    Several processes divide a step's rows, and a held-out batch's, among them.
    """
    _, config = OBJECTIVES[recipe.objective].classes()
    known = {field.name for field in dataclasses.fields(config)}
    values = {
        key: list(value) if key in _LISTS and value else value
        for key, value in recipe.model_dump().items()
        if key in known and key not in _OURS and value is not None
    }
    losses = list(recipe.loss_type)
    if not losses:  # TRL's configs have a default also where an objective has but one loss
        values.pop("loss_type", None)
    elif "loss_type" in values:
        values["loss_type"] = losses if recipe.objective == "dpo" else losses[0]
    steps = planned_steps(recipe, rows)
    if "precompute_ref_log_probs" in known:
        values["precompute_ref_log_probs"] = scores_ahead(recipe)
    values["warmup_steps"] = warmup_steps(recipe, steps)
    values |= _device_settings(recipe) | _keeping(recipe, steps, has_eval)
    values |= launch_configs.share(recipe, processes)
    values |= {
        "per_device_eval_batch_size": max(1, recipe.per_device_train_batch_size // processes),
        "logging_nan_inf_filter": False,  # a NaN must be seen, not smoothed away
        "logging_first_step": True,
        "report_to": list(recipe.report_to) or "none",
        "run_name": recipe.name or None,  # what trackers call it
        "disable_tqdm": True,
        # TRL turns checkpointing on by default under its older name; both must say the same.
        "gradient_checkpointing": recipe.activation_checkpointing,
        "activation_checkpointing": recipe.activation_checkpointing,
    }
    if OBJECTIVES[recipe.objective].online:
        values |= online_rl.settings(recipe)
    return values


def _device_settings(recipe: Recipe) -> dict[str, Any]:
    return {
        **precision.training_arguments(recipe),
        "optim": optimizer(recipe, loading.device().type),
        "dataloader_num_workers": 0,  # workers forked from a thread can hang
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def _keeping(recipe: Recipe, steps: int, has_eval: bool) -> dict[str, Any]:
    """When to save and to evaluate; the best one can be kept only where both fall together."""
    save = recipe.save_steps or max(1, -(-steps // 10))
    if not recipe.load_best_model_at_end:
        every = ("steps" if recipe.eval_steps else "epoch") if has_eval else "no"
        return {"save_strategy": "steps", "save_steps": save, "eval_strategy": every}
    if not has_eval:
        raise ConfigError(
            "load_best_model_at_end compares held-out losses, and this dataset has no test split; "
            "prepare it with one, or set load_best_model_at_end: false."
        )
    often = recipe.eval_steps or save
    rewarded = OBJECTIVES[recipe.objective].rewarded
    return {
        "save_strategy": "steps",
        "save_steps": max(1, round(save / often)) * often,
        "eval_strategy": "steps",
        "eval_steps": often,
        "metric_for_best_model": "eval_reward" if rewarded else "eval_loss",
        "greater_is_better": rewarded,
    }


def scores_ahead(recipe: Recipe) -> bool:
    """Whether the reference is scored once before training: it pays from the second pass on."""
    if launch_configs.LAUNCH_CONFIGS[recipe.accelerate_config].sharded:
        return False  # no process holds the model whole before training
    if recipe.trainable_token_indices and recipe.continues:
        return False  # TRL's reference has the right tokens only once the trainer is made
    if recipe.precompute_ref_log_probs is not None:
        return recipe.precompute_ref_log_probs
    return recipe.num_train_epochs > 1 and recipe.max_steps < 0


def build(
    recipe: Recipe,
    resident: LoadedModel,
    parent_adapter: Path | None,
    train: Dataset,
    evaluation: Dataset | DatasetDict | None,
    folder: Path,
    callbacks: list[TrainerCallback],
    references: Path | None = None,
    processes: int = 1,
    reward: WeightedReward | None = None,
    teacher: LanguageModel | None = None,
    tell: Tell = lambda kind, **event: None,
) -> Trainer:
    """A ready trainer of the recipe's objective; `references` is where scores are kept.

    One of several `processes` trains on its share of every step. `reward` is what an objective
    that tries answers learns from, `teacher` the model that a student does. `tell` takes the events
    of what comes before the first step.

    Preference learning without a parent takes the base as reference (the adapter off); with one,
    TRL freezes a copy of the parent's adapter and goes on training it.
    """
    online_rl.check_vllm(recipe)  # a resumed run may have moved to another machine
    trainer_class, config_class = OBJECTIVES[recipe.objective].classes()
    here = loading.device()  # transformers turns to the first GPU when it reads its arguments
    chosen = settings(recipe, len(train), evaluation is not None, processes)
    start = initial_model.begin(recipe, resident, parent_adapter, planned_steps(recipe, len(train)))
    if OBJECTIVES[recipe.objective].embeds:
        made = encoder_trainer.build(
            recipe, resident, start.model, train, evaluation, folder, callbacks, chosen, tell
        )
        _keep_tracks(made, folder.parent / "tensorboard")
        return made
    if recipe.early_stopping_patience:
        callbacks.append(EarlyStopping(recipe.early_stopping_patience))
    given: dict[str, Any] = {
        "model": start.model,
        "args": compat.one_device(config_class(output_dir=str(folder), **chosen), here),
        "train_dataset": train,
        "eval_dataset": evaluation,
        "processing_class": resident.tokenizer,
        "callbacks": callbacks,
        "peft_config": start.config,
        **_taught_by(start, reward, teacher),
    }
    if reward is not None and start.reference is not None:  # see online_rl.set_ref_model
        given["args"].beta = 0.0
    kind = with_mixin(trainer_class)
    trainer = kind.__new__(kind)  # scoring the reference is part of TRL's __init__
    trainer.recipe = recipe
    if references is not None:
        trainer.calibration = references.parent
        key = reference_key(recipe, resident.fingerprint, parent_adapter)
        trainer.references = ReferenceCache(references, key)
    _initialize(trainer, given)
    _check_rows(trainer, recipe)
    _fix_peft_trl(trainer, recipe, resident)
    _keep_tracks(trainer, folder.parent / "tensorboard")
    if reward is not None and start.reference is not None:
        online_rl.set_ref_model(trainer, start.reference, recipe.beta)
    use_padding_free(trainer, recipe)
    if recipe.method == "adalora":
        trainer.add_callback(AdaLoraCallback(trainer.model))
    if METHODS[recipe.method].moves_base and trainer.is_world_process_zero():
        _keep_initial(trainer.model, folder.parent / "initial")
    return trainer


def _taught_by(
    start: initial_model.Start, reward: WeightedReward | None, teacher: LanguageModel | None
) -> dict[str, Any]:
    """What a trainer learns from besides rows: a teacher, rewards, or a reference model."""
    found: dict[str, Any] = {} if teacher is None else {"teacher_model": teacher}
    if reward is not None:
        return found | {"reward_funcs": online_rl.functions(reward)}
    return found if start.reference is None else found | {"ref_model": start.reference}


def _initialize(trainer: Trainer, given: dict[str, Any]) -> None:
    """TRL's own `__init__`; a `TrainingError` holds what it refuses."""
    known = trainer.references.key if trainer.references else None
    try:
        with compat.reference_known_as(known):
            trainer.__init__(**given)
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        if is_out_of_memory(error):
            raise
        raise TrainingError(f"TRL cannot start this run: {_first_line(error)}") from error


def _check_rows(trainer: Trainer, recipe: Recipe) -> None:
    """Refuse a run without a trained token; count the steps of packed rows, known only now."""
    rows = len(trainer.train_dataset)
    if not rows:
        raise TrainingError(
            f"No row has a trained token within {recipe.max_length} tokens: the prompts alone fill "
            "them. Raise max_length, or look at the rows in Data's token view."
        )
    if recipe.packing:
        trainer.args.warmup_steps = warmup_steps(recipe, planned_steps(recipe, rows))


def _fix_peft_trl(trainer: Trainer, recipe: Recipe, resident: LoadedModel) -> None:
    """Fix what PEFT and TRL do to one another's models."""
    if recipe.method == "llama_adapter":
        compat.refresh_adaption_prompt(trainer)
    trained_tokens.fit_to_trl(trainer.model)
    # TRL casts the adapter of a quantized base to bfloat16, where small updates are lost.
    precision.keep_trained_in_float32(trainer.model)
    sharding.give_addresses(trainer.model)


def _keep_tracks(trainer: Trainer, folder: Path) -> None:
    """Keep TensorBoard's events beside the checkpoints folder, where they are not taken for one."""
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(folder)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


def _keep_initial(model: PeftModel, folder: Path) -> None:
    """The adapter as it began, so that what is learned can be told from it (see `save_result`)."""
    config = model.peft_config["default"]
    start, config.init_lora_weights = config.init_lora_weights, True  # pyright: ignore[reportAttributeAccessIssue]
    model.save_pretrained(str(folder), selected_adapters=["default"])
    config.init_lora_weights = start  # pyright: ignore[reportAttributeAccessIssue]


def save_result(trainer: Trainer, recipe: Recipe, tokenizer: Tokenizer, run_folder: Path) -> None:
    """The adapter (or the whole model) with its tokenizer, complete or not there at all.

    A method that moved the base is saved as a plain LoRA on the base as it was (PEFT's conversion:
    twice the rank), so that everything else can use it like any other.
    """
    name = "adapter" if recipe.uses_adapter else "model"
    if OBJECTIVES[recipe.objective].embeds:
        temporary = run_folder / f".{name}.part"
        trainer.save_weights(str(temporary))
        _replace(temporary, run_folder / name)
        return
    # Where the weights are divided among processes, all of them hand over what they hold.
    state = sharding.gathered(trainer, recipe.uses_adapter)
    if not trainer.is_world_process_zero():
        return
    temporary = run_folder / f".{name}.part"
    how: dict[str, Any] = {}
    if recipe.uses_adapter:
        how["selected_adapters"] = ["default"]
    if METHODS[recipe.method].moves_base:
        how["path_initial_model_for_weight_conversion"] = str(run_folder / "initial")
    if OBJECTIVES[recipe.objective].answers:
        _keep_stops(trainer, tokenizer, temporary if recipe.uses_adapter else None)
    trainer.model.save_pretrained(str(temporary), state_dict=state, **how)
    tokenizer.save_pretrained(temporary)
    if recipe.uses_adapter and recipe.rope_parameters:
        write_json(temporary / rope.FILE, rope.overrides(trainer.model.config))
    _replace(temporary, run_folder / name)


def _keep_stops(trainer: Trainer, tokenizer: Tokenizer, adapter: Path | None) -> None:
    """Name the tokens that end an answer in `generation_config.json`, so that other programs stop
    there; beside an adapter PEFT writes none."""
    stops = tokenization.stop_ids(trainer.model, tokenizer)
    trainer.model.generation_config.eos_token_id = stops
    if adapter is not None:
        config = GenerationConfig(eos_token_id=stops, pad_token_id=tokenizer.pad_token_id)
        config.save_pretrained(str(adapter))


def _replace(source: Path, target: Path) -> None:
    checkpoints.mark_complete(source)
    if target.exists():
        shutil.rmtree(target)
    put_in_place(source, target)
