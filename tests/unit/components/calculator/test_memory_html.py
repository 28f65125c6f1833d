"""The memory bar, the offered changes and the rank ladder."""

from __future__ import annotations

from components.calculator import memory_html
from studio.calculator import estimate, suggestions
from tests.unit.calculator.conftest import MISTRAL, TINY, recipe_of


def test_the_bar_marks_the_gpu_when_it_does_not_fit():
    over = estimate(recipe_of(MISTRAL), "T4")
    assert 'class="limit' in memory_html.memory_bar(over)
    assert memory_html.changes(suggestions(over)).count("data-change") >= 1
    assert 'class="limit' not in memory_html.memory_bar(estimate(recipe_of(TINY), "T4"))


def test_nothing_is_offered_when_it_fits():
    assert memory_html.changes([]) == ""


def test_the_chosen_rank_is_marked():
    html = memory_html.rank_curve([(8, 100), (16, 200)], 16)
    assert '<li class="now"><button type="button" data-rank="16"' in html
    assert html.count("data-rank") == 2
