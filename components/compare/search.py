"""Search: a query, or all held-out queries, against the documents of a dataset, by an embedding
run's base and by the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.compare import search_html as views
from components.compare.search_figures import vector_map
from components.ui.compat import Update, Updates, Values, shown_plot
from components.ui.handlers import QUIET, guard
from components.ui.job_progress import JobPanel, refreshed
from studio.core.errors import ConfigError
from studio.core.jobs import Job
from studio.workflows import embeddings
from studio.workflows import search as searching

if TYPE_CHECKING:
    from studio import Studio

_SHOWN = 10
ONE, ALL = "One query", "Held-out queries"
_SEARCHED = ("embedding_pairs", "scored_pairs", "prompt_completion", "preference",
             "conversational", "language_modeling")  # fmt: skip


class SearchTab(JobPanel):
    """The widgets and handlers of the Search sub-tab."""

    def __init__(self, studio: Studio):
        super().__init__()
        self.studio = studio

    def lay_out(self) -> None:
        runs, data = self._runs(), self._data()
        with gr.Row(elem_classes="search-top"):
            self.run = gr.Dropdown(
                runs,
                value=runs[0][1] if runs else None,
                label="Embedding run",
                elem_id="search-run",
                scale=2,
                min_width=160,
            )
            self.data = gr.Dropdown(
                data,
                value=data[0][1] if data else None,
                label="Documents of",
                elem_id="search-data",
                scale=2,
                min_width=160,
            )
            self.asked = gr.Radio(
                [ONE, ALL],
                value=ONE,
                label="Search for",
                elem_id="search-asked",
                scale=2,
                min_width=220,
            )
        with gr.Row(elem_classes="search-top"):
            self.query = gr.Textbox(
                label="Query",
                placeholder="What should be found?",
                elem_id="search-query",
                scale=4,
                min_width=200,
            )
            self.begin = gr.Button(
                "Search", variant="primary", elem_id="search-begin", scale=0, min_width=120
            )
            self.cancel = gr.Button(
                "Cancel", visible=False, elem_id="search-cancel", scale=0, min_width=120
            )
        self.with_map = gr.Checkbox(
            False,
            label="Draw a map of the vectors, base and tuned side by side",
            info="Each by its own PCA, with the share of the variance it holds. Gold: what was "
            "searched for; larger dots: the first found.",
            elem_id="search-map",
            container=False,
        )
        self.progress = gr.HTML("", elem_id="search-progress")
        self.plot = gr.Plot(visible=False, show_label=False, container=False, elem_id="search-plot")
        self.result = gr.HTML(views.empty(bool(runs)), elem_id="search-result")

    def bind(self, tab: gr.Tab) -> None:
        gr.on(
            [self.begin.click, self.query.submit],
            guard(self.search),
            {self.run, self.data, self.asked, self.query, self.with_map},
            [self.plot, self.result, *self.working],
            **QUIET,
            concurrency_limit=None,
        )
        self.bind_cancel()
        self.asked.change(
            guard(lambda asked: gr.update(visible=asked == ONE)), self.asked, self.query, **QUIET
        )
        lists = [self.run, self.data]
        tab.select(guard(self.freshen, "quietly"), lists, lists, **QUIET)

    def _runs(self) -> list[tuple[str, str]]:
        return [(run.name, run.id) for run in embeddings.encoders(self.studio)]

    def _data(self) -> list[tuple[str, str]]:
        listed = self.studio.datasets.list()
        found = [(each.name, each.id) for each in listed if each.type in _SEARCHED]
        return sorted(found, key=lambda one: self._pairs_last(one[1]))

    def _pairs_last(self, identifier: str) -> bool:
        return self.studio.datasets.get(identifier).type not in ("embedding_pairs", "scored_pairs")

    def freshen(self, run: str | None, data: str | None) -> tuple[Update, Update]:
        """New runs and datasets appear in the lists; what is chosen stays while it is there."""
        return refreshed(self._runs(), run), refreshed(self._data(), data)

    def search(self, given: Values) -> Iterator[Updates]:
        """Rank the documents with progress and a way to cancel."""
        yield from self.work(lambda: self._begin(given), self._drawn)

    def _drawn(self, found: dict[str, Any]) -> Updates:
        return {
            self.result: (views.result if "query" in found else views.retrieval)(found),
            self.plot: shown_plot(vector_map(found)),
        }

    def _begin(self, given: Values) -> Job[dict[str, Any]]:
        if not given[self.run]:
            raise ConfigError("No embedding run is finished yet; train one on the Train tab.")
        if not given[self.data]:
            raise ConfigError("No dataset has documents; prepare one on the Data tab.")
        run, data = self.studio.runs.get(str(given[self.run])), str(given[self.data])
        drawn = bool(given[self.with_map])
        if given[self.asked] == ALL:
            return searching.retrieval_of(self.studio, run, data, drawn)
        documents = searching.documents_of(self.studio, data)
        query = str(given[self.query] or "")
        return searching.search(self.studio, run, query, documents, _SHOWN, drawn)
