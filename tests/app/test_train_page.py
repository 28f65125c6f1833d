"""The Train tab in the app: what travels to a page, the queue, deleting and naming."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr
import pytest

from components.page import status_poll
from components.train import run_export, run_feed, run_monitor
from components.train.run_history import Histories
from components.train.run_monitor import RunMonitor, SentView
from components.ui.page_context import PageContext, Session
from components.ui.visitor_quota import Visits
from studio import Recipe
from studio.engine.studio import Studio
from studio.labels import Pair
from studio.runs.events import EventLog
from studio.runs.store import Run
from tests.app.made_runs import ended


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


@pytest.fixture
def watch(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> RunMonitor:
    with gr.Blocks():
        session = gr.State(Session())
        with gr.Tabs() as tabs:
            pass
        watch = RunMonitor(studio, PageContext(studio, tabs, gr.HTML(), session, Visits(studio)))
        watch.lay_out()
    # What is told in words of time is renewed every half minute; here the clock stands still.
    monkeypatch.setattr(run_monitor.time, "time", lambda: 1.0e9)
    return watch


def is_skip(update: object) -> bool:
    return isinstance(update, dict) and update == gr.skip()


class Page:
    """A browser's side of the panel: keeps what it was sent, asks for the rest."""

    def __init__(self, studio: Studio, run: str, *overlay: str):
        self.feed = run_feed.server_functions(studio, Histories())[0]
        self.ask: dict = {"run": run, "overlay": overlay, "have": {}, "parts": {}, "log": {}}

    def poll(self) -> dict:
        reply = json.loads(json.dumps(self.feed(self.ask)))
        for run, news in reply.get("runs", {}).items():
            cursors = {part: news[part]["cursor"] for part in ("train", "held_out") if part in news}
            self.ask["have"].setdefault(run, {}).update(cursors)
        self.ask["parts"] |= {name: part["mark"] for name, part in reply.get("parts", {}).items()}
        if "log" in reply:
            self.ask["log"]["at"] = reply["log"]["at"]
        return reply


# ---- the status poll ----------------------------------------------------------------------------


def test_the_poll_marks_new_runs_apart_from_the_steps_of_old_ones(studio: Studio):
    [ask] = status_poll.server_functions(studio)
    empty = ask({})
    assert not empty["live"] and "no run" in empty["html"]
    assert ask({})["lists"] == empty["lists"] and ask({})["runs"] == empty["runs"]
    run = ended(studio)
    listed = ask({})
    assert listed["lists"] != empty["lists"] and listed["runs"] != empty["runs"]
    studio.runs.update(run.id, step=run.step + 1)
    moved = ask({})
    assert moved["lists"] == listed["lists"] and moved["runs"] != listed["runs"]
    studio.runs.delete(run.id)
    assert ask({})["lists"] == empty["lists"]


def test_an_idle_poll_lists_nothing_again(studio: Studio, monkeypatch: pytest.MonkeyPatch):
    """Thousands of runs cost an idle page nothing; what another process writes is still seen."""
    [ask] = status_poll.server_functions(studio)
    run = ended(studio)
    before = ask({})
    listing, listed = studio.runs.list, []
    monkeypatch.setattr(studio.runs, "list", lambda: listed.append(1) or listing())
    assert ask({}) == before and ask({}) == before and listed == []
    Studio(studio.workspace.home).runs.rename(run.id, "another")
    assert ask({})["lists"] != before["lists"] and listed == [1]
    waiting = studio.runs.create(run.recipe)
    assert ask({})["live"] and ask({})["live"] and len(listed) == 3
    assert waiting.state == "queued"


def test_the_poll_marks_votes_for_the_guided_tour_alone(studio: Studio):
    [ask] = status_poll.server_functions(studio)
    project = studio.labels.create_project("birds")
    studio.labels.add_items(project.id, [Pair("p", "a", "b")])
    before, touring = ask({}), ask({"tour": True})
    shown = studio.labels.next_item(project.id, "ada")
    assert shown is not None
    studio.labels.vote(project.id, shown.item_id, "ada", "left")
    after = ask({"tour": True})
    assert after["votes"] != touring["votes"] and after["runs"] == touring["runs"]
    assert ask({})["votes"] == before["votes"]
    studio.labels.undo(project.id, "ada")
    assert ask({"tour": True})["votes"] != after["votes"]


def test_a_poll_that_fails_says_so_in_a_sentence(studio: Studio, monkeypatch: pytest.MonkeyPatch):
    def broken() -> None:
        raise OSError("disk")

    monkeypatch.setattr(studio.runs, "list", broken)
    assert "studio.log" in status_poll.server_functions(studio)[0]({})["error"]


# ---- what travels -------------------------------------------------------------------------------


def test_a_page_gets_everything_once_and_then_nothing(studio: Studio, watch: RunMonitor):
    run = ended(studio)
    first = watch.look(Session(), SentView())
    assert "Finished: loss 0.41 after 30 steps in 0:34." in first[watch.outcome]
    assert first[watch.compare]["visible"] is True
    assert f'data-run="{run.id}"' in first[watch.panel]
    assert is_skip(watch.look(Session(), first[watch.shown]))


