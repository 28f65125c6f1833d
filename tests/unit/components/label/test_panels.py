"""Judges, rounds that run by themselves, and votes behind a preference: what the panels say."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from components.label import judges_html, overnight_html
from components.label.background import Background
from components.label.judges import Judges
from components.label.overnight import Overnight
from components.label.preference_panel import PreferencePanel
from studio import Studio
from studio.core.errors import ConfigError
from studio.core.workspace import write_json
from studio.labels import Pair
from studio.runs.recipe import Recipe
from studio.workflows import judge_pairs, rounds_record
from studio.workflows.reward_rounds import RoundsPlan

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def studio(tmp_path: Path):
    made = Studio(tmp_path / "home")
    yield made
    made.close()


def laid_out(panel: Any) -> Any:
    with gr.Blocks():
        panel.lay_out()
    return panel


def test_work_goes_on_alone_one_at_a_time_and_can_be_canceled():
    work, going = Background("walk"), threading.Event()

    def walk(report: Any) -> None:
        while True:
            report(1, 2, "walking")
            going.set()

    job = work.start(walk)
    assert going.wait(5) and work.live
    with pytest.raises(ConfigError, match="One walk at a time"):
        work.start(walk)
    assert "walking, 1 of 2" in next(work.bars())
    work.cancel()
    assert job.wait(5) and not work.live
    assert list(work.bars()) == []


@pytest.fixture
def project(studio: Studio) -> str:
    """Thirty pairs, of which ada has judged 24: the first answer is always better."""
    made = studio.labels.create_project(f"taste {EVIL}", order="given")
    pairs = [Pair(f"Which {n}?", f"good {n}", f"bad {n}") for n in range(30)]
    studio.labels.add_items(made.id, pairs)
    for _ in range(24):
        item = studio.labels.next_item(made.id, "ada")
        assert item is not None
        studio.labels.vote(made.id, item.item_id, "ada", "a")
    return made.id


def test_judges_are_asked_compared_and_label_what_they_are_sure_of(studio, project, monkeypatch):
    def ask(_: Any, pairs: Any, column: Any, *rest: Any) -> dict[str, Any]:
        rest[3](2 * len(pairs), 2 * len(pairs), "Judging")
        return {"verdicts": ["a" if column.model == "right" else "b" for _ in pairs]}

    monkeypatch.setattr(judge_pairs, "ask", ask)
    panel = laid_out(Judges(studio))
    assert "60 replies: 30 pairs in both orders by 1 judge" in panel.price(project, ["base:right"])
    assert "Choose one judge" in panel.price(project, [])
    refused, _ = panel.label(project, 33)
    assert "Ask the judges first" in refused
    last = list(panel.ask(project, ["base:right", "base:wrong"], "", False, 8))[-1]
    assert "may label alone" in last[panel.view] and "no: it agrees with people" in last[panel.view]
    refused, _ = panel.label(project, 33)
    assert "base:wrong may not label" in refused
    list(panel.ask(project, ["base:right"], "", False, 8))
    said, _ = panel.label(project, 33)
    assert "4 of 6 pairs without votes labeled" in said and "2 pairs to check" in said
    assert "as fast as they were last" in panel.price(project, ["base:right"])


def test_a_judge_that_fails_is_one_sentence(studio, project):
    panel = laid_out(Judges(studio))
    last = list(panel.ask(project, ["nobody"], "", False, 8))[-1]
    assert "nobody" in last[panel.progress] and "Traceback" not in last[panel.progress]
    assert "Choose a judge" in list(panel.ask(project, [], "", False, 8))[-1][panel.progress]


def test_markup_of_judges_is_escaped():
    people = {"value": 0.9, "low": 0.8, "high": 0.95, "count": 40}
    one = {
        "judge": EVIL,
        "people": people,
        "alpha": None,
        "unread": 2,
        "may_label": True,
        "why": "",
    }
    assert "<img" not in judges_html.panel({"each": [one], "judges": None}, 40, 3.0)


def record(studio: Studio, run: str, **changes: Any) -> None:
    """A record of two rounds that took ten seconds each."""
    outcome = {
        **{"number": 1, "pairs_project": "p", "run": run, "duel_project": "d", "pairs": 10},
        **{"margin": 0.5, "win": 0.6, "low": 0.4, "high": 0.8, "prompts": 5, "seconds": 10.0},
    }
    value = {
        **{"id": "rounds-1", "started": 1.0, "plan": {"rounds": 3, "n": 4, "objective": "dpo"}},
        **{"start": {"run": run, "name": EVIL, "model": "pocket"}},
        "rounds": [outcome, {**outcome, "number": 2}],
    }
    value["plan"] |= {"rewards": ["length:1-4"], "run": run}
    folder = studio.workspace.home / "rounds"
    folder.mkdir(exist_ok=True)
    write_json(folder / "rounds-1.json", value | changes)
    (folder / "broken.json").write_text("{}")


def test_earlier_rounds_are_shown_and_price_the_next(studio: Studio):
    assert "No round has run by itself" in overnight_html.kept([], {})
    made = studio.runs.create(Recipe.defaults(name="first"))
    run = studio.runs.update(made.id, state="finished")
    record(studio, run.id)
    (found,) = rounds_record.kept(studio)
    markup = overnight_html.kept([found], {run.id: EVIL})
    assert "<img" not in markup and "two duels in a row were even" in markup
    plan = RoundsPlan(run.id, prompts=40, held_out=0.25, n=4)
    estimate = rounds_record.estimate(studio, plan, 40)
    assert estimate.answers == 30 * 4 + 2 * 10
    assert estimate.seconds == pytest.approx((28.0, 28.0)) and "as earlier rounds" in estimate.basis
    assert "A round writes 140 answers" in estimate.words(3)


def test_rounds_ask_for_what_is_missing(studio: Studio):
    panel = laid_out(Overnight(studio))
    given = [None, None, "", "dpo", 3, 4, 200, 128, 1.0, ""]
    assert "Choose a run to start from" in list(panel.start(*given))[-1][panel.progress]
    run = studio.runs.create(Recipe.defaults(name="first"))
    given[:2] = [run.id, "sample:pocket-prompts"]
    assert "Choose a reward" in panel.price(*given)
    assert list(panel.opened(None)) == [{panel.box: gr.update(visible=False)}]


def test_preferences_ask_for_two_answers(studio: Studio):
    panel = laid_out(PreferencePanel(studio))
    assert panel.opened(None) == {panel.box: gr.update(visible=False)}
    assert "Choose a run" in list(panel.ask("", "", "", "", ""))[-1][panel.progress]
    run = studio.runs.create(Recipe.defaults("dpo", name="voted"))
    said = list(panel.ask(run.id, "typed", "What?", "", ""))[-1][panel.progress]
    assert "Type a prompt and two answers" in said
