"""Scores: metrics with intervals for the chosen models on rows with references, and votes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.compare import evaluation_html as views
from components.compare.benchmarks_panel import BenchmarksPanel
from components.compare.controls import Controls
from components.compare.errors_panel import ErrorsPanel
from components.compare.figures import over_checkpoints
from components.ui import prompt_sets
from components.ui.compat import Update, Updates, Values, shown_plot
from components.ui.handlers import QUIET, guard
from components.ui.job_progress import JobPanel
from studio.core.errors import ConfigError
from studio.core.formatting import plural
from studio.core.workspace import secret_id, write_json
from studio.evaluation import ScoreRequest, ScoreRows, load_rows
from studio.evaluation.over_checkpoints import over_steps
from studio.evaluation.request import METRICS, usual_metrics
from studio.generation.request import Column
from studio.metrics.text import EXTRACTORS
from studio.runs.reward_runs import resolve_reward_runs
from studio.workflows.comparisons import reward_choices, sides

if TYPE_CHECKING:
    from studio import Studio

_ANSWERED = "pocket-questions"
"""The rows at first: their answers are known, so that right and wrong are scored."""
_SUITING = "all that fit the rows"


class ScoreTab(JobPanel):
    """The widgets and handlers of the Scores sub-tab."""

    def __init__(self, studio: Studio, left: Controls):
        super().__init__()
        self.studio, self.left = studio, left
        self.errors = ErrorsPanel(studio)
        self.benchmarks = BenchmarksPanel(studio, left)

    def lay_out(self) -> None:
        with gr.Row(elem_id="score-top"):
            sources = self._sources()
            self.source = gr.Dropdown(
                sources,
                value=_ANSWERED,
                label="Rows",
                elem_id="score-source",
                scale=4,
                allow_custom_value=True,
            )
            self.limit = gr.Number(
                40,
                label="Limit",
                precision=0,
                minimum=1,
                scale=1,
                min_width=80,
                elem_id="score-limit",
            )
            self.begin = gr.Button(
                "Score 40 rows", variant="primary", elem_id="score-begin", scale=0, min_width=150
            )
            self.cancel = gr.Button(
                "Cancel", visible=False, elem_id="score-cancel", scale=0, min_width=150
            )
        self.over = gr.Checkbox(
            False,
            label="Score every checkpoint of the first run chosen",
            elem_id="score-over",
            container=False,
        )
        with gr.Accordion("Metrics", open=False, elem_classes="fold quiet"):
            self.metrics = gr.Dropdown(
                [_SUITING, *METRICS],
                value=[_SUITING],
                multiselect=True,
                label="Metrics",
                elem_id="score-metrics",
            )
            with gr.Row(elem_classes="inline-form"):
                self.extractor = gr.Dropdown(
                    list(EXTRACTORS),
                    value="text",
                    label="Answer part to compare",
                    allow_custom_value=True,
                    elem_id="score-extractor",
                    info="gsm8k: the number after ####; or regex:PATTERN. (extractor)",
                )
                self.pattern = gr.Textbox(
                    "", label="Pattern", info="The pattern for the regex metric. (pattern)"
                )
                self.reward = gr.Dropdown(
                    self._rewarding(),
                    value="",
                    allow_custom_value=True,
                    label="Reward",
                    elem_id="score-reward",
                    info="A reward model, or rules such as exact or length:1-30; separate several "
                    "with ;.",
                )
        self.progress = gr.HTML("", elem_id="score-progress")
        self.result = gr.HTML(views.empty(), elem_id="score-result")
        self.plot = gr.Plot(visible=False, show_label=False, container=False, elem_id="score-plot")
        self.errors.lay_out()
        self.benchmarks.lay_out()
        with gr.Accordion(
            "Human votes", open=False, elem_classes="fold quiet", elem_id="score-people"
        ) as self.people:
            self.votes = gr.HTML("", elem_id="score-votes")

    def bind(self, tab: gr.Tab) -> None:
        self.begin.click(
            guard(self.score),
            {
                self.source,
                self.limit,
                self.over,
                self.metrics,
                self.extractor,
                self.pattern,
                self.reward,
                *self.left.inputs,
            },
            [self.result, self.plot, self.errors.scored, *self.working],
            **QUIET,
            concurrency_limit=None,
        )
        self.bind_cancel()
        self.limit.change(
            guard(lambda limit: gr.update(value=f"Score {plural(int(limit or 0), 'row')}")),
            self.limit,
            self.begin,
            **QUIET,
        )
        tab.select(guard(self.freshen, "quietly"), None, [self.source, self.reward], **QUIET)
        self.errors.bind()
        self.benchmarks.bind()
        self.people.expand(guard(self.voted), None, self.votes, **QUIET)

    def _sources(self) -> list[tuple[str, str]]:
        known = prompt_sets.source_choices(self.studio)
        named = [(label, value.split(":")[1]) for label, value in known if ":" in value]
        return [*named, ("Pocket pairs, preferences", "pocket-preference")]

    def _rewarding(self) -> list[tuple[str, str]]:
        return [("None", ""), *reward_choices(self.studio)]

    def freshen(self) -> tuple[Update, Update]:
        return gr.update(choices=self._sources()), gr.update(choices=self._rewarding())

    def voted(self) -> str:
        """Results are for owners, as on the Label tab; that is the guard's default."""
        return views.votes(self.studio.labels)

    # ---- scoring --------------------------------------------------------------------------------

    def score(self, data: Values) -> Iterator[Updates]:
        """Score with progress and a way to cancel; the result is saved in the workspace."""

        def shown(result: dict[str, Any]) -> Updates:
            name = f"{secret_id('score')}.json"
            write_json(self.studio.workspace.comparisons / name, result)
            figure = over_checkpoints(result["columns"]) if data[self.over] else None
            return {
                self.result: views.result(result),
                self.errors.scored: result,
                self.plot: shown_plot(figure),
            }

        yield from self.work(lambda: self.studio.score(self._request(data)), shown)

    def _request(self, data: Values) -> ScoreRequest:
        chosen = sides(self.studio, self.left.columns(data))
        limit = int(data[self.limit] or 0)
        if limit < 1:
            raise ConfigError("Set the limit to at least one row.")
        rows = load_rows(self.studio.datasets, str(data[self.source] or ""), limit)
        asking = self.left.asking(data)
        rows = replace(rows, rows=[asking.row(row) for row in rows.rows])
        columns, steps = tuple(side.column for side in chosen), ()
        if data[self.over]:
            columns, steps = self._over_steps(columns)
        return ScoreRequest(
            columns,
            rows,
            self._metrics(data, rows),
            self.left.sampling(data),
            data[self.extractor] or "text",
            data[self.pattern] or None,
            rewards=self._rewards(data),
            steps=steps,
        )

    def _over_steps(self, columns: Sequence[Column]) -> tuple[tuple[Column, ...], tuple[int, ...]]:
        run = next((column.run for column in columns if column.run), None)
        if run is None:
            raise ConfigError("No run is chosen; choose one to score its checkpoints.")
        return over_steps(self.studio.runs.get(run))

    def _metrics(self, data: Values, rows: ScoreRows) -> tuple[str, ...]:
        wanted = data[self.metrics] or []
        own = tuple(name for name in wanted if name != _SUITING)
        if data[self.reward] and "reward" not in own:
            wanted, own = wanted if own else [_SUITING], (*own, "reward")
        return own if own and _SUITING not in wanted else (*usual_metrics(rows), *own)

    def _rewards(self, data: Values) -> tuple[str, ...]:
        terms = [part.strip() for part in str(data[self.reward] or "").split(";")]
        return resolve_reward_runs([part for part in terms if part], self.studio.runs)
