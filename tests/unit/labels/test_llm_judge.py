"""What a judge model is asked, and how its replies are read."""

from __future__ import annotations

import pytest

from studio.generation.request import Column
from studio.labels import llm_judge
from studio.labels.llm_judge import TextPair

ASKED = [{"role": "user", "content": "Who is the baker?"}]


def test_every_pair_is_asked_in_both_orders_and_pairs_without_a_difference_are_not():
    pairs = [
        TextPair(ASKED, "one", "two"),
        TextPair(ASKED, "same", "same "),
        TextPair(ASKED, "", "x"),
    ]
    kept, aside = llm_judge.judgeable(pairs)
    assert kept == pairs[:1] and aside == {"identical": 1, "empty": 1}
    request = llm_judge.request(kept, Column("pocket"), "Which is kinder?")
    first, second = (prompt[0]["content"] for prompt in request.prompts)
    assert "Which is kinder?" in first and "Who is the baker?" in first
    assert first.index("one") < first.index("two") and second.index("two") < second.index("one")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("A", "a"),
        (" B.", "b"),
        ("**B**", "b"),
        ("Verdict: C", "tie"),
        ("answer: A", "a"),
        ("I think [[B]] is right", "b"),
        ("A baker is kind", None),
        ("A is better", "a"),
        ("Better is B", None),
        ("As I see it", None),
        ("", None),
    ],
)
def test_a_verdict_is_read_off_the_reply(said: str, verdict: str | None) -> None:
    assert llm_judge.read_verdict(said) == verdict
