"""Results, judge models, rankings and rounds as functions."""

from __future__ import annotations

import pytest

from studio import Commands
from studio.core.errors import ConfigError


def test_results_report_what_they_are_worth(do: Commands, voted):
    found = do.labels_results(project="first")
    [duel] = found["results"]
    assert (duel["wins"], duel["ties"], duel["losses"], duel["further"]) == (1, 1, 1, None)
    assert duel["half_win"]["value"] == duel["length_controlled"]["value"] == 0.5
    assert found["strengths"] == [] and found["report"]["longer"]["count"] == 0


def test_a_judge_model_is_kept_apart_from_people(do: Commands, voted, judging):
    [duel] = do.labels_judge(project="first", judge="base:pocket")["duels"]
    assert (duel["ties"], duel["flips"]["value"], duel["first"]["value"]) == (3, 1.0, 1.0)
    [people] = do.labels_results(project="first")["results"]
    assert (people["wins"], people["losses"]) == (1, 1)
    with pytest.raises(ConfigError, match="nobody"):
        do.labels_judge(project="first", judge="nobody")


def test_a_project_without_pairs_is_not_judged(do: Commands, labels):
    labels.create_project("empty")
    with pytest.raises(ConfigError, match="no pairs to judge"):
        do.labels_judge(project="empty", judge="base:pocket")


def test_pairs_are_ranked_by_disagreement(do: Commands, voted, tuned, monkeypatch):
    gains = iter([5.0, 0.0, 5.0, 0.0, 0.0, 0.0])  # a far ahead twice, then a tie
    monkeypatch.setattr(
        "studio.workflows.rewards.scores", lambda studio, run, prompts, answers: list(gains)
    )
    first, *others = do.labels_rank(run="tuned", project="first")
    assert (first["item"], first["gap"]) == (2, 5.0)  # people preferred b there
    assert first["disagreement"] >= max(one["disagreement"] for one in others)


def test_rounds_are_listed(do: Commands, taught):
    first, second = taught
    [line] = do.labels_rounds()
    [each] = line["rounds"]
    assert (line["start"], line["start_name"]) == (first.id, "start")
    assert (each["run_id"], each["run"], each["votes"]["votes"]) == (second.id, "taught", 3)
    [duel] = each["duels"]
    assert (duel["project"], duel["opponent"], duel["judged"]) == ("duel", first.id, 1)
    assert duel["share"]["value"] == 1.0
