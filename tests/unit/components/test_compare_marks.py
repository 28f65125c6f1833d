"""Differences, tokens and scores as markup: right, and always escaped."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from components.compare import batch_html, diff_html, evaluation_html, reward_html
from components.compare.chat import ChatTab
from components.compare.chat_html import shared_text
from components.compare.controls import Controls
from components.compare.conversation import Chat, Turn, bring_back, keep
from components.compare.reward_panel import RewardPanel
from components.ui.prompt_sets import PromptSet
from components.ui.visitor_quota import Visits
from studio import Studio
from studio.core.errors import ConfigError, DataError
from studio.core.workspace import new_id
from studio.evaluation.token_logprobs import AnswerReading, TokenReading
from studio.generation.request import Answer, Sampling
from studio.labels import llm_judge
from studio.workflows.comparisons import Comparison, Side, load, save

EVIL = "<img src=x onerror=alert(1)>"


def test_only_what_differs_is_marked():
    first, second = diff_html.differences(["The sky is blue.", "The sky is very blue."])
    assert first == "The sky is blue."
    assert second.replace("<mark>", "").replace("</mark>", "") == "The sky is very blue."
    assert second.count("<mark>") == 1 and "very" in second.split("<mark>")[1]
    one, other = diff_html.differences([EVIL, "yes"])
    assert "<img" not in one and "<mark>" in one and other == "<mark>yes</mark>"
    assert diff_html.differences([EVIL]) == ["&lt;img src=x onerror=alert(1)&gt;"]


def test_tokens_say_by_how_much():
    near = ((EVIL, -0.1), ("b", -2.0))
    reading = AnswerReading(
        ("base", EVIL),
        [TokenReading(EVIL, (-2.0, -0.5), (near, near))],
        (-2.0, -0.5),
        (None, 0.15),
        (None, None),
    )
    markup = diff_html.tokens(reading)
    assert "<img" not in markup and 'class="token up" style="--s:0.50"' in markup
    assert "log-ratio +1.50" in markup and "implicit reward +0.15" in markup
    assert "60.7 %" in markup  # exp(-0.5)
    gone = AnswerReading(("base",), [], (None,), (None,), ("It is gone.",))
    assert "base: It is gone." in diff_html.tokens(gone)


def test_scores_are_told_with_their_intervals():
    figure = {"value": 1.5, "low": 1.25, "high": 1.75, "count": 4}
    found = {
        "data": EVIL,
        "rows": 4,
        "columns": [
            {"label": EVIL, "error": None, "metrics": {"loss": figure}},
            {"label": "gone", "error": EVIL, "metrics": {}},
        ],
        "differences": [{"a": EVIL, "b": "base", "metrics": {"loss": figure}}],
    }
    markup = evaluation_html.result(found)
    assert "<img" not in markup and "1.25 to 1.75" in markup and 'class="forest"' in markup


def test_filters_leave_the_prompts_they_name():
    def cells(*texts: str) -> list[dict]:
        return [
            {"text": t, "tokens": len(t), "ended": "stop" if t else "error", "error": None}
            for t in texts
        ]

    prompts = [[{"role": "user", "content": f"Question {n}"}] for n in range(3)]
    sides = (Side("a", "base", "pocket"), Side("b", "tuned", "pocket", "run-1"))
    comparison = Comparison(
        "comparison-1",
        "x",
        0.0,
        sides,
        prompts,
        [cells("same", "short", "one"), cells("same", "much longer", "")],
        {},
    )
    left = {name: batch_html.matching(comparison, name, "") for name in batch_html.FILTERS}
    assert left == {
        "all": [0, 1, 2],
        "different": [1, 2],
        "same": [0],
        "B longer": [1],
        "B shorter": [2],
        "cut or failed": [2],
        "best of its prompt": [],
    }
    assert batch_html.matching(comparison, "all", "LONGER") == [1]
    assert batch_html.matching(comparison, "all", "question 2") == [2]


def test_a_scored_comparison_shows_rewards_and_the_best_of_n():
    prompts = [[{"role": "user", "content": name}] for name in "ppqq"]
    cells = [{"text": f"say {n}", "tokens": 1, "ended": "stop", "error": None} for n in range(4)]
    sides = (Side("a", "base", "pocket"), Side(EVIL, "tuned", "pocket", "run-1"))
    plain = Comparison("comparison-1", "x", 0.0, sides, prompts, [cells, cells], {})
    assert "kept apart from people" in reward_html.worth(plain)
    given = [[1.0, 0.0, 0.5, 0.5], [0.0, 2.0, 3.0, None]]
    found = replace(plain, rewards=given, reward="length:3-28")
    assert batch_html.matching(found, "best of its prompt", "") == [0, 1, 2]
    assert found.scored(1)[1:] == ([["say 0", "say 1"], ["say 2"]], [[0.0, 2.0], [3.0]])
    card = batch_html.set_card(found, 1)
    assert "<b>reward 0</b>" in card and "<b>reward 2, best of 2</b>" in card
    assert "<b></b>" in batch_html.set_card(plain, 1)
    drawn = reward_html.worth(found)
    assert "<img" not in drawn and "length:3-28: 2 prompts" in drawn
    assert "best of 2: 0.75" in drawn  # of column A: 1 and 0.5


def test_answers_are_scored_and_the_best_become_rows(tmp_path):
    studio = Studio(tmp_path / "home")
    with gr.Blocks():
        panel = RewardPanel(studio)
        panel.lay_out()
    prompts = [[{"role": "user", "content": name}] for name in "ppqq"]
    cells = [
        {"text": text, "tokens": 1, "ended": "stop", "error": None}
        for text in ("one", "one two", "one two three", "")
    ]
    sides = (Side("a", "base", "pocket"),)
    cells[3]["ended"] = "cancelled"
    made = Comparison(new_id("comparison"), "x", 0.0, sides, prompts, [cells], {})
    save(studio, made)

    def refused(comparison: Comparison | None, reward: str) -> str:
        return list(panel.score(comparison, reward))[-1][panel.progress]

    try:
        assert "Answer some prompts first" in refused(None, "length:2-3")
        assert "Score tab" in refused(made, "exact")
        assert "Choose a reward model" in refused(made, " ; ")
        assert refused(made, "length:2-3; pattern:three") == ""
        kept = load(studio, made.id)
        assert (kept.rewards, kept.reward) == ([[0, 1, 2, None]], "length:2-3; pattern:three")
        assert "Score the answers first" in panel.keep_best(made, 0, "")
        assert "Kept 2 rows as mine" in panel.keep_best(kept, 0, "mine")
        rows = studio.datasets.get("mine").head(2, "train")
        assert [row["completion"][0]["content"] for row in rows] == ["one two", "one two three"]
    finally:
        studio.close()


def test_a_chat_comes_back_as_it_was(tmp_path):
    studio = Studio(tmp_path / "home")
    sides = (Side("a", "base", "pocket"), Side("b", "tuned", "pocket", "run-1", checkpoint=20))
    asked = [[{"role": "user", "content": "Hello"}]] * 2
    answers = [Answer("x", 1, "stop", None, "Hello", (5, 6)), Answer("y", 1, "stop")]
    chat = Chat(
        sides,
        "Be brief.",
        [
            Turn("Hello", asked, Sampling(seed=4), answers, [0.1, 0.2], done=True),
            Turn("Unfinished", asked, Sampling(), answers),
        ],
        raw=True,
    )
    keep(studio, chat)
    back = bring_back(studio, chat.id)
    assert back is not None and (back.sides, back.system, back.raw) == (sides, "Be brief.", True)
    assert back.turns == chat.turns[:1]
    assert bring_back(studio, "chat-20200101-000000-0000") is None
    assert bring_back(studio, "../../etc/passwd") is None


def test_a_conversation_brought_back_late_replaces_none_that_has_begun(tmp_path):
    studio = Studio(tmp_path / "home")
    with gr.Blocks():
        left = Controls(studio, SimpleNamespace(timer=gr.Timer(1.0)))
        tab = ChatTab(studio, left, Visits(studio))
        tab.lay_out()
    sides = (Side("a", "base", "pocket"), Side("b", "tuned", "pocket", "run-1"))
    asked = [[{"role": "user", "content": "Hello"}]] * 2
    answers = [Answer("x", 1, "stop"), Answer("y", 1, "stop")]
    kept = Chat(sides, turns=[Turn("Hello", asked, Sampling(), answers, [0.1, 0.2], done=True)])
    keep(studio, kept)
    fresh = Chat()
    found = tab.restore({tab.kept: kept.id, tab.chat: fresh})
    assert found[tab.chat] is fresh and fresh.id == kept.id and fresh.turns == kept.turns
    asking = Chat()  # a question was sent in the second after the reload
    asking.begin()
    assert tab.restore({tab.kept: kept.id, tab.chat: asking}) == gr.skip()
    assert asking.turns == []
    assert "There is no run 'gone'" in tab._score(kept.turns[0], "model:gone")
    assert (tab._score(kept.turns[0], "length:1-1"), kept.turns[0].rewards) == ("", [1.0, 1.0])
    studio.close()


def test_an_answer_that_is_refused_anew_stays(tmp_path):
    studio = Studio(tmp_path / "home")
    with gr.Blocks():
        left = Controls(studio, SimpleNamespace())
        left.lay_out()
        tab = ChatTab(studio, left, Visits(studio))
        tab.lay_out()

    def refuse(request):
        raise DataError("A visitor gets 3 answers an hour.")

    tab.visits = SimpleNamespace(generate=refuse)
    asked, answers = [[{"role": "user", "content": "Hello"}]], [Answer("x", 1, "stop")]
    turn = Turn("Hello", asked, Sampling(temperature=1), answers, [0.1], done=True)
    chat = Chat((Side("pocket (base)", "base", "pocket"),), turns=[turn])
    data = {widget: widget.value for widget in left.inputs} | {tab.chat: chat}
    [told] = tab.ask_again(data)
    assert "3 answers an hour" in told[tab.said] and chat.turns == [turn]


def test_all_columns_can_go_on_from_one():
    sides = (Side("a", "base", "pocket"), Side("b", "tuned", "pocket", "run-1"))
    asked = [[{"role": "user", "content": "Hello"}]] * 2
    turn = Turn("Hello", asked, Sampling(), [Answer("x"), Answer("y")], done=True)
    chat = Chat(sides, "", [turn])
    assert [chat.messages(at, "And?")[1]["content"] for at in (0, 1)] == ["x", "y"]
    chat.follow = 1
    assert chat.messages(0, "And?") == chat.messages(1, "And?")


def test_memory_is_told_by_column():
    sides = tuple(Side(name, "tuned", "pocket", name) for name in "xyz")
    held = [(0, 17_000_000, 0), (0, 17_000_000, 2_000_000), (1, 34_000_000, 0)]
    said = shared_text(False, sides, held)
    assert said.startswith("A and B share one copy of the weights, 17.0 MB; C has a copy")
    assert "the adapter of B adds 2.0 MB" in said


def test_prompts_are_answered_several_times_where_that_can_differ():
    found = PromptSet("two", [[{"role": "user", "content": each}] for each in "pq"], [None, "r"])
    warm = found.repeated(2, Sampling(temperature=1.0))
    assert [prompt[0]["content"] for prompt in warm.prompts] == ["p", "p", "q", "q"]
    assert warm.references == [None, None, "r", "r"]
    with pytest.raises(ConfigError, match="Greedy"):
        found.repeated(2, Sampling())


def test_verdicts_and_curves_are_drawn_and_escaped():
    pairs = [
        llm_judge.TextPair([{"role": "user", "content": f"q{n}"}], "x", "longer") for n in range(4)
    ]
    cells = [Answer(said) for said in ("B", "A", "B", "A", "A", "A", "no", "A")]
    snapshot = SimpleNamespace(answers=[cells], error=None)
    markup = evaluation_html.judged(llm_judge.result(snapshot, pairs, EVIL, "base", EVIL))
    assert "<img" not in markup and "33 % of its verdicts changed with the order" in markup
    assert "1 without a verdict" in markup and markup.count('class="dot"') == 3
    figures = [{"value": v, "low": v, "high": v, "count": 4} for v in (1.0, 1.0)]
    columns = [{"step": step, "metrics": {"loss": each}} for step, each in enumerate(figures)]
    assert evaluation_html.curves(columns).count("<circle") == 2
