"""The speed of earlier runs of the same shape."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from studio.calculator.measured_speed import earlier_speed
from studio.runs.recipe import Recipe


def run_of(recipe, seconds, name="first"):
    logs = [
        {"kind": "log", "time": time, "num_tokens": 1000.0 * index}
        for index, time in enumerate(seconds)
    ]
    return SimpleNamespace(
        name=name,
        model=recipe.model_name_or_path,
        method=recipe.method,
        recipe=recipe,
        objective=recipe.objective,
        state="finished",
        events=lambda: (logs, 0),
    )


def test_an_earlier_run_of_that_shape_says_how_fast():
    recipe = Recipe.defaults()
    run = run_of(recipe, [0, 100, 110, 120, 130, 140])  # the first interval warms up
    found = earlier_speed([run], recipe)
    assert found.tokens_per_second == pytest.approx(100) and found.run == "first"
    assert earlier_speed([run], recipe.with_(max_length=64)) is None
    assert earlier_speed([run], Recipe.defaults("dpo")) is None


def test_the_newest_run_with_enough_logs_counts():
    recipe = Recipe.defaults()
    short = run_of(recipe, [0, 10], "short")
    newer = run_of(recipe, [0, 5, 10, 15, 20, 25], "newer")
    older = run_of(recipe, [0, 9, 18, 27, 36, 45], "older")
    assert earlier_speed([short, newer, older], recipe).run == "newer"
