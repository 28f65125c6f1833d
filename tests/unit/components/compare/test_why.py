"""The rows behind an answer as markup, and what the panel asks and refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from components.compare import chat_html, why_html
from components.compare.conversation import Chat, Turn
from components.compare.why_panel import WhyPanel
from studio.core.errors import ConfigError
from studio.generation.request import Answer, Sampling
from studio.runs.store import Run
from studio.workflows.claims import Check
from studio.workflows.comparisons import Side

EVIL = "<img src=x onerror=alert(1)>"
ROW = {
    **{"score": 0.8, "dataset": EVIL, "dataset_id": "dataset-1", "row": 4, "prompt": EVIL},
    **{"answer": "A hedgehog.", "rejected": EVIL, "shared": ["hedgehog"], "stands_out": True},
    "votes": {"item": "item-1", "voters": 2, "agreement": 1.0},
}
FOUND = {
    "run": "run-1",
    "answer": EVIL,
    "base": {"said": "The base says this too."},
    "learned": [
        {
            **{"name": EVIL, "parent": False, "said": "Nothing stands out.", "rows": 1800},
            **{"standing_out": 1, "for": [ROW], "against": [{**ROW, "stands_out": False}]},
            "datasets": [{"dataset": EVIL, "rows": 9, "for": 1, "against": 0}],
        },
        {
            "name": "parent",
            "parent": True,
            "said": "no rows",
            "for": [],
            "against": [],
            "datasets": [],
        },
    ],
}


def test_rows_are_escaped_and_the_shared_words_lit():
    checks = [Check(cast(Run, SimpleNamespace(name=EVIL)), 2, 0.6, None)]
    markup = why_html.report({**FOUND, "name": "first"}, 0.4, checks)
    assert "<img" not in markup
    assert 'data-open="4" data-dataset="dataset-1"' in markup  # its place in Data, one click away
    assert "<mark>hedgehog</mark>" in markup and "row 5 \N{MIDDLE DOT} 2 votes, 100" in markup
    assert "0.40 nats a token under first" in markup and "learned in parent" in markup
    assert "0.60 (+0.20); no duel of the two yet" in markup
    assert why_html.choices(FOUND) == [("row 5 (+0.80)", "dataset-1:4")]
    assert why_html.standing_out(FOUND) == ["dataset-1:4"]
    assert why_html.places(["dataset-1:4"]) == [("dataset-1", 4)]


def chat_of(answer: str = "It is sweet.") -> Chat:
    sides = (Side("pocket", "base", "pocket"), Side("tuned", "tuned", "pocket", "run-1"))
    asked = [[{"role": "user", "content": "What?"}]] * 2
    answers = [Answer(answer, 5, "stop", None, "What?")] * 2
    return Chat(sides, "", (Turn("What?", asked, Sampling(), answers, [1.0, 1.0], done=True),))


def test_only_tuned_answers_have_a_button():
    assert chat_html.chat(chat_of()).count("data-why=") == 1
    assert 'data-why="B"' in chat_html.chat(chat_of())
    assert "data-why" not in chat_html.chat(chat_of(" "))


def test_what_cannot_be_asked_is_one_sentence():
    panel = WhyPanel.__new__(WhyPanel)
    for chat, which, words in (
        (Chat(), "answer B", "Send a prompt first"),
        (chat_of(), "answer A", "pocket was not trained here"),
        (chat_of(), "answer D", "There is no answer D"),
    ):
        with pytest.raises(ConfigError, match=words):
            panel._asked(chat, which, "")
