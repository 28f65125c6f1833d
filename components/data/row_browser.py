"""Browsing rows on the Data tab: paging, jumping, searching, filtering, switching splits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.events import Dependency

from components.data import problems_html, row_html
from components.data.open_sources import ListLink, OpenSources, Subject
from components.data.preview_layout import (
    FILTERS,
    NO_STATISTICS,
    NO_TOKENS,
    NOTHING,
    WHY_NOT,
    PreviewLayout,
)
from components.ui.compat import event_data
from components.ui.handlers import QUIET, guard
from components.ui.html import progress_bar
from studio.core.errors import DataError
from studio.core.formatting import plural, thousands
from studio.core.jobs import Job
from studio.data.prepared.browse import ALL, GOOD, ReadRows
from studio.data.types import Row

Update = dict[str, Any]
"""A new value or property of one component, as `gr.update` and `gr.skip` return it."""
Updates = dict[Block, object]
"""What a handler changes: component to value or `Update`."""
LISTED = 200  # problems shown at once


class RowBrowser:
    """Shows one row of a subject at a time."""

    def __init__(self, sources: OpenSources, preview: PreviewLayout):
        self.sources, self.preview = sources, preview
        self.subject = gr.State(Subject())
        self.view = gr.State("rows")
        self.kept = gr.BrowserState({}, storage_key="studio-data", secret="alignment-studio")
        """The subject of this browser, restored after a refresh."""
        pager = preview.pager
        self.outputs = [
            self.subject,
            self.kept,
            pager.box,
            pager.position,
            pager.count,
            preview.card,
        ]
        self.fresh_outputs = [
            *self.outputs,
            self.view,
            pager.search,
            pager.filter,
            pager.split,
            pager.progress,
            preview.tokens.view,
            preview.tokens.bar,
            preview.statistics.said,
            preview.statistics.bar,
            preview.statistics.plots,
            preview.statistics.cost,
        ]

    def bind(self, then: Callable[[Dependency], None]) -> None:
        """Bind the handlers; `then` chains what follows when another row is shown."""
        pager, subject = self.preview.pager, self.subject
        outputs = [*self.outputs, pager.progress]
        moves = [
            pager.previous.click(
                guard(functools.partial(self.turn, -1)), subject, outputs, **QUIET
            ),
            pager.next.click(guard(functools.partial(self.turn, 1)), subject, outputs, **QUIET),
            pager.position.submit(
                guard(self.jump), [subject, pager.position], outputs, **QUIET
            ),
            pager.filter.input(guard(self.narrow), [subject, pager.filter], outputs, **QUIET),
            pager.split.input(guard(self.switch), [subject, pager.split], outputs, **QUIET),
            pager.search.submit(
                guard(self.search), [subject, pager.search], outputs, **QUIET
            ),
            pager.search.change(
                guard(self.cleared), [subject, pager.search], outputs, **QUIET
            ),
        ]  # fmt: skip
        for move in moves:
            then(move)
        opening = self.preview.problems.list.click(
            guard(self.open_problem),
            subject,
            [*outputs, pager.filter, pager.search, self.preview.views, self.view],
            **QUIET,
        )
        opening.success(None, None, None, js="() => studioReveal('data-headline')")

    # ---- what is shown --------------------------------------------------------------------------

    def row(self, subject: Subject) -> Row | None:
        """The current row in TRL's format; None if there is none."""
        if not subject.something:
            return None
        found = self.sources.matches(subject)
        if not len(found):
            return None
        at = int(found[min(subject.at, len(found) - 1)])
        return self.sources.rows(subject).show(at).row or None

    def show(self, subject: Subject) -> Updates:
        """Show the row at the subject's position."""
        pager = self.preview.pager
        found = self.sources.matches(subject)
        at = min(subject.at, max(0, len(found) - 1))
        subject = replace(subject, at=at)
        card = problems_html.no_match(subject.text)
        if len(found):
            shown = self.sources.rows(subject).show(int(found[at]))
            place = "held-out row" if subject.split == "test" else ""
            card = row_html.shown_card(shown, place, subject.text)
        return {
            self.subject: subject,
            self.kept: subject.kept(),
            pager.box: gr.update(visible=True),
            pager.position: gr.update(value=at + 1, maximum=max(1, len(found))),
            pager.count: self.count_text(subject, len(found)),
            self.preview.card: card,
        }

    def count_text(self, subject: Subject, count: int) -> str:
        words = f"of {plural(count, 'row')}"
        if subject.text or subject.kind not in (GOOD, ALL):
            words = f"of {thousands(count)} found"
        return f'<span class="row-count">{words}</span>'

    def show_fresh(self, subject: Subject, filters: list[tuple[str, str]] | None = None) -> Updates:
        """Show another source or dataset, and reset every view of the previous one."""
        pager, tokens, statistics = self.preview.pager, self.preview.tokens, self.preview.statistics
        splits = ()
        if subject.dataset_id:
            splits = tuple(self.sources.studio.datasets.get(subject.dataset_id).rows)
        return {
            **self.show(subject),
            self.view: "rows",
            pager.progress: "",
            pager.search: gr.update(value=subject.text),
            pager.filter: gr.update(
                choices=filters or FILTERS, value=subject.kind, visible=bool(filters)
            ),
            pager.split: gr.update(value=subject.split, visible="test" in splits),
            tokens.view: NO_TOKENS,
            tokens.bar: gr.update(visible=True),
            **self._no_statistics(),
            statistics.said: NO_STATISTICS,
        }

    def filters(self, subject: Subject) -> list[tuple[str, str]]:
        """The row filters of a source."""
        held = self.sources.held(subject)
        return problems_html.row_filters(held.found, held.reading.problems.counts)

    def show_problems(self, subject: Subject) -> Updates:
        """Show a source's problems and the filter by kind."""
        problems, held = self.preview.problems, self.sources.held(subject)
        counts = held.reading.problems.counts
        total = sum(counts.values())
        listed = held.reading.problems.page(None, 0, LISTED)
        name = "Notes" if held.found.kept == held.found.rows else "Problems"
        return {
            problems.tab: gr.Tab(label=f"{name} {thousands(total)}" if total else "Problems"),
            problems.bar: gr.update(visible=True),
            problems.kind: gr.update(choices=problems_html.problem_kinds(counts), value=""),
            problems.check: gr.update(visible=held.found.type not in WHY_NOT),
            problems.list: problems_html.problems_table(listed, total),
        }

    def nothing(self) -> Updates:
        """Reset: nothing is shown."""
        return {
            self.subject: Subject(),
            self.kept: {},
            self.preview.pager.box: gr.update(visible=False),
            self.preview.pager.progress: "",
            self.preview.card: NOTHING,
            self.preview.tokens.bar: gr.update(visible=False),
            self.preview.tokens.view: NO_TOKENS,
            self.preview.statistics.said: NO_STATISTICS,
            **self._no_statistics(),
        }

    def _no_statistics(self) -> Updates:
        statistics = self.preview.statistics
        return {
            statistics.bar: gr.update(visible=False),
            statistics.plots: gr.update(visible=False),
            statistics.cost: "",
        }

    # ---- moving ---------------------------------------------------------------------------------

    def turn(self, step: int, subject: Subject) -> Updates | Update:
        """Next or previous row, wrapping around."""
        count = len(self.sources.matches(subject)) if subject.something else 0
        return self.show(replace(subject, at=(subject.at + step) % count)) if count else gr.skip()

    def jump(self, subject: Subject, position: float | None) -> Updates | Update:
        """Jump to a row by its position."""
        if not subject.something:
            return gr.skip()
        return self.show(replace(subject, at=max(int(position or 1), 1) - 1))

    def narrow(self, subject: Subject, kind: str) -> Updates | Update:
        """Show only the rows of a filter."""
        return self.show(replace(subject, kind=kind, at=0)) if subject.something else gr.skip()

    def switch(self, subject: Subject, split: str) -> Updates | Update:
        """Switch to the other split."""
        return self.show(replace(subject, split=split, at=0)) if subject.something else gr.skip()

    def cleared(self, subject: Subject, text: str) -> Updates | Update:
        """Show all rows again as soon as the search field is cleared."""
        if text or not subject.text:
            return gr.skip()
        return self.show(replace(subject, text="", at=0))

    def search(self, subject: Subject, text: str) -> Iterator[Updates]:
        """Show only the rows that contain a text."""
        text = (text or "").strip()
        if not subject.something or text == subject.text:
            return
        wanted = replace(subject, text=text, at=0)
        work = Job().start(lambda progress: self.sources.matches(wanted, progress))
        try:
            for step in work.steps():
                bar = progress_bar(step[0], step[1], work.progress_text(step))
                yield {self.preview.pager.progress: bar}
            work.result()
            yield {**self.show(wanted), self.preview.pager.progress: ""}
        finally:
            work.cancel()

    def open_problem(self, subject: Subject, event: gr.EventData) -> Updates | Update:
        """Show the row that a problem belongs to, among all rows."""
        rows = self.sources.rows(subject) if subject.something else None
        if not isinstance(rows, ReadRows):
            return gr.skip()
        link = ListLink.model_validate(event_data(event))
        number = int(link.open)
        position = rows.position(link.file or None, number)
        if position is None:
            raise DataError(f"Row {thousands(number)} was not read. Read the source again.")
        pager = self.preview.pager
        among = replace(subject, kind=ALL, text="")
        at = int((self.sources.matches(among) == position).argmax())
        return {
            **self.show(replace(among, at=at)),
            pager.filter: gr.update(value=ALL),
            pager.search: gr.update(value=""),
            self.preview.views: gr.Tabs(selected="rows"),
            self.view: "rows",
        }
