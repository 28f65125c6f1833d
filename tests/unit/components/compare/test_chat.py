"""The Chat sub-tab: nothing is shared, and what fails leaves the conversation as it was."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace

import gradio as gr
import pytest

from components.compare import answers, chat
from components.compare.chat import ChatTab
from components.compare.controls import Controls
from components.compare.conversation import Chat, Turn, keep
from components.ui.visitor_quota import Visits
from studio import Studio
from studio.core.errors import DataError
from studio.generation.request import Answer, Sampling, Snapshot
from studio.workflows.comparisons import Side

SIDES = (Side("a", "base", "pocket"), Side("b", "tuned", "pocket", "run-1"))
ASKED = [[{"role": "user", "content": "Hello"}]] * 2
WORDS = [Answer("x", 1, "stop"), Answer("y", 1, "stop")]
TURN = Turn("Hello", ASKED, Sampling(), WORDS, [0.1, 0.2], done=True)


class Answered:
    """A generation that has ended; its answers are `words`."""

    finished = True

    def __init__(self, *words: str):
        self.words = words

    def wait(self, seconds: float) -> bool:
        return True

    def cancel(self) -> None:
        pass

    def snapshot(self) -> Snapshot:
        answers = [[Answer(word, 1, "stop")] for word in self.words]
        return Snapshot(answers, True, False, None, 0.1, 2, True, False)


@pytest.fixture
def tab(tmp_path, monkeypatch):
    studio = Studio(tmp_path / "home")
    with gr.Blocks():
        left = Controls(studio, SimpleNamespace())
        left.lay_out()
        tab = ChatTab(studio, left, Visits(studio))
        tab.lay_out()
    monkeypatch.setattr(chat, "sides", lambda studio, columns: SIDES)
    monkeypatch.setattr(tab.answers.visits, "generate", lambda request: Answered("one", "two"))
    yield tab
    studio.close()


def typed(tab: ChatTab, talk: Chat, prompt: str = "", saved: str = "") -> dict:
    """What a browser sends with a prompt."""
    widgets = {widget: widget.value for widget in tab.left.inputs}
    return widgets | {tab.chat: talk, tab.prompt: prompt, tab.result: "", tab.saved: saved}


def test_a_conversation_comes_back_unless_another_has_begun(tab: ChatTab) -> None:
    kept = Chat(SIDES, turns=(TURN,))
    keep(tab.studio, kept)
    fresh = Chat()
    asked = {tab.saved: kept.id, tab.chat: fresh, tab.left.opening: None}
    found = tab.restore(asked)
    assert (found[tab.chat].id, found[tab.chat].turns) == (kept.id, kept.turns)
    assert fresh.turns == ()
    begun = Chat(SIDES, turns=(TURN,))
    assert tab.restore({**asked, tab.chat: begun}) == gr.skip()
    # A run's "Compare" that opens the tab for the first time since a refresh.
    assert tab.restore({**asked, tab.left.opening: {"runs": ["run-1"]}}) == gr.skip()


def test_an_empty_chat_says_what_there_is_as_the_page_opens(
    tab: ChatTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs may have finished since the app began, which is when the tab was laid out."""
    opened = {tab.saved: "", tab.chat: Chat(), tab.left.opening: None}
    assert "No finished run" in tab.view.value
    assert "No finished run" in tab.restore(opened)[tab.view]
    monkeypatch.setattr(chat, "finished", lambda studio: ["a run"])
    assert "Ask both models" in tab.restore(opened)[tab.view]


def test_a_prompt_sent_before_the_conversation_is_back_continues_it(tab: ChatTab) -> None:
    kept = Chat(SIDES, turns=(TURN,))
    keep(tab.studio, kept)
    *_, last = tab.ask(typed(tab, Chat(), "And you?", kept.id))
    assert [turn.prompt for turn in last[tab.chat].turns] == ["Hello", "And you?"]
    assert (last[tab.chat].id, last[tab.saved]) == (kept.id, kept.id)
    assert last[tab.chat].turns[-1].spent == [0.1, 0.1]  # also of answers that ended at once


def test_two_browsers_share_no_conversation(tab: ChatTab) -> None:
    first = tab.chat.value  # what `gr.State` hands to every browser
    one = list(tab.ask(typed(tab, first, "Hello")))[-1][tab.chat]
    other = list(tab.ask(typed(tab, first, "Good day")))[-1][tab.chat]
    assert first.turns == ()
    assert [turn.prompt for turn in one.turns] == ["Hello"]
    assert [turn.prompt for turn in other.turns] == ["Good day"]
    with pytest.raises(FrozenInstanceError):
        first.turns = one.turns
    tab.mark_differences(one)
    tab.edit_last(one)
    again = list(tab.ask_again(typed(tab, one)))
    assert "Greedy always gives the same answer" in again[0][tab.message]
    assert (one.marked, len(one.turns)) == (False, 1)


def test_answers_are_scored_where_a_reward_is_chosen(tab: ChatTab) -> None:
    assert "There is no run 'gone'" in tab.answers.scored(TURN, "model:gone")[1]
    scored, problem = tab.answers.scored(TURN, "length:1-1")
    assert (problem, scored.rewards, TURN.rewards) == ("", [1.0, 1.0], ())


