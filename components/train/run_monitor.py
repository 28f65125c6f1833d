"""The right of the Train tab: the run in view, the queue, all other runs, and their controls.

Every open page polls this once a second, and only what changed is sent. Charts, answers, health and
log belong to the panel (`run_feed`, `static/train_panel.js`), which asks for what it lacks. All of
it is read from disk, so any page that opens shows the run in progress.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import gradio as gr
from gradio.events import Dependency

from components.train import run_feed, run_list_html, run_panel_html
from components.train.run_actions import Actions, resume_step
from components.train.run_export import RunExport
from components.train.run_history import Histories, History
from components.ui.compat import Update, Updates, event_data
from components.ui.handlers import QUIET, guard, page_loads
from components.ui.page_context import PageContext, Session
from studio.runs.objectives import GENERATING
from studio.runs.store import Run

if TYPE_CHECKING:
    from studio import Studio

_PICK = "studioPick(element, trigger);"
_PANEL = "studioTrain(element, server, {watch: callback => watch('value', callback)});"

Mark = tuple[object, ...]


@dataclass(frozen=True)
class SentView:
    """What one page was sent last, part by part."""

    runs: Mark | None = None
    head: Mark = ()
    stage: Mark = ()


class RunMonitor:
    """The widgets and handlers of the right column."""

    def __init__(self, studio: Studio, ctx: PageContext):
        self.studio, self.ctx = studio, ctx
        self.histories = Histories()
        self.exports = RunExport(studio)
        self.shown = gr.State(SentView())
        self.viewing = gr.State("")
        self.overlaid = gr.State(())
        """Ids of the runs overlaid on the one in view."""
        self.actions = Actions(studio)

    # ---- layout ---------------------------------------------------------------------------------

    def lay_out(self) -> None:
        """The column, inside the open row."""
        with gr.Column(elem_classes="see", elem_id="train-see"):
            self.empty = gr.HTML(run_list_html.nothing_yet(), elem_id="train-empty")
            self.actions.lay_out_undo()
            with gr.Column(visible=False, elem_id="train-runs") as self.list_box:
                self.queue = gr.HTML("", elem_id="run-queue", js_on_load=_PICK)
                self.list = gr.HTML("", elem_id="run-list", js_on_load=_PICK)
            with gr.Column(visible=False, elem_id="train-view") as self.view:
                self._run()

    def _run(self) -> None:
        with gr.Row(elem_id="run-top"):
            self.head = gr.HTML("", elem_id="run-head")
            self.actions.lay_out_buttons()
        self.actions.lay_out_naming()
        self.bar = gr.HTML("", elem_id="run-bar")
        with gr.Row(elem_id="run-outcome"):
            self.outcome = gr.HTML("")
            self.compare = gr.Button(
                "Compare with base model \N{RIGHTWARDS ARROW}",
                visible=False,
                elem_id="run-compare",
                min_width=220,
            )
            self.compare_start = gr.Button(
                "Compare with where it started",
                visible=False,
                elem_id="run-compare-start",
                min_width=220,
            )
        self.panel = gr.HTML(
            run_panel_html.stage(""),
            js_on_load=_PANEL,
            apply_default_css=False,
            elem_id="run-panel",
            server_functions=run_feed.server_functions(self.studio, self.histories),
        )
        self.exports.lay_out()

    # ---- binding --------------------------------------------------------------------------------

    def bind(self, started: gr.State) -> None:
        """Bind the handlers; `started` holds the id of the run this page started last."""
        session = self.ctx.session
        inputs = [session, self.shown, self.overlaid]
        parts = [
            self.empty,
            self.view,
            self.list_box,
            self.queue,
            self.list,
            self.head,
            self.bar,
            self.outcome,
            self.compare,
            self.compare_start,
            *self.actions.offers,
            self.panel,
            self.shown,
            self.viewing,
        ]

        def look(event: Dependency) -> None:
            event.then(guard(self.look, "quietly"), inputs, parts, **QUIET)

        looks = [self.ctx.status.tick, session.change, self.overlaid.change]
        gr.on(looks, guard(self.look, "quietly"), inputs, parts, queue=False, **QUIET)
        for place in (self.list, self.queue):
            picked = [session, self.overlaid]
            look(place.click(guard(self.pick), picked, picked, **QUIET))
        started.change(guard(self.attach), [started, session], session, **QUIET)
        for load in page_loads():
            load(guard(self.arrive, "quietly"), session, session, **QUIET)
        self.actions.bind(self.viewing, session, look)
        self.exports.bind(self.viewing)

    # ---- choosing -------------------------------------------------------------------------------

    def pick(
        self, session: Session, overlaid: tuple[str, ...], event: gr.EventData
    ) -> tuple[Update, Update]:
        """A click in the queue or the list of runs: view, overlay, move or remove one."""
        clicked = event_data(event)
        run_id, act = str(clicked["run"]), str(clicked["act"])
        match act:
            case "overlay":
                rest = tuple(each for each in overlaid if each != run_id)
                chosen = rest if run_id in overlaid else (*rest, run_id)[-run_feed.MAX_OVERLAID :]
                return gr.skip(), chosen
            case "up" | "down":
                self.studio.move(run_id, -1 if act == "up" else 1)
                return gr.skip(), gr.skip()
            case "off":
                self.studio.stop(run_id)
                return gr.skip(), gr.skip()
            case _:
                rest = tuple(each for each in overlaid if each != run_id)
                return replace(session, run_id=run_id), rest

    def attach(self, run_id: str, session: Session) -> Session:
        return replace(session, run_id=run_id) if run_id else session

    def arrive(self, session: Session, request: gr.Request) -> Update:
        """The run that the page's address names, where there is one."""
        wanted = str(request.query_params.get("run") or "")
        known = any(run.id == wanted for run in self.studio.runs.list())
        return replace(session, run_id=wanted) if known else gr.skip()

    # ---- looking --------------------------------------------------------------------------------

    def look(self, session: Session, shown: SentView, overlaid: tuple[str, ...] = ()) -> Update:
        """The updates a page lacks; nothing when it is up to date."""
        runs = [self._stopping(run) for run in self.studio.runs.list()]
        run = in_view(runs, session.run_id)
        overlaid = tuple(each for each in overlaid if run is None or each != run.id)
        mark = self._mark(runs, run, overlaid)
        updates = self._listed(runs, run, overlaid) if mark != shown.runs else {}
        if run is None:
            if not updates:
                return gr.skip()
            return updates | {self.shown: replace(shown, runs=mark), self.viewing: ""}
        history = self.histories.of(run)
        after = replace(
            shown,
            runs=mark,
            head=(
                run.id,
                run.state,
                run.name,
                run.step,
                run.total_steps,
                run.eta_s,
                run.ended,
                history.phase,
                int(time.time() / 30),
            ),
            stage=(run.id, overlaid),
        )
        if after.head != shown.head:
            updates |= self._headed(run, history, shown)
        if after.stage != shown.stage:
            updates[self.panel] = run_panel_html.stage(run.id, overlaid)
        if not updates:
            return gr.skip()
        return updates | {self.shown: after, self.viewing: run.id}

    def _stopping(self, run: Run) -> Run:
        if run.state == "running" and self.studio.runs.stop_asked(run):
            return replace(run, state="stopping")
        return run

    def _waiting(self, runs: list[Run]) -> list[Run]:
        """Queued runs in order, then those queued in another process."""
        order = self.studio.worker.queued
        here = {run.id: run for run in runs if run.state == "queued"}
        return [here.pop(each) for each in order if each in here] + list(here.values())

    def _mark(self, runs: list[Run], run: Run | None, overlaid: tuple[str, ...]) -> Mark:
        """A summary of the lists, which are sent again when it changes."""
        if run is None:
            return ()
        rows = tuple(
            (
                each.id,
                each.name,
                each.state,
                each.ended,
                100 * each.step // each.total_steps if each.total_steps else 0,
            )
            for each in runs
        )
        waiting = tuple(self.studio.worker.queued)
        return run.id, overlaid, int(time.time() / 30), waiting, rows

    def _listed(self, runs: list[Run], run: Run | None, overlaid: tuple[str, ...]) -> Updates:
        any_run = bool(runs)
        viewed = run.id if run else None
        return {
            self.empty: gr.update(visible=not any_run),
            self.view: gr.update(visible=any_run),
            self.list_box: gr.update(visible=any_run),
            self.queue: run_list_html.queue_list(self._waiting(runs)),
            self.list: run_list_html.runs_list(runs, viewed, overlaid),
        }

    def _headed(self, run: Run, history: History, shown: SentView) -> Updates:
        resume_from = resume_step(run)
        updates: Updates = {
            self.head: run_list_html.headline(run),
            self.bar: run_list_html.progress(run, history),
            self.outcome: run_list_html.outcome(run, history, resume_from),
        }
        if shown.head[:2] != (run.id, run.state):
            done = run.adapter is not None or run.weights is not None
            updates |= self.actions.offered(run, resume_from)
            answers = done and not run.live and run.objective in GENERATING
            updates[self.compare] = gr.update(visible=answers)
            start = next((r for r in self.studio.runs.list() if r.id == run.parent), None)
            says = f"Compare with {start.name} \N{RIGHTWARDS ARROW}" if start else ""
            updates[self.compare_start] = gr.update(value=says, visible=answers and bool(start))
        return updates


def in_view(runs: list[Run], wanted: str | None) -> Run | None:
    """The run a page shows: the chosen one, else the one in progress, else the newest."""
    for run in runs:
        if run.id == wanted:
            return run
    live = [run for run in runs if run.state in ("running", "stopping")]
    return next(iter(live or runs), None)
