"""Score: figures with intervals for the chosen columns on rows with known answers, and votes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.compare import evaluation_html as views
from components.compare.controls import Controls
from components.ui import prompt_sets
from components.ui.handlers import QUIET, guard, page_loads, sentence
from components.ui.html import notice, progress_bar
from studio.core.errors import ConfigError
from studio.core.formatting import plural
from studio.core.workspace import new_id, write_json
from studio.evaluation import ScoreRequest, ScoreRows, Scoring, load_rows
from studio.evaluation.over_checkpoints import over_steps
from studio.evaluation.request import METRICS, usual_metrics
from studio.generation.request import Column
from studio.metrics.text import EXTRACTORS
from studio.runs.reward_runs import resolve_reward_runs
from studio.workflows.comparisons import reward_choices, sides

if TYPE_CHECKING:
    from studio import Studio

Updates = dict[Any, Any]
_REFRESH = 0.3
_SUITING = "all that suit the rows"


class ScoreTab:
    """The widgets and handlers of the Score sub-tab."""

    def __init__(self, studio: Studio, left: Controls):
        self.studio, self.left = studio, left
        self.live: Any = gr.State(None)

    def lay_out(self) -> None:
        with gr.Row(elem_id="score-top"):
            sources = self._sources()
            self.source = gr.Dropdown(
                sources,
                value=sources[0][1],
                label="Rows",
                elem_id="score-source",
                scale=4,
                allow_custom_value=True,
            )
            self.limit = gr.Number(
                40,
                label="At most",
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
            label="Over the checkpoints of the first run in a column",
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
                    label="Compared part of an answer",
                    allow_custom_value=True,
                    elem_id="score-extractor",
                    info="gsm8k: the number after ####; or regex:PATTERN. (extractor)",
                )
                self.pattern = gr.Textbox(
                    "", label="Pattern", info="What the metric regex looks for. (pattern)"
                )
                self.reward = gr.Dropdown(
                    self._rewarding(),
                    value="",
                    allow_custom_value=True,
                    label="Reward",
                    elem_id="score-reward",
                    info="A reward model, or rules such as exact or length:1-30; several with ; "
                    "between them.",
                )
        self.progress = gr.HTML("", elem_id="score-progress")
        self.result = gr.HTML(views.empty(), elem_id="score-result")
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
            [self.progress, self.result, self.begin, self.cancel, self.live],
            **QUIET,
            concurrency_limit=None,
        )
        self.cancel.click(guard(self.halt), self.live, None, **QUIET)
        self.limit.change(
            guard(lambda limit: gr.update(value=f"Score {plural(int(limit or 0), 'row')}")),
            self.limit,
            self.begin,
            **QUIET,
        )
        arrivals = [tab.select, *page_loads()]
        gr.on(arrivals, guard(self.freshen, "quietly"), None, [self.source, self.reward], **QUIET)
        self.people.expand(guard(self.voted), None, self.votes, **QUIET)

    def _sources(self) -> list[tuple[str, str]]:
        known = prompt_sets.source_choices(self.studio)
        named = [(label, value.split(":")[1]) for label, value in known if ":" in value]
        return [*named, ("Pocket pairs, preferences", "pocket-preference")]

    def _rewarding(self) -> list[tuple[str, str]]:
        return [("none", ""), *reward_choices(self.studio)]

    def freshen(self) -> Any:
        return gr.update(choices=self._sources()), gr.update(choices=self._rewarding())

    def voted(self) -> str:
        """Results are for owners, as on the Label tab: the guard's default."""
        return views.votes(self.studio.labels)

    # ---- scoring --------------------------------------------------------------------------------

    def score(self, data: Mapping[Any, Any]) -> Iterator[Updates]:
        """Score with a count and a way out; the result is kept in the workspace."""
        try:
            scoring = self.studio.score(self._request(data))
        except Exception as error:
            yield {self.progress: notice("error", sentence(error))}
            return
        try:
            yield {
                self.begin: gr.update(visible=False),
                self.cancel: gr.update(visible=True),
                self.live: scoring,
                self.progress: progress_bar(0, None, scoring.what),
            }
            while not scoring.wait(_REFRESH):
                yield {
                    self.progress: progress_bar(
                        scoring.done, scoring.total, scoring.progress_text()
                    )
                }
        finally:
            scoring.cancel()  # nobody waits for the rest, where the page was left
        updates: Updates = {
            self.begin: gr.update(visible=True),
            self.cancel: gr.update(visible=False),
            self.live: None,
            self.progress: "",
        }
        if scoring.error:
            updates[self.progress] = notice("error", scoring.error)
        else:
            name = f"{new_id('score')}.json"
            write_json(self.studio.workspace.comparisons / name, scoring.result())
            updates[self.result] = views.result(scoring.result())
        yield updates

    def _request(self, data: Mapping[Any, Any]) -> ScoreRequest:
        chosen = sides(self.studio, self.left.columns(data))
        limit = int(data[self.limit] or 0)
        if limit < 1:
            raise ConfigError("Ask for at least one row.")
        rows = load_rows(self.studio.datasets, str(data[self.source] or ""), limit)
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

    def _over_steps(self, columns: Sequence[Column]) -> Any:
        run = next((column.run for column in columns if column.run), None)
        if run is None:
            raise ConfigError("No column holds a run; choose one to follow over its checkpoints.")
        return over_steps(self.studio.runs.get(run))

    def _metrics(self, data: Mapping[Any, Any], rows: ScoreRows) -> tuple[str, ...]:
        wanted = data[self.metrics] or []
        own = tuple(name for name in wanted if name != _SUITING)
        if data[self.reward] and "reward" not in own:
            wanted, own = wanted if own else [_SUITING], (*own, "reward")
        return own if own and _SUITING not in wanted else (*usual_metrics(rows), *own)

    def _rewards(self, data: Mapping[Any, Any]) -> tuple[str, ...]:
        written = [part.strip() for part in str(data[self.reward] or "").split(";")]
        return resolve_reward_runs([part for part in written if part], self.studio.runs)

    def halt(self, scoring: Scoring | None) -> None:
        if scoring is not None:
            scoring.cancel()
