"""A conversation: what each model is sent, and how it survives a refresh."""

from __future__ import annotations

from dataclasses import replace

from components.compare.conversation import Chat, Turn, bring_back, keep
from components.ui import access
from studio import Studio
from studio.generation.request import Answer, Sampling
from studio.workflows.comparisons import Side

SIDES = (Side("pocket (base)", "base", "pocket"), Side("pocket-sft", "tuned", "pocket", "run-1"))


EVIL = "<img src=x onerror=alert(1)>"


def test_a_chat_comes_back_as_it_was(tmp_path):
    studio = Studio(tmp_path / "home")
    sides = (Side("a", "base", "pocket"), Side("b", "tuned", "pocket", "run-1", checkpoint=20))
    asked = [[{"role": "user", "content": "Hello"}]] * 2
    answers = [Answer("x", 1, "stop", None, "Hello", (5, 6)), Answer("y", 1, "stop")]
    chat = Chat(
        sides,
        "Be brief.",
        (
            Turn("Hello", asked, Sampling(seed=4), answers, [0.1, 0.2], done=True),
            Turn("Unfinished", asked, Sampling(), answers),
        ),
        raw=True,
    )
    keep(studio, chat)
    back = bring_back(studio, chat.id)
    assert back is not None and (back.sides, back.system, back.raw) == (sides, "Be brief.", True)
    assert back.turns == chat.turns[:1]
    assert bring_back(studio, "chat-20200101-000000-0000") is None
    assert bring_back(studio, "../../etc/passwd") is None


def test_a_chat_comes_back_to_its_own_person_only(tmp_path, monkeypatch):
    studio = Studio(tmp_path / "home")
    asked = [[{"role": "user", "content": "Hello"}]] * 2
    turn = Turn("Hello", asked, Sampling(), [Answer("x"), Answer("y")], done=True)
    chat = Chat(SIDES, "", (turn,))
    monkeypatch.setattr(access, "person", lambda: access.Person("ben", owner=False, login=True))
    keep(studio, chat)
    assert bring_back(studio, chat.id) is not None
    monkeypatch.setattr(access, "person", lambda: access.Person("eve", owner=False, login=True))
    assert bring_back(studio, chat.id) is None


def test_all_models_can_continue_from_the_answers_of_one():
    sides = (Side("a", "base", "pocket"), Side("b", "tuned", "pocket", "run-1"))
    asked = [[{"role": "user", "content": "Hello"}]] * 2
    turn = Turn("Hello", asked, Sampling(), [Answer("x"), Answer("y")], done=True)
    chat = Chat(sides, "", (turn,))
    assert [chat.messages(at, "And?")[1]["content"] for at in (0, 1)] == ["x", "y"]
    chat = replace(chat, follow=1)
    assert chat.messages(0, "And?") == chat.messages(1, "And?")


def test_each_model_keeps_its_own_history():
    asked = [[{"role": "user", "content": "Hello"}]] * 2
    turn = Turn("Hello", asked, Sampling(), [Answer("a"), Answer("b")], [0.0, 0.0], done=True)
    chat = Chat(SIDES, "Be brief.", (turn,))
    first, second = chat.messages(0, "Next"), chat.messages(1, "Next")
    assert [m["content"] for m in first] == ["Be brief.", "Hello", "a", "Next"]
    assert second[2] == {"role": "assistant", "content": "b"}
    assert turn.same_question
