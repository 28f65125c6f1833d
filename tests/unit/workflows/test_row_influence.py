"""A dataset's rows as a run weighed them, and the datasets made of that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio import Studio
from studio.core.errors import ConfigError, DataError
from studio.runs.store import Run
from studio.workflows import row_influence
from tests.unit.training.conftest import sft_rows, small


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


@pytest.fixture
def run(studio: Studio) -> Run:
    """A run that is said to have trained on six rows of each of two datasets."""
    for name in ("facts", "more"):
        studio.datasets.from_rows(sft_rows(6), "prompt_completion", name)
    one, two = (studio.datasets.get(name) for name in ("facts", "more"))
    recipe = small("sft", "facts", datasets=[{"path": "facts"}, {"path": "more"}])
    made = studio.runs.create(recipe)
    return studio.runs.update(made.id, data={"datasets": [{"id": one.id}, {"id": two.id}]})


def weighed(**values: list[float]) -> dict[str, np.ndarray]:
    """Three rows of the second dataset, one of them as two, and one of the first."""
    places = np.array([[1, 4, 0], [1, 0, 0], [0, 2, 0], [1, 4, 1], [1, 5, 0]])
    return {"places": places} | {name: np.array(each) for name, each in values.items()}


def test_rows_of_one_dataset_come_worst_first_and_a_pair_in_two_rows_is_a_sum(studio, run):
    more = studio.datasets.get("more")
    help_ = [0.1, 0.2, -0.9, -0.4, -0.1]
    found = row_influence.ranked(studio, run, more.id, weighed(own=[1] * 5, help=help_))
    assert (found.by, found.rows, found.harmful) == ("help", (4, 5, 0), 2)
    assert found.scores == pytest.approx((-0.3, -0.1, 0.2))
    listed = row_influence.texts(studio, found, 2)
    assert [one["row"] for one in listed] == [4, 5]
    assert listed[0]["prompt"] == "What is the colour of grass, number 4?"


def test_without_held_out_rows_the_largest_gradients_come_first(studio, run):
    facts = studio.datasets.get("facts")
    found = row_influence.ranked(studio, run, facts.id, weighed(own=[1, 2, 8, 4, 5]))
    assert (found.by, found.rows, found.scores, found.harmful) == ("own", (2,), (1.0,), 0)
    with pytest.raises(ConfigError, match="held no rows out"):
        row_influence.keep_most_useful(studio, found, 0.2)


def test_the_worst_rows_go_and_the_most_useful_stay(studio, run):
    more = studio.datasets.get("more")
    places = np.array([[1, at, 0] for at in range(6)])
    help_ = np.array([0.5, -0.5, 0.4, 0.3, -0.1, 0.2])
    weighed = {"places": places, "own": help_, "help": help_}
    found = row_influence.ranked(studio, run, more.id, weighed)
    left = row_influence.leave_out(studio, found, 2)
    assert left.rows["train"] == 4 and left.provenance["without"]["rows"] == [1, 4]
    best = row_influence.keep_most_useful(studio, found, 0.5)
    assert best.rows["train"] == 3 and best.provenance["without"]["rows"] == [1, 4, 5]
    for count in (0, 6):
        with pytest.raises(ConfigError, match="Leave out 1 to 5 of the 6 rows"):
            row_influence.leave_out(studio, found, count)
    with pytest.raises(ConfigError, match="between 0 % and 100 %"):
        row_influence.keep_most_useful(studio, found, 1.0)


def test_a_dataset_that_the_run_did_not_read_is_refused(studio, run):
    other = studio.datasets.from_rows(sft_rows(6), "prompt_completion", "other")
    with pytest.raises(DataError, match="did not train on other"):
        row_influence.ranked(studio, run, other.id, weighed(own=[1] * 5))
    assert row_influence.runs_on(studio, other.id) == []
