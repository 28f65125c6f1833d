"""Rounds and duels as they are derived from runs, votes and projects."""

from __future__ import annotations

import pytest

from studio import Studio
from studio.core.errors import ConfigError, DataError
from studio.generation.request import Column, Sampling
from studio.labels.pair_generation import PairPlan
from studio.labels.votes_provenance import learned_from
from studio.workflows.rounds import lineages, make_duel, require_run, trained_prompts, votes_dataset
from tests.instant import answer, finished_run, prompts


@pytest.fixture
def studio(tmp_path, monkeypatch):
    made = Studio(tmp_path / "home")
    monkeypatch.setattr(made.pairs, "_generate", answer)
    yield made
    made.close()


def seed(run, number):
    sampling = Sampling(temperature=1.0, seed=number)
    return Column("pocket", run.id, f"seed {number}", sampling=sampling)


def test_rounds_are_read_from_runs_votes_and_duels(studio):
    first = finished_run(studio, "first")
    plan = PairPlan("", (seed(first, 1), seed(first, 2)), prompts(6))
    project = studio.pairs.make_project(plan, "pairs")
    studio.pairs.wait(project.id, 20)
    for _ in range(6):
        shown = studio.labels.next_item(project.id, "ada")
        studio.labels.vote(project.id, shown.item_id, "ada", "a")
    dataset = votes_dataset(studio, project.id)
    assert dataset.provenance["votes"]["count"] == 6 and dataset.provenance["run"] == first.id
    second = finished_run(studio, "second", parent=first.id, data={"votes": learned_from(dataset)})
    duel, left_out = make_duel(studio, second, first, prompts(10, start=3))
    assert left_out == 3, "what was trained on is not asked again"
    studio.pairs.wait(duel.id, 20)
    for _ in range(5):
        shown = studio.labels.next_item(duel.id, "ada")
        studio.labels.vote(duel.id, shown.item_id, "ada", "b")
    (line,) = lineages(studio)
    assert line.start.id == first.id and [r.run.id for r in line.rounds] == [second.id]
    assert line.rounds[0].votes["project"] == project.id
    met = line.rounds[0].against(first.id)
    assert (met.rate.a, met.rate.wins, met.rate.losses, met.items) == ("new", 5, 0, 7)
    assert met.share.value == 1.0 and met.share.count == 5
    assert 0.5 < met.share.low < 0.6, "five of five is not certainty"
    with pytest.raises(DataError, match="choose others"):
        make_duel(studio, second, first, prompts(6))


def test_two_runs_from_one_start_meet_on_what_neither_was_trained_on(studio):
    start = finished_run(studio, "start")
    runs = []
    for name, first in (("dpo", 0), ("grpo", 2)):
        plan = PairPlan("", (seed(start, 1), seed(start, 2)), prompts(3, start=first))
        project = studio.pairs.make_project(plan, name)
        studio.pairs.wait(project.id, 20)
        shown = studio.labels.next_item(project.id, "ada")
        studio.labels.vote(project.id, shown.item_id, "ada", "a")
        votes = learned_from(votes_dataset(studio, project.id))
        runs.append(finished_run(studio, name, parent=start.id, data={"votes": votes}))
    dpo, grpo = runs
    assert len(trained_prompts(studio, dpo)) == 3, "also those without a vote"
    duel, left_out = make_duel(studio, grpo, dpo, prompts(7))
    assert left_out == 5
    plan = studio.pairs.wait(duel.id, 20)
    assert [column.run for column in plan.columns] == [dpo.id, grpo.id]
    studio.labels.vote(duel.id, studio.labels.next_item(duel.id, "ada").item_id, "ada", "b")
    lines = {line.rounds[0].run.id: line.rounds[0] for line in lineages(studio)}
    met = lines[grpo.id].against(dpo.id)
    assert (met.rate.wins, met.items, met.trained_on) == (1, 2, 0)


def test_a_run_without_weights_cannot_meet_anybody(studio):
    run = studio.runs.create(finished_run(studio, "made").recipe)
    with pytest.raises(ConfigError, match="has no weights to answer with; it is queued"):
        require_run(studio, run.id)
