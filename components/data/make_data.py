"""Make data: models write a dataset (Self-Instruct), from the Data tab.

The work lies in the workspace after every batch, so that Stop, a refresh, or a restart loses
nothing: what is unfinished is offered to be taken up again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.data.dataset_handlers import show
from components.ui.compat import Updates
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar
from studio.core.errors import Cancelled
from studio.core.formatting import plural
from studio.core.jobs import Job
from studio.workflows import self_instruct
from studio.workflows.comparisons import column_choices, finished

if TYPE_CHECKING:
    from studio import Studio
    from studio.data import PreparedDataset

_NO_JUDGE = ("No judge", "")
_ABOUT = (
    "A model writes new instructions, then answers them. Each must differ from all before it "
    "(ROUGE-L under 0.7); what is dropped is counted."
)
_NEW = ("Something new", "")


class MakeData:
    """The fold below the source; holds widgets and the engine, no user state."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self) -> None:
        """The fold, inside the open column."""
        with gr.Accordion(
            "Make data with models", open=False, elem_classes="fold", elem_id="data-make"
        ) as self.box:
            gr.HTML(f'<p class="quiet">{_ABOUT}</p>')
            self.unfinished = gr.Dropdown(
                [_NEW], value="", label="Go on with", visible=False, elem_id="make-unfinished"
            )
            self.topic = gr.Textbox(max_lines=1, label="Topic", placeholder="gardening")
            self.seeds = gr.Textbox(
                lines=3,
                max_lines=8,
                label="Seed tasks, one a line",
                placeholder="When should I prune an apple tree?",
                elem_id="make-seeds",
            )
            self.documents = gr.File(
                file_count="multiple", label="Or documents to ask about", height=160
            )
            self.writer = self._models("Writes instructions", "base:pocket", "make-writer")
            self.answerers = gr.Dropdown(
                column_choices([]),
                value=["base:pocket"],
                multiselect=True,
                max_choices=2,
                allow_custom_value=True,
                label="Answers; two make chosen and rejected",
                elem_id="make-answerers",
            )
            self.judge = self._models("Judges, from 1 to 10", "", "make-judge", [_NO_JUDGE])
            with gr.Row():
                self.count = gr.Number(50, precision=0, minimum=1, label="Rows", min_width=80)
                self.name = gr.Textbox("made", max_lines=1, label="Name", min_width=100)
            self.continues = gr.Checkbox(
                False,
                label="The writer continues a list",
                info="For a model that was never taught to follow instructions.",
            )
            with gr.Row():
                self.make = gr.Button("Make data", size="sm", elem_id="make-begin", min_width=80)
                self.stop = gr.Button("Stop", size="sm", visible=False, min_width=60)
            self.progress = gr.HTML("", elem_id="make-progress")

    def _models(
        self, label: str, value: str, elem_id: str, first: Sequence[tuple[str, str]] = ()
    ) -> gr.Dropdown:
        choices = [*first, *column_choices([])]
        return gr.Dropdown(
            choices, value=value, allow_custom_value=True, label=label, elem_id=elem_id
        )

    def bind(self, opening: gr.State) -> None:
        """Bind the handlers; `opening` shows the dataset that was made."""
        self.opening = opening
        choices = [self.writer, self.answerers, self.judge, self.unfinished]
        self.box.expand(guard(self.fresh), None, choices, **QUIET)
        outputs = [self.make, self.stop, self.progress, self.unfinished, opening]
        press = self.make.click(guard(self.begin), self.inputs, outputs, **QUIET)
        # In two steps: the cancelled event must end before its outputs are reset.
        self.stop.click(None, cancels=press, **QUIET).then(
            guard(self.stopped), None, outputs, **QUIET
        )

    @property
    def inputs(self) -> list[Any]:
        """In the order `begin` takes them."""
        return [
            self.unfinished,
            self.topic,
            self.seeds,
            self.documents,
            self.writer,
            self.answerers,
            self.judge,
            self.count,
            self.name,
            self.continues,
        ]

    def fresh(self) -> tuple[Any, ...]:
        """The models there are now, and what is unfinished."""
        models = column_choices(finished(self.studio))
        offered = gr.update(choices=models)
        judge = gr.update(choices=[_NO_JUDGE, *models])
        return offered, offered, judge, self._left()

    def _left(self) -> Any:
        left = [
            (f"{one['name']}: {one['kept']:,} of {plural(one['count'], 'row')}", one["id"])
            for one in self_instruct.unfinished(self.studio)
        ]
        return gr.update(choices=[_NEW, *left], value="", visible=bool(left))

    def begin(self, unfinished: str, *values: Any) -> Iterator[Updates]:
        """Make rows until there are enough, with counts of what is kept and dropped."""
        try:
            if unfinished:
                making = self_instruct.resume(self.studio, unfinished)
            else:
                making = self_instruct.begin(self.studio, self._plan(*values))
        except Exception as error:
            yield {self.progress: notice("error", sentence(error))}
            return
        work: Job[PreparedDataset] = Job(kind="making").start(making.run)
        yield {
            self.make: gr.update(value="Making", interactive=False),
            self.stop: gr.update(visible=True),
            self.progress: progress_bar(making.state.kept, making.plan.count, "loading the model"),
        }
        again = {
            self.make: gr.update(value="Make data", interactive=True),
            self.stop: gr.update(visible=False),
        }
        try:
            for done, total, what in work.steps():
                yield {self.progress: progress_bar(done, total, what)}
            made = work.result()
        except Cancelled:
            yield again | {self.unfinished: self._left()}
        except Exception as error:
            said = notice("error", sentence(error))
            yield again | {self.progress: said, self.unfinished: self._left()}
        else:
            fewer = making.state.kept < making.plan.count
            said = f"{made.name}: {making.state.sentence()}"
            said += " It stopped because nothing new came any more." if fewer else ""
            yield again | {
                self.progress: notice("warn" if fewer else "good", said),
                self.unfinished: self._left(),
                self.opening: show(made.id),
            }
        finally:
            work.cancel()

    def stopped(self) -> Updates:
        """After Stop: what was made is kept, and offered."""
        return {
            self.make: gr.update(value="Make data", interactive=True),
            self.stop: gr.update(visible=False),
            self.progress: notice("info", "Stopped. What was made is kept: go on with it above."),
            self.unfinished: self._left(),
        }

    def _plan(
        self,
        topic: str,
        seeds: str,
        documents: list[str] | None,
        writer: str,
        answerers: list[str] | None,
        judge: str,
        count: float,
        name: str,
        continues: bool,
    ) -> self_instruct.MakePlan:
        kept = self.studio.workspace.take_in(documents) if documents else []
        return self_instruct.MakePlan(
            writer=writer or "",
            answerers=tuple(answerers or ()),
            seeds=tuple(line.strip() for line in (seeds or "").splitlines() if line.strip()),
            documents=self_instruct.document_chunks([Path(path) for path in kept]),
            topic=(topic or "").strip(),
            count=int(count or 0),
            judge=judge or "",
            continues=continues,
            name=(name or "").strip() or "made",
        )