def test_the_panel_gets_everything_once_and_then_only_what_is_new(studio: Studio):
    run = ended(studio)
    page = Page(studio, run.id)
    first = page.poll()
    assert first["runs"][run.id]["train"]["steps"] == list(range(1, 31))
    assert "Mira." in first["parts"]["samples"]["body"]
    assert [chart["title"] for chart in first["parts"]["plan"]["body"]][:1] == ["Loss"]
    assert page.poll() == {}
    log = EventLog(run.folder / "events.jsonl")
    log.write("log", step=31, loss=0.4, epoch=0.5)
    log.close()
    then = page.poll()
    assert then["runs"][run.id]["train"]["steps"] == [31]
    assert set(then["parts"]) == {"figures"}
    assert len(json.dumps(then)) < 1200


def test_a_long_run_costs_a_page_a_few_hundred_bytes_a_poll(studio: Studio):
    run = ended(studio, state="running", steps=1)
    page = Page(studio, run.id)
    path = run.folder / "events.jsonl"
    sizes = []
    for block in range(60):
        steps = range(2 + 500 * block, 502 + 500 * block)
        lines = [{"kind": "log", "step": step, "time": step, "loss": 1 / step} for step in steps]
        with path.open("a") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
        sizes.append(len(json.dumps(page.poll())))
    whole = len(json.dumps(Page(studio, run.id).poll()))
    assert whole < 80_000  # 30,000 points, drawn as at most a thousand
    # Where the points are thinned once more the whole table travels again, ever more rarely.
    assert sum(sizes[-20:]) / 20 < whole / 4


def test_a_million_points_stay_small():
    from components.train.run_history import Table

    table = Table()
    for step in range(1_000_000):
        table.add(step, {"loss": 1.0})
    news = table.since(None)
    assert news is not None and len(json.dumps(news)) < 60_000
    table.add(1_000_000, {"loss": 1.0})
    assert len(json.dumps(table.since(news["cursor"]))) < 300


def test_two_runs_are_laid_over_one_another_with_what_differs(studio: Studio):
    one = ended(studio, learning_rate=1e-3)
    two = ended(studio, learning_rate=2e-3, name="second <b>")
    first = Page(studio, one.id, two.id).poll()
    assert set(first["runs"]) == {one.id, two.id}
    compared = first["parts"]["compare"]["body"]
    assert "learning_rate" in compared and "0.002" in compared
    assert "lora_r" not in compared and "<b>" not in compared.replace("<b>s", "")
    assert "second &lt;b&gt;" in compared


def test_the_log_is_searched_and_read_on(studio: Studio):
    run = ended(studio)
    page = Page(studio, run.id)
    page.ask["log"] = {"open": True, "query": "step 30"}
    found = page.poll()["log"]
    assert len(found["lines"]) == 1 and "loss 0.03333" in found["lines"][0][1]
    assert "log" not in page.poll()
    log = EventLog(run.folder / "events.jsonl")
    log.write("note", message="step 30 was kept")
    log.close()
    assert [line for _, line in page.poll()["log"]["lines"]] == ["step 30 was kept"]


@pytest.mark.parametrize(
    "sent", [{}, {"run": "../../etc"}, {"run": "run-20260101-000000-0000", "overlay": ["x"]}]
)
def test_a_request_for_no_run_gets_nothing(studio: Studio, sent: object):
    assert run_feed.server_functions(studio, Histories())[0](sent) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("the request", None),
        ("the request", []),
        ("run", 3),
        ("overlay", 3),
        ("have", [1]),
        ("have.x.train", 3),
        ("parts", "x"),
        ("log.at", "x"),
        ("log.at", -1),
    ],
)
def test_a_malformed_request_gets_a_sentence(studio: Studio, field: str, value: object):
    sent: object = value
    for name in reversed(field.split(".") if field != "the request" else []):
        sent = {name: sent}
    reply = run_feed.server_functions(studio, Histories())[0](sent)
    assert f"wrong value for {field} (" in reply["error"] and "\n" not in reply["error"]


# ---- attaching ----------------------------------------------------------------------------------


def test_a_second_page_re_attaches_to_the_run_in_progress(studio: Studio, watch: RunMonitor):
    ended(studio)
    live = ended(studio, state="running")
    ended(studio, state="failed")
    with studio.runs.lock(live):
        found = watch.look(Session(), SentView())
        assert found[watch.viewing] == live.id
        assert found[watch.actions.stop]["visible"] is True
        chosen = watch.look(Session(run_id=studio.runs.list()[0].id), SentView())
        assert chosen[watch.viewing] == studio.runs.list()[0].id


def test_a_killed_run_reads_interrupted_and_offers_to_go_on(studio: Studio, watch: RunMonitor):
    ended(studio, state="running", steps=24)
    found = watch.look(Session(), SentView())
    assert "Interrupted at about step 24" in found[watch.outcome]
    assert found[watch.actions.resume]["visible"] is True
    assert found[watch.actions.stop]["visible"] is False


