"""The load benchmark: its figures, and with `STUDIO_LOAD=1` its small mode against the real app."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.load import _TOKEN, SMALL, Seen, run, table


def test_memory_that_grows_has_a_slope_and_memory_that_settled_has_none():
    settled = [(at * 1.0, 300.0 + 50 * min(at, 10)) for at in range(60)]
    growing = [(at * 1.0, 500.0 + at) for at in range(60)]
    assert Seen(memory=settled).slope == pytest.approx(0, abs=1e-6)
    assert Seen(memory=growing).slope == pytest.approx(60)
    assert Seen(memory=[(0.0, 1.0)]).slope == 0


def test_the_table_holds_every_figure_beside_its_own_alone():
    alone = Seen(votes=[0.01] * 50, tokens=[1.0] * 50, steps=4.0, memory=[(0.0, 500.0)])
    both = Seen([0.03] * 50, [2.0] * 50, 3, 1, 2.0, [(0.0, 700.0)], ["vote: OSError cut"])
    lines = table(alone, both, 4, 2).splitlines()
    assert lines[1].split()[-3:] == ["10.0", "30.0", "3.00"]
    assert lines[3].split()[-3:] == ["1000.0", "2000.0", "2.00"]
    assert lines[5].split()[-3:] == ["4.0", "2.0", "0.50"]
    assert "errors: 0 alone, 1 together" in lines and lines[-1] == "vote: OSError cut"


def test_a_first_token_is_what_the_page_says_under_an_answer():
    shown = '<p class=\\"answer-facts\\"><span>{}</span>'
    assert not _TOKEN.search(shown.format("queued"))
    assert not _TOKEN.search(shown.format("loading the model"))
    assert _TOKEN.search(shown.format("1 token")) and _TOKEN.search(shown.format("12 tokens"))


@pytest.mark.skipif(not os.environ.get("STUDIO_LOAD"), reason="a minute or two: make test-load")
def test_the_small_load_ends_without_an_error(tmp_path: Path):
    alone, together = run(SMALL, tmp_path)
    assert not alone.errors and not together.errors
    assert together.votes and together.tokens and together.uploads and alone.steps
