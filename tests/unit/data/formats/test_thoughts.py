"""A thought in a column beside the answer becomes part of the answer, or is asked about."""

from __future__ import annotations

from typing import Any

import pytest

from studio.data.formats import thoughts
from studio.data.formats.column_profile import profile
from studio.data.formats.detection import Format, detect
from studio.data.types import RowError
from tests.unit.data.making import assistant, inspected, user

TREES = ("oaks", "ashs", "elms", "yews", "firs", "bays")
THOUGHT = "Two rows of three {} make six."
ASKED = {"prompt": [user("How many oaks?")]}


def rows(prompt: str, thought: str, answer: str, said: str = "Six.", wrap: Any = None) -> list:
    """Six rows of three columns; `wrap` puts the thought into a container."""
    wrap = wrap or (lambda text: text)
    return [
        {prompt: f"How many {tree}?", thought: wrap(THOUGHT.format(tree)), answer: said}
        for tree in TREES
    ]


def read(given: list[dict[str, Any]], **by_hand: Any) -> Format:
    return detect(profile(given), **by_hand)


def thinking(text: str = THOUGHT.format("oaks"), said: str = "Six.") -> dict[str, Any]:
    return ASKED | {"completion": [{**assistant(said), "reasoning_content": text}]}


@pytest.mark.parametrize(
    ("prompt", "thought", "answer"),
    [
        ("Question", "Complex_CoT", "Response"),
        ("question", "reasoning", "answer"),
        ("question", "thinking", "answer"),
        ("question", "think", "answer"),
        ("question", "cot", "answer"),
        ("problem", "chain_of_thought", "final_answer"),
        ("problem", "chainOfThought", "answer"),
        ("instruction", "deepseek_reasoning", "output"),
        ("instruction", "Reasoning Trace", "output"),
        ("query", "thinking_trajectories", "response"),
        ("prompt", "reasoning_content", "response"),
        ("prompt", "reasoning", "completion"),  # TRL's own names: strings become messages
        ("问题", "思考过程", "回答"),
        ("frage", "denkprozess", "antwort"),
    ],
)
def test_a_thought_by_its_name_stands_before_the_answer(prompt: str, thought: str, answer: str):
    found = read(rows(prompt, thought, answer))
    assert found.confidence > 0.8 and not found.others and f'"{thought}"' in found.why
    assert found.row(rows(prompt, thought, answer)[0]) == thinking()


@pytest.mark.parametrize(
    ("wrap", "text"),
    [
        (lambda text: f"<think>\n{text}\n</think>", None),
        (lambda text: f"<think>{text}", None),
        (lambda text: [text], None),
        (lambda text: [text, "Yes."], "Two rows of three oaks make six.\n\nYes."),
        (lambda text: f'["{text}"]', None),
        (lambda text: f"  {text}\n", None),
    ],
)
def test_a_thought_is_read_out_of_its_container(wrap: Any, text: str | None):
    given = rows("question", "reasoning", "answer", wrap=wrap)
    assert read(given).row(given[0]) == thinking(text or THOUGHT.format("oaks"))


def test_a_row_without_a_thought_has_none_and_one_that_is_no_text_is_refused():
    given = rows("question", "cot", "answer")
    found = read(given)
    plain = ASKED | {"completion": [assistant("Six.")]}
    assert found.row({**given[0], "cot": None}) == plain
    assert found.row({**given[0], "cot": ""}) == plain
    own = "<think>\nSix, surely.\n</think>\n\nSix."
    assert found.row({**given[0], "answer": own}) == ASKED | {"completion": [assistant(own)]}
    with pytest.raises(RowError, match='"cot" is a number, not text'):
        found.row({**given[0], "cot": 6})


def test_a_completion_of_turns_takes_the_thought_into_its_last():
    given = rows("prompt", "thinking", "completion", said=[assistant("Six.")])
    assert read(given).row(given[0]) == thinking()


