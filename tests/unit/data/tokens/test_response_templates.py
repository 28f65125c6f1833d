"""What a model writes is taken apart as transformers does by a `response_template`."""

import pytest
from trl.chat_template_utils import add_response_schema

from studio.core import answers
from studio.core.call_forms import MARKS
from studio.models.tokenization import answer_of
from tests.unit.data.tokens.templates import dressed, said, templates
from tests.unit.data.tokens.templates import user as asks

SIDES = {"type": "object", "properties": {"sides": {"type": "integer"}, "why": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "roll", "description": "", "parameters": SIDES}}
CALL = {"name": "roll", "arguments": {"sides": 6, "why": "to see"}}  # ")" ends LFM2's calls there
TURNS = {
    "answer": said("It is 5."),
    "thought": said("It is 5.", reasoning_content="I add."),
    "call": said("", tool_calls=[{"type": "function", "function": CALL}]),
    "thought and call": said(
        "", reasoning_content="I add.", tool_calls=[{"type": "function", "function": CALL}]
    ),
}


def known() -> list[str]:
    """Templates that TRL knows a `response_template` for."""
    found = []
    for name, text in templates().items():
        carrier = type("Carrier", (), {"chat_template": text})()
        try:
            add_response_schema(carrier)  # type: ignore[arg-type]
        except ValueError:
            continue
        found.append(name)
    return found


@pytest.mark.parametrize("name", known())
def test_thinking_answer_and_calls_are_those_of_the_response_template(tokenizer, name):
    tokenizer = dressed(tokenizer, name)
    add_response_schema(tokenizer)
    asked = tokenizer.apply_chat_template(
        [asks("Roll?")], tools=[TOOL], tokenize=False, add_generation_prompt=True
    )
    for kind, turn in TURNS.items():
        whole = tokenizer.apply_chat_template([asks("Roll?"), turn], tools=[TOOL], tokenize=False)
        if not whole.startswith(asked):
            continue  # the template writes this answer otherwise than the model is asked for it
        written = whole[len(asked) :]
        theirs = tokenizer.parse_response(written, prefix=asked, tools=[TOOL])
        ours = answer_of(tokenizer, tokenizer(written, add_special_tokens=False).input_ids, asked)
        assert ours.reasoning == (answers.thought(theirs) or "").strip(), kind
        assert ours.spoken.strip() == theirs.get("content", "").strip(), kind
        calls = [call.as_message() for call in ours.tool_calls]
        assert calls == theirs.get("tool_calls", []), kind


def test_marks_of_calls_survive_as_special_tokens(tokenizer):
    tokenizer = dressed(tokenizer, "chatml")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|tool_call>", "<tool_call|>"]})
    ids = tokenizer("<|tool_call>call:roll{sides:6}<tool_call|><|im_end|>").input_ids
    [call] = answer_of(tokenizer, ids).tool_calls
    assert (call.name, call.arguments) == ("roll", {"sides": 6})
    assert set(MARKS) < set(answers.WRITTEN)
