"""What controls the run in view: stop, resume, copy, rename, and delete with undo."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import gradio as gr
from gradio.events import Dependency

from components.ui.compat import Options, Update, Updates, Widget
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from components.ui.page_context import Session
from studio.core.errors import StudioError
from studio.runs import checkpoints
from studio.runs.store import RESUMABLE, Run

if TYPE_CHECKING:
    from studio import Studio

Look = Callable[[Dependency], None]


class Actions:
    """The buttons beside a run's headline, and the boxes they open."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self.gone = gr.State("")
        """The id of the run this page deleted last, while that can be undone."""
        self.copied = gr.State(None)
        """`(run id, time)` of the last request to copy a run's recipe into the form."""

    # ---- layout ---------------------------------------------------------------------------------

    def lay_out_undo(self) -> None:
        with gr.Row(visible=False, elem_id="run-undo") as self.undo_box:
            self.message = gr.HTML("")
            self.undo = gr.Button("Undo", size="sm", min_width=60)

    def lay_out_buttons(self) -> None:
        with gr.Row(elem_id="run-actions"):
            small: Options = {"size": "sm", "visible": False, "min_width": 60}
            self.stop = gr.Button("Stop", elem_id="run-stop", **small)
            self.halt = gr.Button("Stop now", elem_id="run-halt", **small)
            self.resume = gr.Button("Resume", elem_id="run-resume", **small)
            self.copy = gr.Button("Edit a copy", elem_id="run-copy", size="sm", min_width=60)
            self.rename = gr.Button("Rename", elem_id="run-rename", size="sm", min_width=60)
            self.delete = gr.Button("Delete", elem_id="run-delete", **small)

    def lay_out_naming(self) -> None:
        with gr.Row(visible=False, elem_id="run-naming") as self.naming:
            self.name = gr.Textbox(
                show_label=False,
                container=False,
                max_lines=1,
                elem_id="run-name",
                placeholder="New name",
                max_length=120,
            )
            self.name_ok = gr.Button("Rename", size="sm", min_width=60)
            self.name_no = gr.Button("Cancel", size="sm", min_width=60)
        self.trouble = gr.HTML("", elem_id="run-trouble")

    # ---- binding --------------------------------------------------------------------------------

    @property
    def offers(self) -> list[Widget]:
        """The buttons that `offered` changes."""
        return [self.stop, self.halt, self.resume, self.delete]

    def bind(self, viewing: gr.State, session: gr.State, look: Look) -> None:
        """Bind the handlers; `look` updates the page after an event."""
        for button, act in (
            (self.stop, self.ask_stop),
            (self.halt, self.ask_halt),
            (self.resume, self.go_on),
        ):
            look(button.click(guard(act), viewing, self.trouble, **QUIET))
        self._bind_names(viewing, look)
        undoing = [self.trouble, self.gone, self.undo_box, self.message, session]
        look(self.delete.click(guard(self.remove), [viewing, session], undoing, **QUIET))
        look(self.undo.click(guard(self.bring_back), [self.gone, session], undoing, **QUIET))
        self.copy.click(
            guard(lambda run_id: (run_id, time.monotonic())), viewing, self.copied, **QUIET
        )

    def _bind_names(self, viewing: gr.State, look: Look) -> None:
        box = [self.naming, self.name]
        self.rename.click(guard(self.ask_name), viewing, box, js=_focus("run-name"), **QUIET)
        self.name_no.click(guard(lambda: (gr.update(visible=False), "")), None, box, **QUIET)
        for event in (self.name.submit, self.name_ok.click):
            named = event(
                guard(self.give_name), [viewing, self.name], [*box, self.trouble], **QUIET
            )
            look(named)

    # ---- acting ---------------------------------------------------------------------------------

    def ask_stop(self, run_id: str) -> str:
        return _beside(lambda: self.studio.stop(run_id))

    def ask_halt(self, run_id: str) -> str:
        return _beside(lambda: self.studio.stop(run_id, now=True))

    def go_on(self, run_id: str) -> str:
        return _beside(lambda: self.studio.resume(run_id))

    def ask_name(self, run_id: str) -> tuple[Update, str]:
        return gr.update(visible=True), self.studio.runs.get(run_id).name

    def give_name(self, run_id: str, name: str) -> tuple[Update, Update, str]:
        trouble = _beside(lambda: self.studio.runs.rename(run_id, name))
        return gr.update(visible=bool(trouble)), gr.skip() if trouble else "", trouble

    def remove(self, run_id: str, session: Session) -> tuple[Update, ...]:
        """Move a run to the trash, with a line that offers Undo; an error is shown in place."""
        run = self.studio.runs.get(run_id)
        trouble = _beside(lambda: self.studio.runs.delete(run_id))
        if trouble:
            return trouble, gr.skip(), gr.skip(), gr.skip(), gr.skip()
        text = notice("info", f"Deleted {run.name}. It can be restored within a day.")
        return "", run_id, gr.update(visible=True), text, replace(session, run_id=None)

    def bring_back(self, run_id: str, session: Session) -> tuple[Update, ...]:
        trouble = _beside(lambda: self.studio.runs.restore(run_id))
        hidden = gr.update(visible=False)
        return trouble, "", hidden, "", replace(session, run_id=None if trouble else run_id)

    # ---- offering -------------------------------------------------------------------------------

    def offered(self, run: Run, resume_from: int | None) -> Updates:
        """The buttons that apply to a run's state: one Stop, and a harder one only after it."""
        waiting = run.state == "queued"
        resume = f"Resume from step {resume_from:,}" if resume_from else "Restart"
        stopping = run.state == "stopping"
        stop = "Remove from queue" if waiting else "Saving" if stopping else "Stop"
        if run.job:
            stop, resume = "Cancel the job", "Restart" if run.job.get("ended") else "Follow the job"
        return {
            self.stop: gr.update(
                visible=run.state in ("queued", "running", "stopping"),
                value=stop,
                interactive=not stopping,
            ),
            self.halt: gr.update(visible=stopping and not run.job),
            self.resume: gr.update(visible=run.state in RESUMABLE, value=resume),
            self.delete: gr.update(visible=not run.live),
        }


def resume_step(run: Run) -> int | None:
    """The step a run would resume from; None without a checkpoint, or where it cannot resume."""
    newest = checkpoints.newest(run.checkpoints) if run.state in RESUMABLE else None
    return checkpoints.step_of(newest) if newest else None


def _beside(act: Callable[[], object]) -> str:
    """Run `act`; its error as a notice, empty where it worked."""
    try:
        act()
    except StudioError as error:
        return notice("error", sentence(error))
    return ""


def _focus(identifier: str) -> str:
    """JavaScript that focuses a field about to appear."""
    return (
        f"(...values) => {{ setTimeout(() => document.querySelector('#{identifier} textarea, "
        f"#{identifier} input')?.focus(), 300); return values; }}"
    )
