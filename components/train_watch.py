"""The right of the Train tab: the run in view, its charts, samples and log, and all other runs.

Every open page polls this once a second. What is shown is compared with what was sent last, part by
part, and only what changed travels; the runs themselves are read from disk, so any page that opens
re-attaches by itself.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import Context

from components import plots, train_views
from components.common import QUIET, Session, Shell, guard, section
from components.history import Histories, History
from studio.training import checkpoints
from studio.training.runs import RESUMABLE, Run

if TYPE_CHECKING:
    from studio import Studio

Updates = dict[Any, Any]
_CALM = 2.0  # seconds between redrawn charts once a run has many points
_MANY = 300
_PICK = """
element.addEventListener('click', event => {
  const button = event.target.closest('[data-run]');
  if (button) trigger('click', {run: button.dataset.run});
});
"""


@dataclass(frozen=True)
class Shown:
    """What one page was sent last, part by part."""

    runs: tuple[Any, ...] | None = None
    head: tuple[Any, ...] = ()
    charts: tuple[Any, ...] = ()
    drawn_at: float = 0.0
    samples: tuple[Any, ...] = ()
    log: tuple[Any, ...] = ()


class Watch:
    """The widgets and handlers of the right column."""

    def __init__(self, studio: Studio, shell: Shell):
        self.studio, self.shell = studio, shell
        self.histories = Histories()
        self.shown = gr.State(Shown())
        self.viewing = gr.State("")
        self._figures: OrderedDict[tuple[Any, ...], list[Any]] = OrderedDict()

    # ---- layout ---------------------------------------------------------------------------------

    def lay_out(self) -> None:
        """The column, inside the open row."""
        with gr.Column(elem_classes="see", elem_id="train-see"):
            self.empty = gr.HTML(train_views.nothing_yet(), elem_id="train-empty")
            with gr.Column(visible=False, elem_id="train-view") as self.view:
                self._run()
            with gr.Column(visible=False, elem_id="train-runs") as self.list_box:
                gr.HTML(section("Queue and runs"))
                self.list = gr.HTML("", elem_id="run-list", js_on_load=_PICK)

    def _run(self) -> None:
        with gr.Row(elem_id="run-top"):
            self.head = gr.HTML("", elem_id="run-head")
            with gr.Row(elem_id="run-actions"):
                small: dict[str, Any] = {"size": "sm", "visible": False, "min_width": 60}
                self.stop = gr.Button("Stop after this step", elem_id="run-stop", **small)
                self.halt = gr.Button("Stop now", elem_id="run-halt", **small)
                self.resume = gr.Button("Resume", elem_id="run-resume", **small)
                self.delete = gr.Button("Delete", elem_id="run-delete", **small)
                self.sure = gr.Button("Delete for good", variant="stop", **small)
                self.keep = gr.Button("Keep it", **small)
        self.bar = gr.HTML("", elem_id="run-bar")
        with gr.Row(elem_id="run-outcome"):
            self.outcome = gr.HTML("")
            self.compare = gr.Button(
                "Compare it with its base \N{RIGHTWARDS ARROW}", visible=False,
                elem_id="run-compare", min_width=220,
            )  # fmt: skip
        with gr.Row(elem_id="charts"):
            self.plots = [
                gr.Plot(show_label=False, container=False, elem_classes="chart", min_width=200)
                for _ in range(plots.SLOTS)
            ]
        with gr.Accordion("Smoothing", open=False, elem_classes="fold quiet"):
            self.smoothing = gr.Slider(
                0, 0.99, value=0.6, step=0.01, elem_id="train-smoothing", show_label=False,
                info="Share of the past in each point; the raw line stays behind it, faint.",
            )  # fmt: skip
        self.samples = gr.HTML("", elem_id="run-samples")
        with gr.Accordion("Log", open=False, elem_classes="fold quiet"):
            self.query = gr.Textbox(
                show_label=False, placeholder="Search the log", max_lines=1, elem_id="log-query"
            )
            self.log = gr.HTML("", elem_id="run-log")

    # ---- binding --------------------------------------------------------------------------------

    def bind(self, started: gr.State) -> None:
        """Bind the handlers; `started` holds the id of the run this page began last."""
        given = [self.shell.session, self.shown, self.query, self.smoothing]
        self.parts = [
            self.empty, self.view, self.list_box, self.list, self.head, self.bar, self.outcome,
            self.compare,
            *self._buttons(), *self.plots, self.samples, self.log, self.shown, self.viewing,
        ]  # fmt: skip
        looks = [
            self.shell.timer.tick, self.query.input, self.smoothing.release,
            self.shell.session.change,
        ]  # fmt: skip
        if Context.root_block is not None:
            looks.append(Context.root_block.load)
        gr.on(looks, guard(self.look), given, self.parts, queue=False, **QUIET)
        session = self.shell.session
        self.list.click(guard(self.pick), session, session, **QUIET)
        started.change(guard(self.attach), [started, session], session, **QUIET)
        for button, act in (
            (self.stop, self.ask_stop),
            (self.halt, self.ask_halt),
            (self.resume, self.go_on),
            (self.sure, self.remove),
        ):
            button.click(guard(act), self.viewing, None, **QUIET).then(
                guard(self.look), given, self.parts, **QUIET
            )
        asks = [self.delete, self.sure, self.keep]
        self.delete.click(lambda: self._ask(True), None, asks, **QUIET)
        self.keep.click(lambda: self._ask(False), None, asks, **QUIET)

    def _buttons(self) -> list[gr.Button]:
        return [self.stop, self.halt, self.resume, self.delete, self.sure, self.keep]

    @staticmethod
    def _ask(asking: bool) -> list[Any]:
        return [gr.update(visible=not asking), *[gr.update(visible=asking)] * 2]

    # ---- choosing and steering ------------------------------------------------------------------

    def pick(self, session: Session, event: gr.EventData) -> Session:
        return replace(session, run_id=str(event._data["run"]))

    def attach(self, run_id: str, session: Session) -> Session:
        return replace(session, run_id=run_id) if run_id else session

    def ask_stop(self, run_id: str) -> None:
        self.studio.stop(run_id)

    def ask_halt(self, run_id: str) -> None:
        self.studio.stop(run_id, now=True)

    def go_on(self, run_id: str) -> None:
        self.studio.resume(run_id)

    def remove(self, run_id: str) -> None:
        self.studio.runs.delete(run_id)

    # ---- looking --------------------------------------------------------------------------------

    def look(self, session: Session, shown: Shown, query: str, smoothing: float) -> Any:
        """The updates that bring a page up to date; nothing when it is."""
        runs = [self._stopping(run) for run in self.studio.runs.list()]
        run = in_view(runs, session.run_id)
        updates = self._listed(runs, run, shown)
        if run is None:
            if not updates:
                return gr.skip()
            return updates | {self.shown: replace(shown, runs=()), self.viewing: ""}
        history = self.histories.of(run)
        after = replace(
            shown,
            runs=self._mark(runs, run),
            head=(run.id, run.state, run.step, run.total_steps, run.eta_s, run.ended,
                  history.phase, int(time.time() / 30)),
            samples=(run.id, len(history.samples), history.version if history.samples else 0),
            log=(run.id, history.version, query),
        )  # fmt: skip
        if after.head != shown.head:
            updates |= self._headed(run, history, shown)
        if after.samples != shown.samples:
            title = section("Its answers along the way", "greedy, by step")
            body = train_views.samples(history.samples)
            updates[self.samples] = title + body if body else ""
        if after.log != shown.log:
            updates[self.log] = train_views.log_lines(history.log, query or "")
        drawn, charts = self._charted(run, history, smoothing, shown)
        updates |= charts
        if not updates:
            return gr.skip()
        drawn_at = time.monotonic() if charts else shown.drawn_at
        after = replace(after, charts=drawn, drawn_at=drawn_at)
        return updates | {self.shown: after, self.viewing: run.id}

    def _stopping(self, run: Run) -> Run:
        if run.state == "running" and self.studio.runs.stop_asked(run):
            return replace(run, state="stopping")
        return run

    def _mark(self, runs: list[Run], run: Run | None) -> tuple[Any, ...]:
        rows = tuple((each.id, each.state, each.step, each.ended) for each in runs)
        return run.id if run else "", int(time.time() / 30), tuple(self.studio.worker.queued), rows

    def _listed(self, runs: list[Run], run: Run | None, shown: Shown) -> Updates:
        mark = self._mark(runs, run) if runs else ()
        if mark == shown.runs:
            return {}
        any_run = bool(runs)
        return {
            self.empty: gr.update(visible=not any_run),
            self.view: gr.update(visible=any_run),
            self.list_box: gr.update(visible=any_run),
            self.list: train_views.runs_list(
                runs, run.id if run else None, self.studio.worker.queued
            ),
        }

    def _headed(self, run: Run, history: History, shown: Shown) -> Updates:
        found = checkpoints.newest(run.checkpoints) if run.state in RESUMABLE else None
        resume_from = checkpoints.step_of(found) if found else None
        resume = f"Resume from step {resume_from:,}" if resume_from else "Start again"
        done = run.adapter is not None or run.weights is not None
        updates: Updates = {
            self.head: train_views.headline(run),
            self.bar: train_views.progress(run, history),
            self.outcome: train_views.outcome(run, history, resume_from),
        }
        if shown.head[:2] != (run.id, run.state):
            waiting = run.state == "queued"
            updates |= {
                self.stop: gr.update(
                    visible=run.state in ("queued", "running"),
                    value="Take off the queue" if waiting else "Stop after this step",
                ),
                self.halt: gr.update(visible=run.state in ("running", "stopping")),
                self.resume: gr.update(visible=run.state in RESUMABLE, value=resume),
                self.delete: gr.update(visible=not run.live),
                self.sure: gr.update(visible=False),
                self.keep: gr.update(visible=False),
                self.compare: gr.update(visible=done and not run.live),
            }
        return updates

    def _charted(
        self, run: Run, history: History, smoothing: float, shown: Shown
    ) -> tuple[tuple[Any, ...], Updates]:
        key = (run.id, history.version, smoothing)
        same_view = (run.id, smoothing) == (*shown.charts[:1], *shown.charts[2:])
        many = len(history.log) > _MANY and time.monotonic() - shown.drawn_at < _CALM
        if key == shown.charts or (same_view and run.live and many):
            return shown.charts, {}
        figures = self._drawn(key, run.objective, history, smoothing)
        updates = {
            plot: gr.update(value=figure, visible=figure is not None)
            for plot, figure in zip(self.plots, figures, strict=True)
        }
        return key, updates

    def _drawn(
        self, key: tuple[Any, ...], objective: str, history: History, smoothing: float
    ) -> list[Any]:
        """A run's figures, drawn once for all pages that look at it."""
        if key not in self._figures:
            charts = plots.charts_for(objective)
            made = [plots.payload(plots.figure(c, history.series, smoothing)) for c in charts]
            self._figures[key] = made + [None] * (plots.SLOTS - len(made))
            while len(self._figures) > 6:
                self._figures.popitem(last=False)
        return self._figures[key]


def in_view(runs: list[Run], wanted: str | None) -> Run | None:
    """The run a page looks at: the one it chose, else the one in progress, else the newest."""
    for run in runs:
        if run.id == wanted:
            return run
    live = [run for run in runs if run.state in ("running", "stopping")]
    return next(iter(live or runs), None)
