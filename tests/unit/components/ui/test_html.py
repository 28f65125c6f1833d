"""Markup of every tab: whatever it is given is escaped."""

from __future__ import annotations

import pytest

from components.data import row_html
from components.page import header
from components.ui import html

ATTACK = '<img src=x onerror="alert(1)"> & ${1+1} {{x}}'


SAFE = "&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; ${1+1} {{x}}"


@pytest.mark.parametrize(
    "markup",
    [
        html.esc(ATTACK),
        html.empty_state(ATTACK, ATTACK, ATTACK),
        html.notice("error", ATTACK, ATTACK),
        html.chips([ATTACK, (ATTACK, "good"), (ATTACK, "good", ATTACK)]),
        html.section(ATTACK, ATTACK),
        html.progress_bar(1, 2, ATTACK),
        html.key_hint([(ATTACK, ATTACK)]),
        row_html.row_card({"messages": [{"role": ATTACK, "content": ATTACK}], ATTACK: ATTACK}),
        row_html.row_card({"prompt": ATTACK, "chosen": ATTACK, "rejected": f"{ATTACK} no"}),
        row_html.row_card({"prompt": ATTACK, "answer1": ATTACK, "answer2": ATTACK}),
        row_html.row_card({"prompt": ATTACK, "completion": ATTACK, "label": False}),
        row_html.row_card({"text": ATTACK}),
        header.stepper([(ATTACK, "now")], ATTACK),
    ],
)
def test_untrusted_text_is_escaped(markup):
    assert "<img" not in markup
    assert "&lt;img src" in markup or "&lt;</mark>" in markup or "&lt;img" in markup


def test_a_whole_text_survives_in_a_card():
    assert SAFE in row_html.row_card({"text": ATTACK})


def test_sides_mark_what_only_one_says():
    row = {"prompt": "Q", "chosen": "He lives in Alderford.", "rejected": "He lives in Coldwell."}
    card = row_html.row_card(row)
    assert "<mark>Alderford</mark>" in card
    assert "<mark>Coldwell</mark>" in card
