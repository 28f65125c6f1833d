"""Pairs written in the background: ahead of people, in batches, taken up again, never twice."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from filelock import FileLock

from components.label import tab as label_tab
from studio import Studio
from studio.core.errors import ConfigError, DataError, ModelError
from studio.generation.request import Column, Generation, Sampling
from studio.labels.pair_generation import BATCH, PairPlan
from tests.instant import answer, prompts

WARM = Sampling(temperature=1.0, seed=1)
COLD = Sampling(temperature=1.0, seed=2)
TWO_SEEDS = (
    Column("pocket", None, "seed 1", sampling=WARM),
    Column("pocket", None, "seed 2", sampling=COLD),
)


@pytest.fixture
def studio(tmp_path, monkeypatch):
    made = Studio(tmp_path / "home")

    monkeypatch.setattr(made.pairs, "_generate", answer)
    yield made
    made.close()


def until(happened):
    ends = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < ends, "did not happen"
        time.sleep(0.02)


def test_pairs_are_written_ahead_of_people_and_no_further(studio):
    plan = PairPlan("", TWO_SEEDS, prompts(60), ahead=BATCH)
    project = studio.pairs.make_project(plan, "seeds", order="given")
    until(lambda: studio.labels.get(project.id).items >= BATCH)
    until(lambda: not studio.pairs._wanted(studio.pairs.plan(project.id)))
    first = studio.labels.get(project.id).items
    assert BATCH <= first < 60, "enough is ready: no more is asked for"
    for _ in range(first):
        shown = studio.labels.next_item(project.id, "ada")
        assert shown is not None
        studio.labels.vote(project.id, shown.item_id, "ada", "left")
    until(lambda: studio.labels.get(project.id).items > first)
    (item, *_) = studio.labels.labelled_pairs(project.id)
    assert item.source_b["seed"] == 2 and item.source_b["sampling"]["temperature"] == 1.0


def test_a_plan_is_taken_up_again_and_a_batch_written_twice_is_kept_once(studio, tmp_path):
    project = studio.pairs.make_project(PairPlan("", TWO_SEEDS, prompts(20)), "seeds")
    plan = studio.pairs.wait(project.id, 20)
    assert plan.done and studio.labels.get(project.id).items == 20
    studio.pairs._keep(replace(plan, written=12))  # as a kill between the pairs and the note
    (studio.pairs._folder / "another.json").write_text("{half")
    again = Studio(tmp_path / "home")
    again.pairs._generate = studio.pairs._generate
    again.pairs.start()
    until(lambda: again.pairs.plan(project.id).done)
    assert label_tab._about(again, project.id) == {"aside": {"duplicate": 8}}
    assert again.labels.get(project.id).items == 20
    again.close()


def test_a_column_that_cannot_answer_ends_the_plan_in_its_sentence(studio, monkeypatch):
    def fail(request):
        handle = Generation(request)
        handle.end_part("The adapter is gone.")
        return handle

    monkeypatch.setattr(studio.pairs, "_generate", fail)
    project = studio.pairs.make_project(PairPlan("", TWO_SEEDS, prompts(3)), "broken")
    with pytest.raises(ModelError, match="adapter is gone"):
        studio.pairs.wait(project.id, 20)


def test_columns_that_must_write_the_same_and_no_prompts_are_refused(studio):
    same = (Column("pocket"), Column("pocket", label="again"))
    with pytest.raises(ConfigError, match="two seeds, or two temperatures"):
        studio.pairs.make_project(PairPlan("", same, prompts(1)), "same")
    with pytest.raises(DataError, match="no prompts"):
        studio.pairs.make_project(PairPlan("", TWO_SEEDS, []), "none")
    assert not studio.labels.projects()


def test_two_studios_write_a_plan_once_and_the_other_goes_on_where_one_dies(studio, tmp_path):
    """As two apps on one workspace: the plan's lock is its writer's, and goes with its process."""
    plan = PairPlan("", TWO_SEEDS, prompts(20))
    project = studio.labels.create_project("seeds")
    folder = studio.pairs._folder
    folder.mkdir(exist_ok=True)
    with FileLock(folder / f".{project.id}.lock"):
        studio.pairs.begin(replace(plan, project=project.id))
        time.sleep(0.3)
        assert studio.labels.get(project.id).items == 0
    again = Studio(tmp_path / "home")
    again.pairs._generate = answer
    again.pairs.start()
    until(lambda: again.pairs.plan(project.id).done)
    assert studio.labels.get(project.id).items == 20
    assert again.pairs.plan(project.id).set_aside == {}
    again.close()
