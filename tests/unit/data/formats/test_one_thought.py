"""Thinking within a text and in a field beside it is one thought."""

import pytest

from tests.unit.data.making import inspected, user

THOUGHT = "<think>\nTwo and two.\n</think>\n\nFour."


def chat(**answer):
    return {"messages": [user("Sum?"), {"role": "assistant", **answer}]}


@pytest.mark.parametrize("name", ["reasoning_content", "thinking", "reasoning"])
@pytest.mark.parametrize(("thought", "warned"), [("Two  and two.", 0), ("I add them.", 1)])
def test_a_field_is_taken_over_the_text(tmp_path, name, thought, warned):
    found = inspected(tmp_path, [chat(content=THOUGHT, **{name: thought})])
    turn = found.sample[0]["messages"][1]
    assert turn == {"role": "assistant", "content": "Four.", name: thought}
    told = [one.message for one in found.problems if one.kind == "two_thoughts"]
    assert len(told) == warned
    assert all(f"`{name}` is taken" in one and "its text is left out" in one for one in told)


def test_two_fields_are_one_thought(tmp_path):
    found = inspected(tmp_path, [chat(content="Four.", reasoning="A.", reasoning_content="B.")])
    assert found.sample[0]["messages"][1]["reasoning_content"] == "B."
    assert "reasoning" not in found.sample[0]["messages"][1]
    assert found.problem_counts == {"two_thoughts": 1}


def test_a_single_thought_stays_as_it_is_written(tmp_path):
    rows = [chat(content=THOUGHT), chat(content="Four.", reasoning_content="Two.")]
    found = inspected(tmp_path, rows)
    assert found.sample == rows
    assert found.problem_counts == {}


def test_pairs_and_completions_think_once_too(tmp_path):
    twice = [{"role": "assistant", "content": THOUGHT, "reasoning_content": "I add."}]
    rows = [
        {
            "prompt": [user("Sum?")],
            "chosen": twice,
            "rejected": [{"role": "assistant", "content": "5"}],
        }
    ]
    found = inspected(tmp_path, rows)
    assert found.sample[0]["chosen"][0]["content"] == "Four."
    assert found.problem_counts == {"two_thoughts": 1}
