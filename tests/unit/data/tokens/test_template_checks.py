"""Notes on chat templates: what is wrong and how to fix it."""

import pytest

from studio.core.errors import ModelError
from studio.data.tokens.template_checks import dropped_turns, notes
from studio.data.tokens.token_view import render
from tests.unit.data.making import TWO, USER


def notes_of(row, type, tokenizer, **options):
    return " ".join(render(row, type, tokenizer, max_length=None, **options)[0].notes)


def test_a_wrong_template_is_explained_with_a_remedy(tokenizer):
    from copy import deepcopy

    tokenizer = deepcopy(tokenizer)
    system = [{"role": "system", "content": "Be kind."}, *TWO[:2]]
    tokenizer.chat_template = (
        "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}{{ eos_token }}"
    )
    all_tokens = {"assistant_only_loss": False}
    told = notes_of({"messages": system}, "conversational", tokenizer, **all_tokens)
    assert "drops the system turn" in told and "first user turn" in told
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('No system.') }}"
        "{% endif %}{{ m.content }}{% endfor %}"
    )
    with pytest.raises(ModelError, match=r"rejects the system turn: No system\. Choose another"):
        render({"messages": system}, "conversational", tokenizer, max_length=None)
    assert "does not end with the end-of-text token" in notes_of(
        {"messages": TWO[:2]}, "conversational", tokenizer
    )
    tokenizer.bos_token = tokenizer.eos_token
    tokenizer.chat_template = (
        "{{ bos_token }}{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    told = notes_of({"messages": TWO[:2]}, "conversational", tokenizer)
    assert "two beginning-of-text tokens" in told and "choose another chat template" in told


def test_an_end_mark_outside_the_generation_marks_is_trained_all_the_same(tokenizer):
    from copy import deepcopy

    tokenizer = deepcopy(tokenizer)
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
        "{% endgeneration %}{{ eos_token }}{% else %}{{ m.content }}{% endif %}{% endfor %}"
    )
    view = render({"messages": TWO}, "conversational", tokenizer, max_length=None)[0]
    ends = [token.trained for token in view.tokens if token.id == tokenizer.eos_token_id]
    assert ends == [True] * len(TWO[1::2]) and view.notes == []


def test_an_end_that_is_masked_is_said(tokenizer):
    ids = [*tokenizer("one two", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    lit = [True] * (len(ids) - 1) + [False]
    told = " ".join(notes(ids, lit, len(ids), tokenizer))
    assert "is masked, so the model does not learn to stop. Choose another chat template." in told


def test_a_spelled_mark_and_a_dropped_tool_call_are_said(tokenizer):
    from studio.core.chat_templates import with_chat_template

    told = notes_of({"messages": TWO}, "conversational", with_chat_template(tokenizer, "chatml"))
    assert "no token <|im_start|>" in told
    call = {"type": "function", "function": {"name": "lookup", "arguments": "{}"}}
    row = {"messages": [*USER, {"role": "assistant", "content": "", "tool_calls": [call]}]}
    zephyr = with_chat_template(tokenizer, "zephyr")
    told = notes_of(row, "conversational", zephyr, assistant_only_loss=False)
    assert "omits the tool call of turn 2" in told
    with pytest.raises(ModelError, match="chat template leaves out turn 2"):
        notes_of(row, "conversational", zephyr)


def test_what_a_limit_cuts_off_is_noted(tokenizer):
    ids = tokenizer("one two three", add_special_tokens=False)["input_ids"]
    ids.append(tokenizer.eos_token_id)
    lit = [False] * (len(ids) - 1) + [True]
    assert notes(ids, lit, len(ids), tokenizer) == []
    told = " ".join(notes(ids, lit, 2, tokenizer))
    assert "Raise" in told and f"{len(ids):,} tokens" in told
    assert notes(ids, [False] * len(ids), len(ids), tokenizer, asks=True) == []


def test_a_template_that_shows_every_turn_drops_none(tokenizer):
    assert dropped_turns({"messages": TWO}, tokenizer) == []
    assert dropped_turns({"text": "no turns"}, tokenizer) == []
