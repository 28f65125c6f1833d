"""Context: what a run makes of a longer context than its base's, drawn side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.compare import context_figures as figures
from components.ui import prompt_sets
from components.ui.compat import Update, Updates, Values, shown_plot
from components.ui.handlers import QUIET, guard
from components.ui.html import empty_state
from components.ui.job_progress import JobPanel, refreshed
from studio.core.errors import ConfigError
from studio.core.jobs import Job
from studio.workflows import long_context

if TYPE_CHECKING:
    from studio import Studio

_ROWS = 16
_KEYS = ("Pass keys", "")
EMPTY = (
    "Does it read further?",
    "Held-out loss by position, and facts hidden among the rows' text at 0 to 100 % of up to the "
    "length: for the base, the base with the run's rope_parameters alone, and the run.",
)


class ContextTab(JobPanel):
    """The widgets and handlers of the Context sub-tab."""

    def __init__(self, studio: Studio):
        super().__init__()
        self.studio = studio

    def lay_out(self) -> None:
        runs, data = self._runs(), self._data()
        with gr.Row(elem_classes="search-top"):
            self.run = gr.Dropdown(
                runs,
                value=runs[0][1] if runs else None,
                label="Run",
                elem_id="context-run",
                scale=2,
                min_width=160,
            )
            self.data = gr.Dropdown(
                data,
                value=data[0][1] if data else None,
                label="Rows",
                elem_id="context-data",
                scale=2,
                min_width=160,
                allow_custom_value=True,
            )
            self.facts = gr.Dropdown(
                self._facts(),
                value=_KEYS[1],
                label="Facts to hide",
                elem_id="context-facts",
                scale=2,
                min_width=160,
            )
        with gr.Row(elem_classes="search-top"):
            numbers = (
                ("length", "Length", 0, 0, "Tokens; 0: the run's max_length."),
                ("trials", "Facts per cell", 4, 0, "0: no grid."),
                ("digits", "Digits of a pass key", 4, 1, "All different."),
            )
            self.numbers = {
                name: gr.Number(
                    value,
                    label=label,
                    precision=0,
                    minimum=least,
                    info=info,
                    elem_id=f"context-{name}",
                    scale=1,
                    min_width=110,
                )
                for name, label, value, least, info in numbers
            }
            self.begin = gr.Button(
                "Measure", variant="primary", elem_id="context-begin", scale=0, min_width=120
            )
            self.cancel = gr.Button(
                "Cancel", visible=False, elem_id="context-cancel", scale=0, min_width=120
            )
        self.progress = gr.HTML(empty_state(*EMPTY), elem_id="context-progress")
        self.grid = gr.Plot(
            visible=False, show_label=False, container=False, elem_id="context-grid"
        )
        self.losses = gr.Plot(
            visible=False, show_label=False, container=False, elem_id="context-losses"
        )

    def bind(self, tab: gr.Tab) -> None:
        self.begin.click(
            guard(self.measure),
            {self.run, self.data, self.facts, *self.numbers.values()},
            [self.grid, self.losses, *self.working],
            **QUIET,
            concurrency_limit=None,
        )
        self.bind_cancel()
        self.facts.change(
            guard(lambda facts: gr.update(visible=not facts)),
            self.facts,
            self.numbers["digits"],
            **QUIET,
        )
        lists = [self.run, self.data, self.facts]
        tab.select(guard(self.freshen, "quietly"), lists, lists, **QUIET)

    def _runs(self) -> list[tuple[str, str]]:
        return [(run.name, run.id) for run in long_context.writers(self.studio)]

    def _named(self) -> list[tuple[str, str]]:
        known = prompt_sets.source_choices(self.studio)
        return [(label, value.split(":")[1]) for label, value in known if ":" in value]

    def _facts(self) -> list[tuple[str, str]]:
        return [_KEYS, *self._named()]

    def _data(self) -> list[tuple[str, str]]:
        named = self._named()
        listed = self.studio.datasets.list()
        texts = [(each.name, each.id) for each in listed if each.type == "language_modeling"]
        return [*texts, *[one for one in named if one[1] not in dict(texts).values()]]

    def freshen(
        self, run: str | None, data: str | None, facts: str | None
    ) -> tuple[Update, Update, Update]:
        """New runs and datasets appear in the lists; what is chosen stays while it is there."""
        rows = self._data()
        known = [*rows, (data, data)] if data else rows  # a file's path may be typed
        return (
            refreshed(self._runs(), run),
            {**refreshed(known, data), "choices": rows},
            refreshed(self._facts(), facts),
        )

    def measure(self, given: Values) -> Iterator[Updates]:
        """Measure with progress and a way to cancel, then draw."""
        yield from self.work(lambda: self._begin(given), self._drawn)

    def _drawn(self, found: dict[str, Any]) -> Updates:
        return {
            self.grid: shown_plot(figures.needles(found)),
            self.losses: shown_plot(figures.losses(found)),
        }

    def _begin(self, given: Values) -> Job[dict[str, Any]]:
        if not given[self.run]:
            raise ConfigError("No run that writes text is finished yet; train one on Train.")
        if not given[self.data]:
            raise ConfigError("Choose rows to read; prepare some on the Data tab.")
        run = self.studio.runs.get(str(given[self.run]))
        length, trials, digits = (given[box] for box in self.numbers.values())
        return long_context.measure(
            self.studio,
            run,
            str(given[self.data]),
            int(length) if length else None,
            trials=int(trials or 0),
            digits=int(digits or 1),
            limit=_ROWS,
            facts=str(given[self.facts] or "") or None,
        )
