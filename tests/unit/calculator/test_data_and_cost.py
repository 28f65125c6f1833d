"""Time and cost: from the dataset's own rows, earlier runs' events, a price table."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.memory import Measured, Setting, fit, report
from studio.calculator import estimate, formatting
from studio.calculator.dataset_lengths import Lengths, of_rows
from studio.calculator.measured_speed import earlier_speed
from studio.calculator.prices import keep_prices, prices
from studio.calculator.reference_points import MEASURED, RULES_OF_THUMB
from studio.core.errors import ConfigError
from studio.core.workspace import Workspace
from studio.runs.recipe import Recipe
from tests.unit.calculator.conftest import TINY

CHATS = [
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "x " * n}]}
    for n in range(1, 41)
]


def test_lengths_are_the_trainers():
    from studio.core.model_names import resolve
    from studio.data.tokens.token_view import encode
    from studio.models import loading

    tokenizer = loading.load_tokenizer(resolve("pocket"))
    wanted = [len(row[0].ids) for row in encode(CHATS, "conversational", tokenizer)]
    found = of_rows(lambda: CHATS, "chats", "conversational", "pocket")
    assert found.basis == "the model's own tokenizer"
    assert found.mean(10_000) == pytest.approx(np.mean(wanted))
    assert found.mean(20) == pytest.approx(np.minimum(wanted, 20).mean())
    rough = of_rows(lambda: CHATS, "chats", "conversational", "no/such-tokenizer")
    assert rough.basis == "four characters a token"


def test_padding_is_the_expected_longest_of_a_batch():
    size = np.array([[10], [20], [30], [40]])
    found = Lengths(4, size, size // 2, "by hand")
    assert found.padded(100, 1) == pytest.approx(25)
    draws = np.random.default_rng(0).choice(size[:, 0], (200_000, 3)).max(axis=1)
    assert found.padded(100, 3) == pytest.approx(draws.mean(), rel=0.01)
    assert found.padded(15, 3) == pytest.approx(15, rel=0.1)
    assert found.mean_trained(25) == pytest.approx((5 + 10 + 10 + 5) / 4)
    assert "50 % of the rows are cut" in found.words(25)


def test_a_run_over_measured_rows():
    size = np.full((100, 2), 50)
    found = Lengths(1000, size, size // 2, "by hand")
    settings = {"card": "L4", "lengths": found, "num_train_epochs": 1.0, "objective": "dpo"}
    cost = estimate(TINY, **settings).cost
    assert (cost.steps, cost.tokens, cost.trained) == (125, (100_000, 100_000), 50_000)
    packed = estimate(TINY, **(settings | {"objective": "sft"}), packing=True).cost
    assert packed.steps == 25


def test_kto_takes_pairs_apart():
    size = np.array([[50, 30]] * 100)
    found = Lengths(100, size, size // 2, "by hand")
    cost = estimate(TINY, card="L4", lengths=found, num_train_epochs=1.0, objective="kto").cost
    assert (cost.steps, cost.tokens[0], cost.trained) == (25, 8_000, 4_000)


def test_an_earlier_run_of_that_shape_says_how_fast():
    recipe = Recipe.defaults()
    logs = [{"kind": "log", "time": 10.0 * i, "num_tokens": 1000.0 * i} for i in range(1, 8)]
    logs[0]["time"] = 0  # the first stretch warms up
    run = SimpleNamespace(
        name="first",
        model=recipe.model_name_or_path,
        method=recipe.method,
        recipe=recipe,
        objective="sft",
        state="finished",
        events=lambda: (logs, 0),
    )
    assert earlier_speed([run], recipe).tokens_per_second == pytest.approx(100)
    assert earlier_speed([run], recipe.with_(max_length=64)) is None
    assert earlier_speed([run], Recipe.defaults("dpo")) is None


def test_prices_are_kept_in_the_workspace(tmp_path):
    home = Workspace(tmp_path)
    assert prices(home)["L4 24 GB"] == 0.8
    kept = keep_prices(home, [("L4 24 GB", "$0.55"), ("T4 16 GB", "")])
    assert (kept["L4 24 GB"], kept["T4 16 GB"], kept["A100 80 GB"]) == (0.55, None, 2.5)
    assert prices(home) == kept
    with pytest.raises(ConfigError, match="The price of L4 24 GB is 'much'"):
        keep_prices(home, [("L4 24 GB", "much")])
    with pytest.raises(ConfigError, match=r"no card 'L5'"):
        keep_prices(home, [("L5", 1)])
    assert formatting.money(0.001, 0.004) == "under 0.01"
    assert formatting.money(0.002, 0.034) == "up to 0.03"


@pytest.mark.parametrize("point", (*MEASURED, *RULES_OF_THUMB), ids=lambda point: point.label)
def test_known_figures_are_met(point):
    assert abs(point.error()) < 0.15


def test_the_readme_has_the_table_and_the_plot():
    from pathlib import Path

    from benchmarks.estimates import plot, table

    root = Path(__file__).resolve().parents[3]
    assert table() in (root / "README.md").read_text(encoding="utf-8")
    assert plot() == (root / "docs/images/memory.svg").read_text(encoding="utf-8")


def test_the_overhead_is_fitted_on_one_half_and_judged_on_the_other():
    setting = Setting("a/b", "sft", "lora", 256, 1, False)
    points = [
        Measured(setting, 10**9 + 11 * n * 10**8, 0, n * 10**9, 5 * 10**8) for n in range(1, 13)
    ]
    found = fit(points)
    assert found.constant == pytest.approx(1e9) and found.factor == pytest.approx(1.1)
    assert found.error_after < 1e-6 < found.error_before
    assert "with the fit" in report(points)
