"""Rows read back from Arrow, and the sample prompts of a run."""

from datasets import Dataset

from studio.data.rows import sample_prompts, tidy
from tests.unit.data.making import TWO, assistant, user


def test_empty_places_of_arrow_are_left_out_and_tool_calls_are_objects():
    call = {"type": "function", "function": {"name": "f", "arguments": {}}}
    row = {
        "messages": [
            {"role": "user", "content": "go", "tool_calls": None},
            {"role": "assistant", "content": None, "tool_calls": ['{"name": "f"}', call]},
        ],
        "tools": None,
        "answers": ["a", None],
    }
    assert tidy(row) == {
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "tool_calls": [{"name": "f"}, call]},
        ],
        "answers": ["a", None],
    }


def test_sample_prompts_end_before_the_first_answer():
    rows = Dataset.from_list([{"messages": TWO}, {"messages": [assistant("first"), user("x")]}])
    assert sample_prompts(rows) == [TWO[:1]]
    prompts = Dataset.from_list([{"prompt": f"p{n}"} for n in range(9)])
    assert sample_prompts(prompts) == ["p0", "p1", "p2"]
    assert sample_prompts(Dataset.from_list([{"text": "t"}])) == []
