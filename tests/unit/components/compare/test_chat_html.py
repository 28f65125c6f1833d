"""Chat and prompt sets as markup: a model cannot write HTML."""

from __future__ import annotations

from components.compare import batch_html, chat_html
from components.compare.chat_html import shared_text
from components.compare.conversation import Chat, Turn
from studio.generation.request import Answer, Sampling
from studio.workflows.comparisons import Comparison, Side

EVIL = "<img src=x onerror=alert(1)>"


SIDES = (Side("pocket (base)", "base", "pocket"), Side(EVIL, "tuned", "pocket", "run-1"))


def test_models_cannot_write_markup():
    asked = [[{"role": "user", "content": EVIL}]] * 2
    answers = [Answer(EVIL, 5, "stop", None, EVIL), Answer("", 0, "error", EVIL, EVIL)]
    turn = Turn(EVIL, asked, Sampling(), answers, [1.0, 1.0], done=True)
    chat = Chat(SIDES, "", (turn,))
    comparison = Comparison(
        "comparison-1",
        EVIL,
        0.0,
        SIDES,
        asked,
        [[{"text": EVIL, "tokens": 1, "ended": "stop", "error": None}] * 2] * 2,
        {},
        EVIL,
        [EVIL, None],
    )
    for markup in (
        chat_html.chat(chat),
        chat_html.prompts_given(turn, SIDES),
        batch_html.set_card(comparison, 0, True),
        batch_html.set_table(comparison, 0, [0, 1]),
        batch_html.set_summary(comparison),
    ):
        assert "<img" not in markup


def test_memory_is_given_by_model():
    sides = tuple(Side(name, "tuned", "pocket", name) for name in "xyz")
    held = [(0, 17_000_000, 0), (0, 17_000_000, 2_000_000), (1, 34_000_000, 0)]
    said = shared_text(False, sides, held)
    assert said.startswith("A and B share one copy of the weights, 17.0 MB; C has a copy")
    assert "the adapter of B adds 2.0 MB" in said
