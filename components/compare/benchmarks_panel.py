"""Benchmarks: what the chosen runs gained and lost beside their base, by EleutherAI's lm-eval."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.compare import evaluation_html as views
from components.compare.controls import Controls
from components.ui.compat import Updates, Values
from components.ui.handlers import QUIET, guard
from components.ui.job_progress import JobPanel
from studio.core.errors import ConfigError
from studio.evaluation.benchmarks import BENCHMARKS, USUAL_ROWS
from studio.generation.request import Column
from studio.workflows import benchmarks
from studio.workflows.benchmarks import Benchmarking
from studio.workflows.comparisons import sides

if TYPE_CHECKING:
    from studio import Studio


class BenchmarksPanel(JobPanel):
    """The accordion "Benchmarks" under the scores."""

    def __init__(self, studio: Studio, left: Controls):
        super().__init__()
        self.studio, self.left = studio, left

    def lay_out(self) -> None:
        with gr.Accordion(
            "Benchmarks", open=False, elem_classes="fold quiet", elem_id="benchmarks"
        ):
            self.names = gr.CheckboxGroup(
                [(known.label, name) for name, known in BENCHMARKS.items()],
                value=["gsm8k", "arc_easy"],
                label="What the runs gained and lost beside their base, measured by lm-eval",
                elem_id="benchmarks-names",
            )
            with gr.Row(elem_classes="search-top"):
                self.rows = gr.Number(
                    USUAL_ROWS,
                    label="Rows of each",
                    precision=0,
                    minimum=1,
                    scale=1,
                    min_width=100,
                    elem_id="benchmarks-rows",
                )
                self.folder = gr.Textbox(
                    "",
                    label="Folder with rows",
                    scale=3,
                    placeholder="from the Hub; or a folder with gsm8k.jsonl and so on",
                    elem_id="benchmarks-folder",
                )
                self.begin = gr.Button(
                    "Run", variant="primary", scale=0, min_width=150, elem_id="benchmarks-begin"
                )
                self.cancel = gr.Button(
                    "Cancel", visible=False, scale=0, min_width=150, elem_id="benchmarks-cancel"
                )
            self.progress = gr.HTML("", elem_id="benchmarks-progress")
            self.result = gr.HTML("", elem_id="benchmarks-result")

    def bind(self) -> None:
        self.begin.click(
            guard(self.run),
            {self.names, self.rows, self.folder, *self.left.inputs},
            [self.result, *self.working],
            **QUIET,
            concurrency_limit=None,
        )
        self.bind_cancel()

    def run(self, data: Values) -> Iterator[Updates]:
        """Run them with progress and a way to cancel; the report is kept in the workspace."""
        yield from self.work(lambda: self._begin(data), self._kept)

    def _kept(self, report: dict[str, Any]) -> Updates:
        benchmarks.keep(self.studio, report)
        return {self.result: views.benchmarks(report)}

    def _begin(self, data: Values) -> Benchmarking:
        chosen = [side.column for side in sides(self.studio, self.left.columns(data))]
        runs = [column for column in chosen if column.run]
        models = {column.model for column in runs}
        if len(models) != 1:
            raise ConfigError("Choose one or more runs on the same base in the columns.")
        base = Column(models.pop(), label="base")
        if not data[self.names]:
            raise ConfigError("Choose at least one benchmark.")
        rows = int(data[self.rows] or 0)
        if rows < 1:
            raise ConfigError("Set the rows of each benchmark to at least one.")
        folder = str(data[self.folder] or "").strip() or None
        return benchmarks.run(self.studio, (base, *runs), data[self.names], rows, folder)
