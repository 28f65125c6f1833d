"""Sweeps, presets and what fits: recipes made from recipes, nothing trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio import Studio
from studio.calculator import GPUS
from studio.core.errors import ConfigError
from studio.core.workspace import Workspace
from studio.runs.recipe import Recipe
from studio.runs.saved_recipes import Shelf
from studio.runs.store import Run
from studio.runs.sweep import sweep, values_of
from studio.training.auto_batch_size import best_fit

DPO = Recipe.defaults("dpo", name="mine")


# ---- sweeps -------------------------------------------------------------------------------------


def test_a_sweep_tries_every_combination():
    recipes = sweep(DPO, {"beta": [0.05, 0.1], "lora_r": [8, 16]})
    assert [(each.beta, each.lora_r) for each in recipes] == [
        (0.05, 8),
        (0.05, 16),
        (0.1, 8),
        (0.1, 16),
    ]
    assert recipes[0].name == "mine beta 0.05, lora_r 8"
    assert {each.learning_rate for each in recipes} == {DPO.learning_rate}


def test_a_value_given_twice_is_tried_once():
    assert len(sweep(DPO, {"beta": values_of("0.1 0.1, 0.2")})) == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "one knob, or of two"),
        ({"beta": []}, "one knob, or of two"),
        ({"beta": [1], "lora_r": [1], "seed": [1]}, "one knob, or of two"),
        ({"betta": [0.1]}, "Did you mean"),
        ({"dataset_name": ["a"]}, "cannot be swept"),
        ({"seed": range(40)}, "40 runs"),
        ({"beta": ["high"]}, "beta"),
    ],
)
def test_what_cannot_be_swept_is_refused(values: dict, said: str):
    with pytest.raises(ConfigError, match=said):
        sweep(DPO, values)


def test_values_are_read_as_people_type_them():
    assert values_of("1e-4, 5e-5") == [1e-4, 5e-5]
    assert values_of("8 16,32") == [8, 16, 32]
    assert values_of("cosine true") == ["cosine", True]


# ---- presets ------------------------------------------------------------------------------------


def test_a_preset_is_kept_and_found_again(tmp_path):
    shelf = Shelf(Workspace(tmp_path))
    slug = shelf.save("  My DPO / v2 ", DPO.with_(beta=0.3, start_from="run-1"))
    assert slug == "my-dpo-v2" and shelf.slugs() == [slug]
    kept = shelf.get(slug)
    assert (kept.beta, kept.name, kept.start_from) == (0.3, slug, None)
    assert shelf.get("pocket-sft").objective == "sft"
    shelf.delete(slug)
    assert shelf.slugs() == []


@pytest.mark.parametrize("name", ["", "///", "pocket-sft"])
def test_a_preset_needs_a_name_of_its_own(tmp_path, name: str):
    with pytest.raises(ConfigError):
        Shelf(Workspace(tmp_path)).save(name, DPO)


@pytest.mark.parametrize("slug", ["../../secrets", "no-such", "a/b"])
def test_what_is_no_preset_is_refused(tmp_path, slug: str):
    with pytest.raises(ConfigError):
        Shelf(Workspace(tmp_path)).get(slug)


# ---- what fits ----------------------------------------------------------------------------------


def test_what_fits_keeps_the_rows_of_a_step():
    recipe = Recipe.defaults(
        "sft", max_length=2048, per_device_train_batch_size=16, gradient_accumulation_steps=2
    )
    fit = best_fit(recipe, rows=1000, gpu=GPUS["T4 16 GB"])
    chosen = fit.recipe
    assert fit.fits
    assert chosen.per_device_train_batch_size * chosen.gradient_accumulation_steps == 32
    assert set(fit.changes) <= {
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "activation_checkpointing",
        "method",
        "load_in_4bit",
    }
    assert "Takes" in fit.sentence()


def test_answers_of_a_step_stay_as_many_in_what_fits():
    recipe = Recipe.defaults(
        "grpo",
        model_name_or_path="TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        reward_funcs=("exact",),
        per_device_train_batch_size=64,
        num_generations=8,
        max_length=1024,
        max_completion_length=512,
    )
    fit = best_fit(recipe, rows=500, gpu=GPUS["T4 16 GB"])
    chosen = fit.recipe
    assert fit.fits and chosen.num_generations == 8
    assert chosen.per_device_train_batch_size * chosen.gradient_accumulation_steps == 64
    assert "answers at once" in fit.sentence()
    assert any(
        "Generating completions: 64 completions x 1,024" in note for note in fit.estimate.notes
    )


def test_a_stop_does_not_wait_for_an_evaluation(studio: Studio, sft: Run, tmp_path: Path) -> None:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from studio.runs.events import EventLog
    from studio.training.callbacks import Progress

    progress = Progress(sft, studio.runs, EventLog(tmp_path / "events.jsonl"), lambda: None)
    for asked, evaluates in ((None, True), ("step", False), ("now", False)):
        progress.stopped, control = asked, TrainerControl(should_evaluate=True)
        progress.on_epoch_end(TrainingArguments(str(tmp_path)), TrainerState(), control)
        assert control.should_evaluate is evaluates
