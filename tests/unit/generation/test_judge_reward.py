"""A judge as a reward: what is read of its replies, what is kept, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.core.errors import ModelError
from studio.generation.judge_reward import JudgeReward, read_score
from studio.generation.request import Answer, Column, GenerationRequest, Snapshot
from studio.rewards import WeightedReward

PROMPT = [{"role": "user", "content": "Say hello."}]


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("[[7]]", 7),
        ("It is fine: [[3]], no, [[8/10]]", 8),
        ("9", 9),
        ("Score: 10/10.", 10),
        ("[[11]]", None),
        ("I would say 7 of them", None),
        ("", None),
    ],
)
def test_a_score_is_read(reply: str, score: int | None):
    assert read_score(reply) == score


class Judge:
    """Replies by what it is shown, and remembers what it was asked."""

    def __init__(self, *replies: Answer):
        self.replies, self.asked = list(replies), []

    def __call__(self, request: GenerationRequest) -> Snapshot:
        self.asked += [prompt[0]["content"] for prompt in request.prompts]
        cells = [self.replies.pop(0) for _ in request.prompts]
        return Snapshot([cells], True, False, None, 1.0, 0, True, False)


def ended(text: str, **more: object) -> Answer:
    return Answer(text, ended="stop", **more)  # type: ignore[arg-type]


def test_scores_are_kept_by_content_and_unread_replies_say_so(tmp_path: Path):
    judge = Judge(ended("[[10]]"), ended("Lovely."), ended("", thinking=True))
    reward = JudgeReward(Column("m"), "**Polite?**", 64, judge, tmp_path)
    marks = reward([PROMPT] * 4, ["Hello", "Hi", "Hey", "  "])
    assert [mark.value for mark in marks] == [1.0, 0.0, 0.0, 0.0]
    assert "'Lovely.'" in marks[1].why and "judge_max_new_tokens" in marks[2].why
    assert "empty answer" in marks[3].why
    assert (
        "**Polite?**" in judge.asked[0]
        and "[user]\n<<<" in judge.asked[0]
        and "\nSay hello.\n" in judge.asked[0]
    )
    again = Judge(ended("[[1]]"))
    kept = JudgeReward(Column("m"), "**Polite?**", 64, again, tmp_path)
    assert [mark.value for mark in kept([PROMPT] * 2, ["Hello", "Hi"])] == [1.0, 0.0]
    assert len(again.asked) == 1 and "Hi" in again.asked[0]
    other = Judge(ended("[[1]]"))
    assert JudgeReward(Column("m"), "Rude?", 64, other, tmp_path)([PROMPT], ["Hello"])[0].value == 0


def test_a_judge_that_cannot_be_asked_is_a_sentence(tmp_path: Path):
    judge = Judge(Answer(error="The server does not answer.", ended="error"))
    reward = WeightedReward(
        ["judge:base:m", "length:1-9"],
        scorers={"judge:base:m": JudgeReward(Column("m"), "", 64, judge, tmp_path)},
    )
    with pytest.raises(ModelError, match="The judge m could not be asked: The server"):
        reward.grade([PROMPT], ["Hello"], [{}])
