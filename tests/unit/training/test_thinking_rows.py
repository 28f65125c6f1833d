"""Rows with thinking, tools and kwargs: trainer, token view and the hand agree, and what a model is
asked before each answer is how its row goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.core import chat_templates, rendering
from studio.core.answers import FIELDS, read
from studio.core.messages import Prompt
from studio.core.workspace import PRESETS
from studio.data.arrow_schema import Shape, tables
from studio.data.tokens.token_view import render
from studio.models.tokenization import answer_of, prompt_text, thinking_tokens, written_text
from studio.runs.recipe import Recipe
from studio.training.chat_rows import tokenized

WORDS = st.text("aeinst rlo.,é你", min_size=1, max_size=10).map(str.strip).filter(bool)
HEAD, QUIET = "<|im_start|>assistant\n", "<think>\n\n</think>\n\n"
TOOL = {"type": "function", "function": {"name": "where", "parameters": {}}}


@st.composite
def answers(draw: Any) -> dict[str, Any]:
    """An answer, perhaps after thinking (in any field), perhaps a call."""
    turn: dict[str, Any] = {"role": "assistant", "content": draw(WORDS)}
    if draw(st.booleans()):
        turn[draw(st.sampled_from(FIELDS))] = draw(WORDS)
    if draw(st.booleans()):
        call = {"name": "where", "arguments": {"of": draw(WORDS)}}
        turn |= {"content": "", "tool_calls": [{"type": "function", "function": call}]}
    return turn


@st.composite
def rows(draw: Any) -> dict[str, Any]:
    """A chat, perhaps with a system turn, tools, a tool's result, kwargs; perhaps left open."""
    turns: list[dict[str, Any]] = []
    if draw(st.booleans()):
        turns.append({"role": "system", "content": draw(WORDS)})
    for _ in range(draw(st.integers(1, 3))):
        turns.append({"role": draw(st.sampled_from(["user", "tool"])), "content": draw(WORDS)})
        turns.append(draw(answers()))
    if draw(st.booleans()):
        turns.append({"role": "user", "content": draw(WORDS)})
    row: dict[str, Any] = {"messages": turns}
    if draw(st.booleans()):
        row["tools"] = json.dumps([TOOL])
    if draw(st.booleans()):
        row[rendering.COLUMN] = {"enable_thinking": draw(st.booleans())}
    return row


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    own = AutoTokenizer.from_pretrained(PRESETS / "pocket")
    return chat_templates.with_chat_template(own, "chatml")


def stored(given: list[dict[str, Any]]) -> Any:
    """Rows as they come back from Arrow."""
    from datasets import Dataset

    shape = Shape()
    for row in given:
        shape.see(row)
    return Dataset(next(iter(tables([[dict(row) for row in given]], shape))))  # type: ignore[arg-type]


def by_hand(text: str) -> str:
    """The trained characters of a ChatML text, the others blank: what stands between the header
    of an answer (and the empty thinking that is given with it) and the next header."""
    kept, at = ["\0"] * len(text), 0
    while (start := text.find(HEAD, at)) >= 0:
        start += len(HEAD) + len(QUIET) * text.startswith(QUIET, start + len(HEAD))
        at = text.find("<|im_start|>", start)
        at = len(text) if at < 0 else at
        kept[start:at] = text[start:at]
    return "".join(kept)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(chats=st.lists(rows(), min_size=1, max_size=3), on=st.booleans())
def test_the_trainer_the_view_and_the_hand_agree(tokenizer: Any, chats: Any, on: bool) -> None:
    defaults = {"enable_thinking": on}
    given = [rendering.with_defaults(row, defaults) for row in chats]
    done = tokenized(Recipe.defaults("sft"), stored(given), tokenizer)
    assert not done.refused and not done.changed
    for row, asked, trained in zip(done.rows, given, chats, strict=True):
        [view] = render(
            trained, "conversational", tokenizer, max_length=None, chat_template_kwargs=defaults
        )
        assert [token.id for token in view.tokens] == row["input_ids"]
        lit = [token.id if token.trained else -100 for token in view.tokens]
        assert lit == row["labels"]
        messages = rendering.turns(asked["messages"], tokenizer)
        text = tokenizer.apply_chat_template(messages, tokenize=False, **rendering.options(asked))
        shown = "".join(t.text if t.trained else "\0" * len(t.text) for t in view.tokens)
        assert shown == by_hand(text)
        _asked_alike(tokenizer, asked, defaults, text)


def _asked_alike(tokenizer: Any, row: Any, defaults: Any, text: str) -> None:
    """Before each answer the row reads as the model is asked for it, and the answer is read back
    as it was."""
    kwargs = row[rendering.COLUMN]
    for at, turn in enumerate(row["messages"]):
        if turn["role"] != "assistant":
            continue
        tools = json.loads(row.get("tools", "[]"))
        prompt = prompt_text(
            tokenizer, Prompt(row["messages"][:at], tools, kwargs), False, defaults
        )
        assert text.startswith(prompt)
        written = text[len(prompt) :].partition("<|im_end|>")[0]
        found = read(written, prompt)
        thought = next((turn[name] for name in FIELDS if turn.get(name)), "")
        assert found.reasoning == (thought if kwargs["enable_thinking"] else "")
        assert found.spoken == turn["content"] and len(found.tool_calls) == ("tool_calls" in turn)


@pytest.mark.parametrize("written", ["<think>\nHm, well.\n</think>\n\nBy the river.", "Mill."])
def test_the_thinking_is_counted_in_tokens(tokenizer: Any, written: str) -> None:
    ids = tokenizer(written, add_special_tokens=False)["input_ids"]
    found, count = answer_of(tokenizer, ids), thinking_tokens(tokenizer, ids)
    assert bool(count) is bool(found.reasoning)
    assert read(written_text(tokenizer, ids[:count])).cut is False
    if count:
        assert read(written_text(tokenizer, ids[: count - 1])).cut
        assert thinking_tokens(tokenizer, ids[: count - 3]) == count - 3
