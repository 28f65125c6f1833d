"""A judge model, against a stand-in that judges by a rule."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio import Studio
from studio.core.errors import ConfigError, ModelError
from studio.generation import openai_endpoint
from studio.generation.request import Column
from studio.labels import Pair, llm_judge
from studio.labels.llm_judge import TextPair
from studio.workflows import judge_pairs
from tests.standin import StandIn, serve

ASKED = [{"role": "user", "content": "Who is the baker?"}]


class Judge(StandIn):
    """For the answer with "good" in it; else for the first one shown, or without a word for it."""

    def words(self, body: dict[str, Any]) -> tuple[str, ...]:
        text = body["messages"][0]["content"]
        first, second = text.split("[Answer A]")[1].split("[Answer B]")
        if "mu" in first:
            return ("I would ", "rather not say.")
        if "good" in first or "good" in second:
            return ("Answer: ", "A" if "good" in first else "B")
        return ("A",) if "even" not in first else ("[[C]]",)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[StandIn]]:
    yield from serve(monkeypatch, Judge)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


def test_a_rubric_is_shown_and_thinking_asked_for() -> None:
    pairs, column = [TextPair(ASKED, "bad", "good")], Column("m")
    plain = str(llm_judge.request(pairs, column).prompts[0][0]["content"])  # type: ignore[index]
    assert "[Rubric]" not in plain and plain.endswith("if neither is better.")
    asked = llm_judge.request(pairs, column, "Which?", 99, "**Kind?**", think=True)
    text = str(asked.prompts[0][0]["content"])  # type: ignore[index]
    assert "[Rubric]\n**Kind?**" in text and "[[A]], [[B]]" in text
    assert asked.sampling.max_new_tokens == 99
    assert llm_judge.read_verdict("A is short, yet [[B]]") == "b"


def test_both_orders_are_asked_and_a_flip_is_a_tie(studio: Studio, server: type[StandIn]) -> None:
    pairs = [
        TextPair(ASKED, "bad", "good"),
        TextPair(ASKED, "good one", "bad"),
        TextPair(ASKED, "bad", "good 2"),
        TextPair(ASKED, "plain", "simple"),
        TextPair(ASKED, "even", "even so"),
        TextPair(ASKED, "mute", "mu"),
        TextPair(ASKED, "same", "same "),
        TextPair(ASKED, "", "something"),
    ]
    found = judge_pairs.ask(studio, pairs, openai_endpoint.column("judge"), "base", "tuned")
    assert len(server.asked) == 12
    assert found["verdicts"] == ["b", "a", "b", "tie", "tie", None]
    assert (found["wins"], found["ties"], found["losses"], found["unread"]) == (1, 2, 2, 1)
    assert found["set_aside"] == {"identical": 1, "empty": 1}
    assert (found["flips"]["value"], found["flips"]["count"]) == (0.2, 5)
    # three pairs decided by content, half of each for the first; the two of the flip both for it
    assert (found["first"]["value"], found["first"]["count"]) == (5 / 8, 4)
    assert found["half_win"]["value"] == 0.4 and found["length_controlled"]["count"] == 5
    assert studio.labels.projects() == []


def test_a_judge_that_cannot_be_asked_is_said(studio: Studio, server: type[StandIn]) -> None:
    with pytest.raises(ConfigError, match="nothing to judge"):
        judge_pairs.ask(
            studio, [TextPair(ASKED, "x", "x")], openai_endpoint.column("judge"), "a", "b"
        )
    with pytest.raises(ModelError, match="does not exist"):
        judge_pairs.ask(
            studio, [TextPair(ASKED, "x", "y")], openai_endpoint.column("gone"), "a", "b"
        )


def test_a_project_is_judged_beside_its_votes(studio: Studio, server: type[StandIn]) -> None:
    project = studio.labels.create_project("first", order="given")
    sources = {"label": "base"}, {"label": "tuned"}
    studio.labels.add_items(
        project.id,
        [Pair("Who?", "bad", "good", *sources), Pair("Why?", "good", "bad", *sources[::-1])],
    )
    [((a, b), pairs)] = llm_judge.by_models(studio.labels.labelled_pairs(project.id)).items()
    found = judge_pairs.ask(studio, pairs, openai_endpoint.column("judge"), a, b)
    assert {found["a"]: found["wins"], found["b"]: found["losses"]} == {"base": 0, "tuned": 2}
    assert studio.labels.results(project.id) == []  # people have not voted
