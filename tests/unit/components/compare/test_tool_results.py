"""A tool's result typed into Compare reaches each model as the turn after its own call."""

from __future__ import annotations

import pytest

from components.compare.chat_html import chat as drawn
from components.compare.conversation import Chat, Turn
from components.compare.tool_results import called, exchange
from studio.core.errors import ConfigError
from studio.core.model_names import resolve
from studio.generation.request import Answer, Sampling
from studio.models import loading
from studio.workflows.comparisons import Side
from tests.unit.data.tokens.templates import dressed

SIDES = (Side("a", "base", "pocket"), Side("b", "tuned", "pocket", "run-1"))
CALL = '<tool_call>\n{"name": "where", "arguments": {"of": "mill"}}\n</tool_call>'
OTHER = '<tool_call>\n{"name": "when", "arguments": {}}\n</tool_call>'


def talk(*texts: str, **more: object) -> Chat:
    asked = [[{"role": "user", "content": "Where?"}]] * len(texts)
    answers = [Answer(text, 1, "stop", reasoning="I look.") for text in texts]
    turn = Turn("Where?", asked, Sampling(), answers, [0.1] * len(texts), done=True)
    return Chat(SIDES[: len(texts)], "", (turn,), **more)


def test_each_model_reads_its_own_call_and_the_result() -> None:
    chat = talk(CALL, f"Let me see. {OTHER}")
    assert chat.called == ["where", "when"]
    one, other = (chat.messages(at, "By the river.", "tool") for at in (0, 1))
    assert [turn["role"] for turn in one] == ["user", "assistant", "tool"]
    call = {"type": "function", "function": {"name": "where", "arguments": {"of": "mill"}}}
    assert one[1]["tool_calls"] == [{**call, "id": "call01000"}] and one[1]["content"] == ""
    assert one[1]["reasoning_content"] == "I look."
    assert one[2] == {
        "role": "tool", "name": "where", "tool_call_id": "call01000", "content": "By the river.",
    }  # fmt: skip
    assert other[1]["content"] == "Let me see." and other[2]["name"] == "when"


def test_a_later_prompt_keeps_the_result_in_its_place() -> None:
    chat = talk(CALL)
    told = [Answer("It is by the river.", 1, "stop")]
    result = Turn("By the river.", [], Sampling(), told, [0.1], done=True, role="tool")
    chat = Chat(chat.sides, "", (*chat.turns, result))
    roles = [turn["role"] for turn in chat.messages(0, "Thanks")]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    assert "Tool result" in drawn(chat) and chat.called == []


def test_several_tools_may_get_a_result_each() -> None:
    both = Answer(f"{CALL}\n{OTHER}")
    apart = exchange(both, '{"where": "here", "when": {"hour": 3}}', 1)
    assert [turn["content"] for turn in apart[1:]] == ["here", '{"hour": 3}']
    same = exchange(both, "nothing", 1)
    assert [turn["content"] for turn in same[1:]] == ["nothing", "nothing"]


@pytest.mark.parametrize("text", ["By the river.", "<tool_call>\n{broken\n</tool_call>", ""])
def test_a_result_that_nobody_asked_for_is_refused(text: str) -> None:
    assert talk(CALL, text).called == []
    assert called([Answer(text)]) == []
    with pytest.raises(ConfigError, match="calls no tool"):
        talk(text).messages(0, "x", "tool")
    with pytest.raises(ConfigError, match="calls no tool"):
        Chat(SIDES[:1]).messages(0, "x", "tool")
    assert talk(CALL, text, follow=0).called == ["where"]
    assert talk(CALL, raw=True).called == []


@pytest.mark.parametrize("name", ["qwen3", "llama3_1", "bundled chatml", "glm4moe"])
def test_the_prompt_is_that_of_the_row(name: str) -> None:
    tokenizer = dressed(loading.load_tokenizer(resolve("pocket")), name)
    messages = talk(CALL).messages(0, "By the river.", "tool")
    row = [
        {"role": "user", "content": "Where?"},
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "I look.",
            "tool_calls": [
                {"type": "function", "function": {"name": "where", "arguments": {"of": "mill"}}}
            ],
        },
        {"role": "tool", "name": "where", "content": "By the river."},
    ]
    texts = [
        tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        for turns in (messages, row)
    ]
    assert texts[0] == texts[1] and "By the river." in texts[0]
