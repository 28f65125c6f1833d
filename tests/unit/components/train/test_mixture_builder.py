"""Several datasets on the form: the text that counts, and what the model will see of each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components.train import form_options, mixture_builder, run_panel_html
from components.ui import recipe_fields
from studio.runs.recipe import Recipe

SHARE = {
    "name": "<b>mine</b>",
    "rows": 900,
    "of_rows": 1000,
    "tokens": 9000,
    "trained_tokens": 100,
    "share_of_rows": 0.9,
    "share_of_tokens": 0.75,
    "share_of_trained_tokens": 0.5,
}


@pytest.mark.parametrize(
    ("text", "chosen", "after"),
    [
        ("", "mine", ""),
        ("first; general:0.1", "mine", "mine:0.9; general:0.1"),
        ("mine:0.9; general:0.1", "mine", "mine:0.9; general:0.1"),
        ("first; general", None, "first; general"),
        ('{"path; general', "mine", '{"path; general'),  # what is wrong with it, the recipe says
    ],
)
def test_the_first_dataset_is_the_one_chosen_above(text: str, chosen: str, after: str) -> None:
    assert mixture_builder.with_first(text, chosen) == after


def test_a_mixture_goes_through_its_field_and_back() -> None:
    recipe = Recipe.of({"datasets": ["a, b.jsonl", "general:0.1"], "mixture": "interleave"})
    assert recipe_fields.read(recipe_fields.written(recipe)) == recipe


def test_shares_are_escaped_and_exact_on_hover() -> None:
    html = mixture_builder.table([SHARE])
    assert "&lt;b&gt;mine" in html and "<b>mine" not in html
    assert "900 of 1,000" in html and "90.0 %" in html and "width:75.00%" in html
    assert "9,000 tokens; 50.0 % of the trained ones" in html


def test_the_button_counts_datasets_and_the_estimate_their_rows(monkeypatch) -> None:
    studio: Any = None
    rows = {"a": 90, "b": 100}
    monkeypatch.setattr(form_options, "known_rows", lambda studio, name: rows.get(name))
    mixed = Recipe.of({"datasets": ["a", "b:0.1"]})
    assert form_options.start_label(studio, "a", "a:0.9; b:0.1") == "Train on 2 datasets"
    assert form_options.recipe_rows(studio, mixed) == 100
    assert form_options.recipe_rows(studio, mixed.with_(datasets=["a", "hub/id:0.1"])) is None
    assert form_options.recipe_rows(studio, mixed.with_(dataset_name="b")) == 100


def test_a_runs_datasets_have_their_held_out_losses() -> None:
    one = {"name": "mine <i>", "metrics": "mine-i", "rows": {"train": 9}, "drawn_from": 12}
    run: Any = SimpleNamespace(
        data={"datasets": [one], "rows": {"train": 9}},
        metrics={"eval_mine-i_loss": 1.25, "eval_loss": 1.5},
    )
    html = run_panel_html.datasets(run)
    assert "mine &lt;i&gt;" in html and "9 of 12" in html and "1.25" in html and "1.5" in html
    assert run_panel_html.datasets(SimpleNamespace(data={}, metrics={})) == ""  # pyright: ignore[reportArgumentType]
