"""Random conversations through every template at hand: what is lit is what the model writes, and
the token view shows the same, cut off or not."""

import re

import pytest

from studio.core.errors import ModelError
from studio.data.tokens.answer_mask import mask
from studio.data.tokens.token_view import render
from tests.unit.data.tokens.random_chats import KINDS, TOOL, chat
from tests.unit.data.tokens.templates import dressed, templates

SEEDS = {**dict.fromkeys(KINDS, 1), "all": 2}
# Their templates write a thought of the prompt's own, or leave thinking out, by their own words.
EXPLAINED = ("Choose another chat template", "cannot be rendered", "refuses this row")


def row_of(seed, kind):
    tools = {"tools": [TOOL]} if kind in ("tools", "all") else {}
    return {"messages": chat(seed, kind), **tools}


def rendered(tokenizer, row, count=None, asks=False):
    return tokenizer.apply_chat_template(
        row["messages"][:count], tools=row.get("tools"), tokenize=False, add_generation_prompt=asks
    )


def by_hand(tokenizer, row):
    """Each answer's span where the whole begins with the prompt and with the prompt and answer."""
    whole, spans = rendered(tokenizer, row), {}
    for at, turn in enumerate(row["messages"]):
        if turn["role"] != "assistant":
            continue
        asked = rendered(tokenizer, row, at, asks=True)
        through = rendered(tokenizer, row, at + 1)
        if whole.startswith(asked) and whole.startswith(through) and through.startswith(asked):
            spans[at] = (len(asked), len(through))
    return spans


def lit_characters(tokenizer, row, masked):
    encoded = tokenizer(
        rendered(tokenizer, row), add_special_tokens=False, return_offsets_mapping=True
    )
    assert encoded["input_ids"] == masked.ids
    pairs = zip(encoded["offset_mapping"], masked.trained, strict=True)
    return {at for (start, end), lit in pairs if lit for at in range(start, end)}


def masked_or_refused(row, tokenizer, kind):
    try:
        return mask(row, tokenizer)
    except ModelError as refused:
        assert any(words in str(refused) for words in EXPLAINED), str(refused)
        assert kind != "plain"
        return None


@pytest.mark.parametrize("name", templates())
def test_what_is_lit_is_what_the_model_writes(tokenizer, name):
    tokenizer = dressed(tokenizer, name)
    for kind in KINDS:
        for seed in range(SEEDS[kind]):
            row = row_of(seed, kind)
            masked = masked_or_refused(row, tokenizer, kind)
            if masked is not None:
                check(tokenizer, row, masked)


def check(tokenizer, row, masked):
    whole, lit = rendered(tokenizer, row), lit_characters(tokenizer, row, masked)
    for mark in re.finditer(r"[saut]\d+q", whole):
        place = set(range(*mark.span()))
        if mark[0][0] in "su":
            assert not place & lit, f"{mark[0]} is trained"
        elif mark[0][0] == "a":
            assert place <= lit, f"{mark[0]} is not trained"
    if not masked.changed:
        spans = by_hand(tokenizer, row)
        hand = {at for span in spans.values() for at in range(*span)}
        assert hand <= lit
        answers = sum(turn["role"] == "assistant" for turn in row["messages"])
        if len(spans) == answers:  # but for tokens that begin in the prompt
            starts = {start for start, _ in spans.values()}
            assert all(any(at < start <= at + 2 for start in starts) for at in lit - hand)


@pytest.mark.parametrize("name", templates())
def test_the_view_lights_what_is_labeled_and_cuts_at_the_end(tokenizer, name):
    tokenizer = dressed(tokenizer, name)
    row = row_of(1, "all")
    masked = masked_or_refused(row, tokenizer, "all")
    if masked is None:
        row = row_of(1, "plain")
        masked = mask(row, tokenizer)
    for most in (None, 9, 40):
        [view] = render(row, "conversational", tokenizer, max_length=most)
        assert [token.id for token in view.tokens] == masked.ids
        assert [token.trained for token in view.tokens] == masked.trained
        assert view.kept == min(most or len(masked.ids), len(masked.ids))
        assert view.trained == sum(masked.trained[: view.kept])