def test_the_status_of_a_run_counts_for_every_page(studio: Studio, watch: RunMonitor):
    """What one page asks, another sees: stopping lives in the workspace."""
    run = ended(studio, state="running")
    with studio.runs.lock(run):
        assert watch.actions.ask_stop(run.id) == ""
        found = watch.look(Session(), SentView())
        assert "stopping" in found[watch.head]
        assert found[watch.actions.stop] == gr.update(
            visible=True, value="Saving", interactive=False
        )
        assert found[watch.actions.halt]["visible"] is True  # only once Stop was pressed


def test_a_run_is_compared_with_its_base_and_with_what_it_started_from(
    studio: Studio, watch: RunMonitor
):
    first = ended(studio, name="first")
    again = studio.runs.update(ended(studio, name="again").id, parent=first.id)
    found = watch.look(Session(run_id=again.id), SentView())
    assert found[watch.compare]["visible"] is True
    assert found[watch.compare_start]["visible"] is True
    assert "first" in found[watch.compare_start]["value"]
    found = watch.look(Session(run_id=first.id), SentView())
    assert found[watch.compare_start]["visible"] is False


# ---- steering -----------------------------------------------------------------------------------


def event(run: Run, act: str) -> gr.EventData:
    return gr.EventData(None, {"run": run.id, "act": act})


def queued(studio: Studio, *names: str) -> list[Run]:
    """Runs that wait: the worker's thread is not started here."""
    studio.worker.start = lambda: None  # type: ignore[method-assign]
    runs = [studio.runs.create(Recipe.defaults("sft", name=name)) for name in names]
    for run in runs:
        studio.worker.enqueue(run.id)
    return runs


def test_the_queue_is_reordered_and_runs_are_taken_off(studio: Studio, watch: RunMonitor):
    one, two, three = queued(studio, "one", "two", "three")
    watch.pick(Session(), (), event(three, "up"))
    assert studio.worker.queued == [one.id, three.id, two.id]
    watch.pick(Session(), (), event(one, "off"))
    assert studio.worker.queued == [three.id, two.id]
    assert studio.runs.get(one.id).state == "stopped"
    shown = watch.look(Session(), SentView())[watch.queue]
    assert shown.index("three") < shown.index("two") and "one: move up" not in shown
    assert watch.actions.go_on(one.id) == ""  # its lock was let go, so it can wait again at once
    assert studio.worker.queued == [three.id, two.id, one.id]


def test_the_order_of_the_queue_outlives_the_studio(studio: Studio):
    one, two = queued(studio, "one", "two")
    studio.move(two.id, -1)
    for run in (one, two):
        studio.worker.take_off(run.id)
    again = Studio(studio.workspace.home)
    again.worker.start = lambda: None  # type: ignore[method-assign]
    again.warm_up()
    assert again.worker.queued == [two.id, one.id]


def test_deleting_can_be_undone(studio: Studio, watch: RunMonitor):
    run = ended(studio)
    trouble, gone, box, message, _ = watch.actions.remove(run.id, Session(run_id=run.id))
    assert (trouble, gone, box["visible"]) == ("", run.id, True)
    assert "Deleted pocket-sft." in message
    assert studio.runs.list() == []
    *_, session = watch.actions.bring_back(run.id, Session())
    assert session.run_id == run.id
    assert studio.runs.get(run.id).adapter is not None


def test_what_forbids_deleting_is_said_in_place(studio: Studio, watch: RunMonitor):
    parent = ended(studio)
    ended(studio, name="child", start_from=parent.id)
    trouble, *rest = watch.actions.remove(parent.id, Session())
    assert "child" in trouble and all(is_skip(update) for update in rest)


def test_a_run_is_renamed_also_while_it_trains(studio: Studio, watch: RunMonitor):
    run = ended(studio, state="running")
    with studio.runs.lock(run):
        _, _, trouble = watch.actions.give_name(run.id, "  my   run ")
        studio.runs.save(run)  # the trainer's own snapshot knows nothing of the new name
        assert trouble == "" and studio.runs.get(run.id).name == "my run"
    box, _, trouble = watch.actions.give_name(run.id, " ")
    assert box["visible"] is True and "1 to 120 characters" in trouble


def test_runs_are_laid_over_and_taken_off_again(studio: Studio, watch: RunMonitor):
    one, two = ended(studio), ended(studio, name="two")
    _, over = watch.pick(Session(), (), event(one, "overlay"))
    assert over == (one.id,)
    found = watch.look(Session(run_id=two.id), SentView(), over)
    assert f'data-overlay="{one.id}"' in found[watch.panel]
    assert watch.pick(Session(), over, event(one, "overlay"))[1] == ()


# ---- exports, presets, sweeps -------------------------------------------------------------------


def test_a_recipe_is_exported(studio: Studio):
    run = ended(studio)
    path = run_export.write(studio, run.id, "recipe")
    assert path.parent == studio.workspace.exports
    assert Recipe.from_yaml(path) == run.recipe


def test_what_cannot_be_exported_is_said(studio: Studio):
    run = ended(studio)
    skip, said = run_export.RunExport(studio).make("csv", run.id)
    assert is_skip(skip) and "csv" in said
