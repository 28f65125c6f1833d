"""A long conversation is found piece by piece as by the whole; the work grows with its turns."""

import copy
import random

import pytest

from studio.core import rendering
from studio.core.errors import ModelError
from studio.data.tokens import answer_mask, long_chats
from studio.data.tokens.answer_spans import Rendering
from tests.unit.data.tokens.random_chats import TOOL, words
from tests.unit.data.tokens.templates import CALL, dressed, said, templates
from tests.unit.data.tokens.templates import user as asks


def long_chat(seed, exchanges=14, system=True, calls=True):
    """Exchanges of which some think, some call a tool, and many say the same as others."""
    draw = random.Random(seed)
    turns = [{"role": "system", "content": "Be brief."}] if system and seed % 2 else []
    for _ in range(exchanges):
        turns.append(asks(draw.choice(["And?", words(draw, len(turns), "u")])))
        if calls and draw.random() < 0.2:
            turns += [said("", tool_calls=[CALL]), {"role": "tool", "name": "add", "content": "5"}]
        turns.append(said(draw.choice(["Yes", words(draw, len(turns), "a")])))
        if draw.random() < 0.5:
            turns[-1]["reasoning_content"] = words(draw, len(turns), "t")
    return turns if seed % 3 else [*turns, asks("And?")]


def by_whole(row, tokenizer, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(long_chats, "LONG", 10_000)
        return answer_mask.mask(row, tokenizer)


@pytest.mark.parametrize("name", templates())
def test_pieces_and_the_whole_find_the_same(tokenizer, name, monkeypatch):
    monkeypatch.setattr(long_chats, "LONG", 6)  # as long ones, in less time
    monkeypatch.setattr(long_chats, "PIECE", 2)
    tokenizer = dressed(tokenizer, name)
    found = 0
    for seed, calls in ((4, True), (9, False)):
        messages = long_chat(seed, exchanges=8, system=False, calls=calls)
        row = {"messages": messages, "tools": [TOOL]}
        try:
            wanted = by_whole(row, tokenizer, monkeypatch)
        except ModelError:  # the template knows no tools, or writes them within an answer
            assert calls
            continue
        turns = rendering.turns(row["messages"], tokenizer)
        found += bool(long_chats.answers(Rendering(turns, tokenizer, rendering.options(row))))
        assert answer_mask.mask(row, tokenizer) == wanted
    assert found, "no chat of this template came apart"


def chain(calls, more=()):
    """One question, calls with their results, and an answer; the calls think."""
    turns = [asks("Sum?")]
    for n in range(calls):
        turns.append(said("", tool_calls=[CALL], reasoning_content=f"Add {n}."))
        turns.append({"role": "tool", "name": "add", "content": str(n)})
    return [*turns, said("Done."), *more]


def counted(tokenizer, messages):
    """Messages rendered for a conversation, in all renderings together."""
    tokenizer, seen = copy.copy(tokenizer), []
    render = tokenizer.apply_chat_template

    def spied(messages, *args, **kwargs):
        seen.append(len(messages))
        return render(messages, *args, **kwargs)

    tokenizer.apply_chat_template = spied
    masked = answer_mask.mask({"messages": messages, "tools": [TOOL]}, tokenizer)
    assert any(masked.trained)
    return sum(seen)


@pytest.mark.parametrize("name", ["qwen3", "gptoss", "llama3_2"])
def test_the_work_grows_with_the_turns(tokenizer, name):
    tokenizer = dressed(tokenizer, name)
    once, twice = (counted(tokenizer, long_chat(2, size, calls=False)) for size in (48, 96))
    assert twice < 2.5 * once


@pytest.mark.parametrize("name", ["qwen3", "qwen2_5", "glm4moe"])
def test_the_work_on_a_chain_of_calls_grows_with_its_turns(tokenizer, name):
    tokenizer = dressed(tokenizer, name)
    once, twice = (counted(tokenizer, chain(size)) for size in (48, 96))
    assert twice < 2.5 * once


@pytest.mark.parametrize("name", templates())
def test_a_chain_of_calls_is_found_piece_by_piece_as_by_the_whole(tokenizer, name, monkeypatch):
    monkeypatch.setattr(long_chats, "LONG", 6)
    monkeypatch.setattr(long_chats, "PIECE", 2)
    tokenizer = dressed(tokenizer, name)
    for more in ((), [asks("And?"), said("Yes.")]):
        row = {"messages": chain(9, more), "tools": [TOOL]}
        try:
            wanted = by_whole(row, tokenizer, monkeypatch)
        except ModelError:
            continue  # the template knows no tools, or writes them within an answer
        assert answer_mask.mask(row, tokenizer) == wanted


# Each writes a turn by what stands far from it, in its own way.
FAR = {
    "numbers turns": "{{ '<|im_start|>' + m.role + loop.index|string + '\n' }}",
    "names the first": "{{ '<|im_start|>' + m.role + messages[2].content + '\n' }}",
    "counts the rest": "{{ '<|im_start|>' + m.role + loop.revindex|string + '\n' }}",
    "reminds late": "{% if loop.index > 20 %}{{ '(late)' }}{% endif %}"
    "{{ '<|im_start|>' + m.role + '\n' }}",
}


@pytest.mark.parametrize("header", FAR.values(), ids=FAR)
def test_a_template_that_looks_far_is_found_by_the_whole(tokenizer, header, monkeypatch):
    tokenizer = dressed(tokenizer, "chatml")
    tokenizer.chat_template = (
        "{% for m in messages %}" + header + "{{ m.content + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    row = {"messages": long_chat(2, calls=False)}
    try:
        wanted = by_whole(row, tokenizer, monkeypatch)
    except ModelError as refused:
        with pytest.raises(ModelError, match=str(refused)[:60]):
            answer_mask.mask(row, tokenizer)
    else:
        assert answer_mask.mask(row, tokenizer) == wanted
    assert not long_chats.answers(Rendering(row["messages"], tokenizer))


def test_a_short_chat_is_found_by_the_whole_and_a_chain_in_pieces(tokenizer):
    tokenizer = dressed(tokenizer, "qwen3")
    short = rendering.turns(long_chat(2, exchanges=6), tokenizer)
    assert not long_chats.answers(Rendering(short, tokenizer))
    assert any(answer_mask.mask({"messages": short}, tokenizer).trained)
    for more in ((), [asks("And?"), said("Yes.")]):
        turns = rendering.turns(chain(40, more), tokenizer)
        assert long_chats.answers(Rendering(turns, tokenizer))
