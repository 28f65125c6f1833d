"""The batch size that fits: rows of a step stay as they are."""

from __future__ import annotations

from studio.calculator import GPUS
from studio.runs.recipe import Recipe
from studio.training.auto_batch_size import best_fit


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
