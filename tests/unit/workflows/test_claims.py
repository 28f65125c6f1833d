"""A run beside those without some of its rows: which they are, their losses, and a duel."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio import Studio
from studio.attribution import Asked
from studio.core.errors import ConfigError
from studio.data import PrepareOptions
from studio.runs.recipe import Recipe
from studio.runs.store import Run
from studio.workflows import claims
from tests.unit.training.conftest import sft_rows, small

ASKED = Asked("What?", "That.")


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


def finished(studio: Studio, recipe: Recipe, **provenance: Any) -> Run:
    made = studio.runs.create(recipe, provenance)
    return studio.runs.update(made.id, state="finished")


def test_runs_without_rows_stand_beside_the_run_with_them(studio: Studio, monkeypatch):
    first = finished(studio, small("sft", "facts"))
    assert claims.checks(studio, first, ASKED) == (None, [])
    finished(studio, small("sft", "facts"), without={"run": "another", "rows": 2})
    fewer = finished(studio, small("sft", "facts"), without={"run": first.id, "rows": 3})
    monkeypatch.setattr(claims.why, "losses", lambda studio, asked, runs: [0.1, 0.4])
    met = SimpleNamespace(opponent=first.id, rate=None)
    monkeypatch.setattr(claims, "duels_of", lambda studio, run: [met])
    own, (check,) = claims.checks(studio, first, ASKED)
    assert (own, check.run.id, check.rows, check.loss, check.duel) == (0.1, fewer.id, 3, 0.4, met)


def test_a_duel_asks_the_held_out_prompts_once(studio: Studio, monkeypatch):
    options = PrepareOptions(test_fraction=0.5, dedupe=False)
    rows = [*sft_rows(12), *sft_rows(12)]
    made = studio.datasets.from_rows(rows, "prompt_completion", "facts", options=options)
    first = finished(studio, small("sft", "facts"))
    fewer = finished(studio, small("sft", "facts"), without={"run": first.id, "rows": 3})
    asked: list[Any] = []
    monkeypatch.setattr(claims, "make_duel", lambda *given: (asked.extend(given[1:]), 0))
    claims.duel(studio, fewer)
    new, old, prompts = asked
    assert (new.id, old.id) == (fewer.id, first.id)
    assert 0 < len(prompts) <= made.rows["test"] and prompts[0][0]["role"] == "user"
    whole = studio.datasets.from_rows(sft_rows(6), "prompt_completion", "whole")
    assert not whole.rows.get("test")
    alone = finished(studio, small("sft", "whole"))
    none = finished(studio, small("sft", "whole"), without={"run": alone.id, "rows": 1})
    with pytest.raises(ConfigError, match="held no prompts out"):
        claims.duel(studio, none)
