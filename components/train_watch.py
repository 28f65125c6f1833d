"""The right of the Train tab: the run in view, the queue and all other runs, and what steers them.

Every open page polls this once a second, and only what changed is sent. Charts, answers, health and
log belong to the panel (`train_server`, `static/train_panel.js`), which asks for what it lacks. All
of it is read from disk, so any page that opens re-attaches by itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from components import train_parts, train_server, train_views
from components.common import QUIET, Session, Shell, guard, notice, sentence
from components.history import Histories, History
from components.train_export import Exports
from studio.errors import StudioError
from studio.training import checkpoints
from studio.training.runs import RESUMABLE, Run

if TYPE_CHECKING:
    from studio import Studio

Updates = dict[Any, Any]
_PICK = "studioPick(element, trigger);"
_PANEL = "studioTrain(element, server, {watch: callback => watch('value', callback)});"


@dataclass(frozen=True)
class Shown:
    """What one page was sent last, part by part."""

    runs: tuple[Any, ...] | None = None
    head: tuple[Any, ...] = ()
    stage: tuple[Any, ...] = ()


class Watch:
    """The widgets and handlers of the right column."""

    def __init__(self, studio: Studio, shell: Shell):
        self.studio, self.shell = studio, shell
        self.histories = Histories()
        self.exports = Exports(studio)
        self.shown = gr.State(Shown())
        self.viewing = gr.State("")
        self.overlaid: Any = gr.State(())
        """Ids of the runs laid over the one in view."""
        self.gone = gr.State("")
        """The id of the run that this page deleted last, while that can be undone."""
        self.copied: Any = gr.State(None)
        """`(run id, moment)` when a copy of a run's recipe is wanted in the form."""

    # ---- layout ---------------------------------------------------------------------------------

    def lay_out(self) -> None:
        """The column, inside the open row."""
        with gr.Column(elem_classes="see", elem_id="train-see"):
            self.empty = gr.HTML(train_views.nothing_yet(), elem_id="train-empty")
            with gr.Row(visible=False, elem_id="run-undo") as self.undo_box:
                self.said = gr.HTML("")
                self.undo = gr.Button("Undo", size="sm", min_width=60)
            with gr.Column(visible=False, elem_id="train-view") as self.view:
                self._run()
            with gr.Column(visible=False, elem_id="train-runs") as self.list_box:
                self.queue = gr.HTML("", elem_id="run-queue", js_on_load=_PICK)
                self.list = gr.HTML("", elem_id="run-list", js_on_load=_PICK)

    def _run(self) -> None:
        with gr.Row(elem_id="run-top"):
            self.head = gr.HTML("", elem_id="run-head")
            with gr.Row(elem_id="run-actions"):
                small: dict[str, Any] = {"size": "sm", "visible": False, "min_width": 60}
                self.stop = gr.Button("Stop after this step", elem_id="run-stop", **small)
                self.halt = gr.Button("Stop now", elem_id="run-halt", **small)
                self.resume = gr.Button("Resume", elem_id="run-resume", **small)
                self.copy = gr.Button("Edit a copy", elem_id="run-copy", size="sm", min_width=60)
                self.rename = gr.Button("Rename", elem_id="run-rename", size="sm", min_width=60)
                self.delete = gr.Button("Delete", elem_id="run-delete", **small)
        with gr.Row(visible=False, elem_id="run-naming") as self.naming:
            self.name = gr.Textbox(
                show_label=False, container=False, max_lines=1, elem_id="run-name",
                placeholder="A new name", max_length=120,
            )  # fmt: skip
            self.name_ok = gr.Button("Rename", size="sm", min_width=60)
            self.name_no = gr.Button("Cancel", size="sm", min_width=60)
        self.trouble = gr.HTML("", elem_id="run-trouble")
        self.bar = gr.HTML("", elem_id="run-bar")
        with gr.Row(elem_id="run-outcome"):
            self.outcome = gr.HTML("")
            self.compare = gr.Button(
                "Compare it with its base \N{RIGHTWARDS ARROW}", visible=False,
                elem_id="run-compare", min_width=220,
            )  # fmt: skip
        self.panel = gr.HTML(
            train_parts.stage(""), js_on_load=_PANEL, apply_default_css=False, elem_id="run-panel",
            server_functions=train_server.questions(self.studio, self.histories),
        )  # fmt: skip
        self.exports.lay_out()

    # ---- binding --------------------------------------------------------------------------------

    def bind(self, started: gr.State) -> None:
        """Bind the handlers; `started` holds the id of the run this page began last."""
        given = [self.shell.session, self.shown, self.overlaid]
        self.parts = [
            self.empty, self.view, self.list_box, self.queue, self.list, self.head, self.bar,
            self.outcome, self.compare, self.stop, self.halt, self.resume, self.delete,
            self.panel, self.shown, self.viewing,
        ]  # fmt: skip
        looks = [self.shell.pulse.tick, self.shell.session.change, self.overlaid.change]
        gr.on(looks, guard(self.look, "quietly"), given, self.parts, queue=False, **QUIET)
        session = self.shell.session
        for place in (self.list, self.queue):
            place.click(
                guard(self.pick), [session, self.viewing, self.overlaid],
                [session, self.overlaid], **QUIET,
            ).then(guard(self.look, "quietly"), given, self.parts, **QUIET)  # fmt: skip
        started.change(guard(self.attach), [started, session], session, **QUIET)
        for button, act in (
            (self.stop, self.ask_stop), (self.halt, self.ask_halt), (self.resume, self.go_on),
        ):  # fmt: skip
            button.click(guard(act), self.viewing, self.trouble, **QUIET).then(
                guard(self.look, "quietly"), given, self.parts, **QUIET
            )
        self._bind_names(given)
        self.exports.bind(self.viewing)
        undoing = [self.trouble, self.gone, self.undo_box, self.said, session]
        self.delete.click(
            guard(self.remove), [self.viewing, session], undoing, **QUIET
        ).then(guard(self.look, "quietly"), given, self.parts, **QUIET)  # fmt: skip
        self.undo.click(
            guard(self.bring_back), [self.gone, session], undoing, **QUIET
        ).then(guard(self.look, "quietly"), given, self.parts, **QUIET)  # fmt: skip
        self.copy.click(
            guard(lambda run_id: (run_id, time.monotonic())), self.viewing, self.copied, **QUIET
        )

    def _bind_names(self, given: list[Any]) -> None:
        box = [self.naming, self.name]
        self.rename.click(guard(self.ask_name), self.viewing, box, js=_focus("run-name"), **QUIET)
        self.name_no.click(guard(lambda: (gr.update(visible=False), "")), None, box, **QUIET)
        for event in (self.name.submit, self.name_ok.click):
            event(
                guard(self.give_name), [self.viewing, self.name], [*box, self.trouble], **QUIET
            ).then(guard(self.look, "quietly"), given, self.parts, **QUIET)

    # ---- choosing and steering ------------------------------------------------------------------

    def pick(
        self, session: Session, viewing: str, overlaid: tuple[str, ...], event: gr.EventData
    ) -> tuple[Any, Any]:
        """A click in the queue or among the runs: bring one into view, lay it over, move it."""
        run_id, act = str(event._data["run"]), str(event._data["act"])
        match act:
            case "over":
                rest = tuple(each for each in overlaid if each != run_id)
                chosen = rest if run_id in overlaid else (*rest, run_id)[-train_server.OVERLAID :]
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

    def ask_stop(self, run_id: str) -> str:
        return _beside(lambda: self.studio.stop(run_id))

    def ask_halt(self, run_id: str) -> str:
        return _beside(lambda: self.studio.stop(run_id, now=True))

    def go_on(self, run_id: str) -> str:
        return _beside(lambda: self.studio.resume(run_id))

    def ask_name(self, run_id: str) -> tuple[Any, str]:
        return gr.update(visible=True), self.studio.runs.get(run_id).name

    def give_name(self, run_id: str, name: str) -> tuple[Any, Any, str]:
        trouble = _beside(lambda: self.studio.runs.rename(run_id, name))
        return gr.update(visible=bool(trouble)), gr.skip() if trouble else "", trouble

    def remove(self, run_id: str, session: Session) -> tuple[Any, ...]:
        """Into the trash, with a line that brings it back; what forbids it is said in place."""
        run = self.studio.runs.get(run_id)
        trouble = _beside(lambda: self.studio.runs.delete(run_id))
        if trouble:
            return trouble, gr.skip(), gr.skip(), gr.skip(), gr.skip()
        said = notice("info", f"Deleted {run.name}. It can be brought back for a day.")
        return "", run_id, gr.update(visible=True), said, replace(session, run_id=None)

    def bring_back(self, run_id: str, session: Session) -> tuple[Any, ...]:
        trouble = _beside(lambda: self.studio.runs.restore(run_id))
        hidden = gr.update(visible=False)
        return trouble, "", hidden, "", replace(session, run_id=None if trouble else run_id)

    # ---- looking --------------------------------------------------------------------------------

    def look(self, session: Session, shown: Shown, overlaid: tuple[str, ...] = ()) -> Any:
        """The updates that bring a page up to date; nothing when it is."""
        runs = [self._stopping(run) for run in self.studio.runs.list()]
        run = in_view(runs, session.run_id)
        overlaid = tuple(each for each in overlaid if run is None or each != run.id)
        updates = self._listed(runs, run, overlaid, shown)
        if run is None:
            if not updates:
                return gr.skip()
            return updates | {self.shown: replace(shown, runs=()), self.viewing: ""}
        history = self.histories.of(run)
        after = replace(
            shown,
            runs=self._mark(runs, run, overlaid),
            head=(run.id, run.state, run.name, run.step, run.total_steps, run.eta_s, run.ended,
                  history.phase, int(time.time() / 30)),
            stage=(run.id, overlaid),
        )  # fmt: skip
        if after.head != shown.head:
            updates |= self._headed(run, history, shown)
        if after.stage != shown.stage:
            updates[self.panel] = train_parts.stage(run.id, overlaid)
        if not updates:
            return gr.skip()
        return updates | {self.shown: after, self.viewing: run.id}

    def _stopping(self, run: Run) -> Run:
        if run.state == "running" and self.studio.runs.stop_asked(run):
            return replace(run, state="stopping")
        return run

    def _waiting(self, runs: list[Run]) -> list[Run]:
        """Runs that wait here, in their order, then those that another process holds."""
        order = self.studio.worker.queued
        here = {run.id: run for run in runs if run.state == "queued"}
        return [here.pop(each) for each in order if each in here] + list(here.values())

    def _mark(self, runs: list[Run], run: Run | None, overlaid: tuple[str, ...]) -> tuple[Any, ...]:
        rows = tuple(
            (each.id, each.name, each.state, each.ended,
             100 * each.step // each.total_steps if each.total_steps else 0)
            for each in runs
        )  # fmt: skip
        waiting = tuple(self.studio.worker.queued)
        return run.id if run else "", overlaid, int(time.time() / 30), waiting, rows

    def _listed(
        self, runs: list[Run], run: Run | None, overlaid: tuple[str, ...], shown: Shown
    ) -> Updates:
        mark = self._mark(runs, run, overlaid) if runs else ()
        if mark == shown.runs:
            return {}
        any_run = bool(runs)
        viewed = run.id if run else None
        return {
            self.empty: gr.update(visible=not any_run),
            self.view: gr.update(visible=any_run),
            self.list_box: gr.update(visible=any_run),
            self.queue: train_views.queue_list(self._waiting(runs)),
            self.list: train_views.runs_list(runs, viewed, overlaid),
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
                self.compare: gr.update(visible=done and not run.live),
            }
        return updates


def _beside(act: Any) -> str:
    """Do it; what forbids it as a notice in place, nothing where it worked."""
    try:
        act()
    except StudioError as error:
        return notice("error", sentence(error))
    return ""


def _focus(identifier: str) -> str:
    """Puts the cursor into a field that is about to appear."""
    return (
        f"(...given) => {{ setTimeout(() => document.querySelector('#{identifier} textarea, "
        f"#{identifier} input')?.focus(), 300); return given; }}"
    )


def in_view(runs: list[Run], wanted: str | None) -> Run | None:
    """The run a page looks at: the one it chose, else the one in progress, else the newest."""
    for run in runs:
        if run.id == wanted:
            return run
    live = [run for run in runs if run.state in ("running", "stopping")]
    return next(iter(live or runs), None)
