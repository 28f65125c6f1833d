"""Texts of people and models stand in the direction of their own first letter."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from components.compare import batch_html, chat_html
from components.compare.conversation import Chat, Turn
from components.data import row_html, token_view_html
from components.train import run_panel_html
from studio.data.tokens.token_view import Token, TokenView
from studio.generation.request import Answer, Sampling
from studio.workflows.comparisons import Comparison, Side

ASKED, SAID = "أين تنمو شجرة البلوط؟", "تنمو على التل (hill)، قرب النهر."
USER, ANSWER = {"role": "user", "content": ASKED}, {"role": "assistant", "content": SAID}
SIDES = (Side("base", "base", "pocket"), Side("tuned", "tuned", "pocket", "run-1"))
_VOID = {"br", "img", "input", "hr", "meta", "link"}


class Directions(HTMLParser):
    """For every text with a right-to-left letter, the `dir` of the nearest element that has one."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str | None] = []
        self.found: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append("auto" if tag == "bdi" else dict(attrs).get("dir"))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if any("\u0590" <= letter <= "\u06ff" for letter in data):
            self.found.append((data, next((d for d in reversed(self.open) if d), None)))


def _comparison() -> Comparison:
    cell = {"text": SAID, "tokens": 9, "ended": "stop", "error": None}
    prompts = [[{**USER}, {**ANSWER}, {**USER}]]
    return Comparison("comparison-1", "x", 0.0, SIDES, prompts, [[cell], [cell]], {}, "", [SAID])


def _chat() -> str:
    answers = [Answer(SAID, 9, "stop", None, ASKED, reasoning=SAID) for _ in SIDES]
    turn = Turn(ASKED, [[USER]] * 2, Sampling(), answers, [1.0, 1.0], done=True)
    return chat_html.chat(Chat(SIDES, "", (turn,))) + chat_html.prompts_given(turn, SIDES)


def _tokens() -> str:
    tokens = [Token(text, 5, True, False) for text in SAID.split(" ")]
    return token_view_html.token_view([TokenView("text", tokens, 6, 6, 6)], None)


SHOWN: dict[str, Callable[[], str]] = {
    "a chat": lambda: row_html.row_card({"messages": [USER, {**ANSWER, "thinking": SAID}]}),
    "a preference": lambda: row_html.row_card(
        {"prompt": [USER], "chosen": [ANSWER], "rejected": [{**ANSWER, "content": f"{SAID} لا"}]}
    ),
    "a prompt and its completion": lambda: row_html.row_card({"prompt": ASKED, "completion": SAID}),
    "a plain text": lambda: row_html.row_card({"text": SAID}),
    "other fields": lambda: row_html.row_card({"messages": [USER, ANSWER], "note": SAID}),
    "tokens": _tokens,
    "an open chat": _chat,
    "a set's prompt": lambda: batch_html.set_card(_comparison(), 0, True),
    "a set's table": lambda: batch_html.set_table(_comparison(), 0, [0]),
    "a run's samples": lambda: run_panel_html.samples(
        {"run": [{"step": 1, "prompt": ASKED, "answer": SAID}]}
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_text_takes_the_direction_of_its_first_letter(name: str) -> None:
    reader = Directions()
    reader.feed(SHOWN[name]())
    assert reader.found, "the text is shown"
    assert [text for text, direction in reader.found if direction != "auto"] == []