@pytest.mark.parametrize(
    ("thought", "values"),
    [
        ("thinking", "enabled"),  # a flag
        ("reasoning_effort", "very high this time"),
        ("cot_type", "a kind of task"),
        ("judge_reasoning", "The answer is short and right."),
        ("rejected_reasoning", "The answer is short and right."),
    ],
)
def test_what_is_no_thought_about_the_answer_is_not_read_as_one(thought: str, values: str):
    given = rows("question", thought, "answer", wrap=lambda _: values)
    found = read(given)
    assert found.row(given[0]) == ASKED | {"completion": [assistant("Six.")]}
    assert " " not in values or f'Left out: "{thought}"' in found.why


def test_answers_that_hold_their_thinking_take_no_other():
    given = rows("question", "reasoning", "answer", said="<think>\nHm.\n</think>\n\nSix.")
    found = read(given)
    assert "reasoning" not in found.mapping and 'Left out: "reasoning"' in found.why


@pytest.mark.parametrize("name", ["rationale", "explanation", "justification", "gpt4_rationale"])
def test_a_text_that_may_have_come_after_the_answer_is_asked_about(name: str):
    given = rows("question", name, "answer")
    found = read(given)
    assert found.confidence == 0.5
    assert [one.row(given[0]) for one in (found, *found.others)] == [
        thinking(),
        ASKED | {"completion": [assistant("Six.")]},
    ]
    assert f'"{name}" is left out' in found.others[0].why


@pytest.mark.parametrize(
    ("worked", "bare", "said", "first"),
    [
        ("solution", "answer", "six", "whole"),
        ("generated_solution", "expected_answer", "six", "whole"),
        ("solution", "answer", "6", "thought"),  # the text never says "6"
        ("worked_solution", "final_answer", "6", "thought"),
    ],
)
def test_a_worked_solution_beside_a_bare_answer_is_asked_about(
    worked: str, bare: str, said: str, first: str
):
    given = rows("problem", worked, bare, said)
    found = read(given)
    whole = ASKED | {"completion": [assistant(THOUGHT.format("oaks"))]}
    both = [whole, thinking(said=said)]
    alone = ASKED | {"completion": [assistant(said)]}
    made = [one.row(given[0]) for one in (found, *found.others)]
    assert made == [*(both if first == "whole" else both[::-1]), alone]
    by_hand = {"prompt": "problem", "completion": bare, "reasoning": worked}
    assert read(given, format="instruction", mapping=by_hand).row(given[0]) == both[1]


@pytest.mark.parametrize(("answer", "solution"), [("Two rows make six.", "6"), ("Six.", "Six!")])
def test_a_solution_that_works_nothing_out_changes_nothing(answer: str, solution: str):
    given = rows("problem", "solution", "answer", answer, lambda _: solution)
    assert thoughts.beside(profile(given), "answer").columns == set()
    assert read(given).row(given[0]) == ASKED | {"completion": [assistant(answer)]}


def test_a_thought_beside_chats_preferences_and_judged_answers_goes_with_its_answer(tmp_path):
    asks, said = {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}
    chat = [{"messages": [asks, said], "reasoning": f"Look it up {n}."} for n in range(4)]
    seen = inspected(tmp_path, chat)
    assert seen.sample[0]["messages"] == [asks, {**said, "reasoning_content": "Look it up 0."}]
    pairs = [
        {"prompt": f"Who {n}?", "chosen": "Ada.", "chosen_reasoning": "I know it well.",
         "rejected": "Bea.", "rejected_reasoning": "I only guess."}
        for n in range(4)
    ]  # fmt: skip
    row = inspected(tmp_path, pairs).sample[0]
    thoughts = [row[side][0]["reasoning_content"] for side in ("chosen", "rejected")]
    assert thoughts == ["I know it well.", "I only guess."]
    judged = [
        {"prompt": f"Who {n}?", "completion": "Ada.", "thinking": "Let me think.", "label": n > 1}
        for n in range(4)
    ]
    row = inspected(tmp_path, judged).sample[0]
    assert row["completion"] == [{**said, "reasoning_content": "Let me think."}]
    assert row["label"] is False
    judge = [{**one, "judge_reasoning": "It is brief and right."} for one in pairs]
    assert '"judge_reasoning"' in inspected(tmp_path, judge).why  # named, and in no answer
