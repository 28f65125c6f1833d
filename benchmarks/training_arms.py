"""The arms of `benchmarks.training`: one small run, here and by stock TRL, on random weights."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from studio.core.model_names import resolve
from studio.models import loading
from studio.models.pool import LoadedModel
from studio.runs import methods
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.training import trainers

VOCABULARY = 32_000


@dataclass(frozen=True)
class Took:
    """One pass of an arm: processor seconds, tokens that are no padding, losses step by step."""

    seconds: float
    tokens: float
    losses: list[float]


Arm = Callable[[], Took]


def base() -> LoadedModel:
    """The built-in model's shape with a 32,000-token vocabulary, random weights."""
    location = resolve("pocket").location
    config = LlamaConfig.from_pretrained(location, vocab_size=VOCABULARY, dtype="float32")
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).requires_grad_(False).eval()
    tokenizer = AutoTokenizer.from_pretrained(location)
    return LoadedModel(("bench",), "bench", model, tokenizer, "bench", location)


def rows(objective: str, count: int) -> Dataset:
    """Prompts twice as long as answers, lengths lognormal, as instruction data has them."""
    lengths = torch.distributions.LogNormal(2.6, 0.8)
    torch.manual_seed(1)

    def words(scale: int) -> str:
        return " ".join(["the old baker"] * max(1, int(lengths.sample() * scale / 3)))

    plain = [{"prompt": words(2), "completion": words(1)} for _ in range(count)]
    if objective == "sft":
        return Dataset.from_list(plain)
    return Dataset.from_list(
        [{"prompt": r["prompt"], "chosen": r["completion"], "rejected": words(1)} for r in plain]
    )


def recipe_of(objective: str, **changes: Any) -> Recipe:
    usual = {
        "max_length": 512,
        "per_device_train_batch_size": 8,
        "num_train_epochs": 1.0,
        "learning_rate": 1e-3,
        "sample_steps": 0,
        "save_steps": 100_000,
        "logging_steps": 1,
    }
    return Recipe.defaults(objective, **{**usual, **changes})


def here(
    resident: LoadedModel, recipe: Recipe, data: Dataset, references: Path | None = None
) -> Arm:
    """The studio's way."""

    def arm() -> Took:
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            return _run(
                trainers.build(
                    recipe, resident, None, data, None, Path(folder) / "c", [], references
                ),
                began,
            )

    return arm


def stock(resident: LoadedModel, recipe: Recipe, data: Dataset, **changes: Any) -> Arm:
    """TRL with its own defaults (checkpointing on, every position scored), the same recipe else."""

    def arm() -> Took:
        trainer_class, config_class = OBJECTIVES[recipe.objective].classes()
        with tempfile.TemporaryDirectory() as folder:
            settings = trainers.settings(recipe, len(data), False)
            for ours in ("gradient_checkpointing", "activation_checkpointing"):
                settings.pop(ours)
            if recipe.objective == "dpo":
                settings["precompute_ref_log_probs"] = False
            began = time.process_time()
            trainer = trainer_class(
                model=loading.clone_sharing_weights(resident.model),
                args=config_class(output_dir=folder, **{**settings, **changes}),
                train_dataset=data,
                processing_class=resident.tokenizer,
                peft_config=methods.peft_config(recipe),
            )
            return _run(trainer, began)

    return arm


def _run(trainer: Any, began: float) -> Took:
    trainer.train()
    seconds = time.process_time() - began
    columns = [name for name in trainer.train_dataset.column_names if name.endswith("_ids")]
    held = trainer.train_dataset.select_columns(columns)
    tokens = sum(len(ids) for row in held for ids in row.values())
    logs = trainer.state.log_history
    return Took(
        seconds, tokens * trainer.args.num_train_epochs, [x["loss"] for x in logs if "loss" in x]
    )


def sweep(ways: list[Arm]) -> Arm:
    """Several runs, one after another, as one arm."""

    def arm() -> Took:
        found = [way() for way in ways]
        return Took(
            sum(took.seconds for took in found),
            sum(took.tokens for took in found),
            [loss for took in found for loss in took.losses],
        )

    return arm