def test_visitors_run_no_judge_and_no_code(tab: ChatTab, monkeypatch) -> None:
    monkeypatch.setattr(answers, "visitor", lambda: "somebody")
    for reward in ("judge:base:pocket", "code:tests", "length:1-1"):
        assert "reward models only" in tab.answers.scored(TURN, reward)[1]


def test_an_answer_that_is_refused_anew_stays(tab: ChatTab) -> None:
    def refuse(request):
        raise DataError("A visitor gets 3 answers per hour.")

    tab.answers.visits = SimpleNamespace(generate=refuse)
    talk = Chat(SIDES, turns=(replace(TURN, sampling=Sampling(temperature=1)),))
    [update] = tab.ask_again(typed(tab, talk))
    assert "3 answers per hour" in update[tab.message] and tab.chat not in update


def test_a_result_is_sent_as_the_tools_turn_and_asked_for_only_after_a_call(tab, monkeypatch):
    call = '<tool_call>\n{"name": "where", "arguments": {}}\n</tool_call>'
    sent = []

    def answer(*words):
        def generate(request):
            sent.append([column.prompts[0] for column in request.columns])
            return Answered(*words)

        monkeypatch.setattr(tab.answers.visits, "generate", generate)

    answer(call, call)
    *_, last = tab.ask(typed(tab, Chat(), "Where?"))
    talk = last[tab.chat]
    assert last[tab.result_row]["visible"] and last[tab.result]["label"] == "Result of where"
    answer("Here.", "There.")
    *_, last = tab.give_result({**typed(tab, talk), tab.result: "By the river."})
    assert [turn["role"] for turn in sent[-1][0]] == ["user", "assistant", "tool"]
    assert not last[tab.result_row]["visible"] and last[tab.chat].turns[-1].role == "tool"
    *_, said = tab.give_result({**typed(tab, last[tab.chat]), tab.result: "Again"})
    assert "calls no tool" in said[tab.message]
    back = tab.edit_last(last[tab.chat])
    assert back[tab.prompt] == "" and back[tab.result]["value"] == "By the river."


def choose(tab: ChatTab, monkeypatch, *models: str) -> tuple[Side, ...]:
    """Other models in the lists."""
    chosen = tuple(Side(name, "tuned", "pocket", name) for name in models)
    monkeypatch.setattr(chat, "sides", lambda studio, columns: chosen)
    return chosen


def test_another_pair_begins_a_new_chat_and_the_former_goes_on_with_its_own(tab, monkeypatch):
    *_, last = tab.ask(typed(tab, Chat(), "Hello"))
    talk = last[tab.chat]
    same = typed(tab, talk) | {tab.former: {}}
    assert tab.switched(same) == gr.skip(), "the same models"
    choose(tab, monkeypatch, "one", "two")
    new = tab.switched(same)
    assert new[tab.chat].turns == () and new[tab.saved] == "" and "new chat" in new[tab.message]
    assert "Hello" not in new[tab.view] and tab.prompt not in new, "what is being typed stays"
    monkeypatch.setattr(chat, "sides", lambda studio, columns: SIDES)
    back = tab.switched(typed(tab, Chat()) | {tab.former: new[tab.former]})
    assert (back[tab.chat].id, back[tab.saved]) == (talk.id, talk.id)
    busy = replace(talk, live=SimpleNamespace(finished=False))
    choose(tab, monkeypatch, "one", "two")
    assert tab.switched(typed(tab, busy) | {tab.former: {}}) == gr.skip()


def test_another_tab_opens_a_pair_and_may_ask_at_once(tab, monkeypatch):
    choose(tab, monkeypatch, "sft", "dpo")
    old = Chat(SIDES, turns=(TURN,))
    sent = typed(tab, old) | {tab.former: {}}

    def opening(runs: tuple[str, ...], prompt: str) -> dict:
        wanted = {"runs": runs, "prompt": prompt}
        return {tab.left.opening: wanted, tab.left.taken: wanted}

    [update] = tab.opened(sent | opening(("dpo",), ""))
    assert update[tab.chat].turns == ()
    *_, last = tab.opened(sent | opening(("sft", "dpo"), "Who?"))
    assert [turn.prompt for turn in last[tab.chat].turns] == ["Who?"]
    assert last[tab.chat].id != old.id and len(last[tab.chat].turns[-1].answers) == 2
    assert list(tab.opened(sent | {tab.left.opening: None})) == []


def test_the_lists_stay_under_an_open_chat_and_come_back_with_it(tab, monkeypatch):
    left = tab.left
    left.chat = tab.chat
    sent = typed(tab, Chat(SIDES, turns=(TURN,))) | {left.seen: None}
    listed = left.freshen(sent)
    assert all("value" not in listed[choice] for choice in left.choices)
    listed = left.freshen(sent | {tab.chat: Chat()})
    assert listed[left.choices[0]]["value"] == "base:pocket"
    values = [left.chosen(SIDES)[choice]["value"] for choice in left.choices]
    assert values == ["base:pocket", "run:run-1", "", ""]
