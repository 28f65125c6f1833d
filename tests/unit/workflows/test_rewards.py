"""Pairs that a reward model is judged on, read as they stand in a file."""

from studio.evaluation.eval_rows import ScoreRows
from studio.workflows.rewards import _pairs


def test_a_pair_without_one_of_its_answers_is_left_out():
    def row(prompt, chosen, rejected):
        return {"prompt": prompt, "chosen": chosen, "rejected": rejected}

    rows = [row("one", "a", "b"), row("two", "", "b"), row("three", "a", []), row("", "a", "b")]
    prompts, sides = _pairs(ScoreRows("pairs", "preference", rows))
    assert [prompt[-1]["content"] for prompt in prompts] == ["one"] and sides == [("a", "b")]
