"""Looking through rows on the Data tab: paging, jumping, searching, filtering, held-out rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from components.data import problems_html, row_html
from components.data.open_sources import Shelf, Subject
from components.data.preview_layout import (
    FILTERS,
    NO_STATISTICS,
    NO_TOKENS,
    NOTHING,
    WHY_NOT,
    PreviewLayout,
)
from components.ui.background_task import Work
from components.ui.compat import event_data
from components.ui.handlers import QUIET, guard
from components.ui.html import progress_bar
from studio.core.errors import DataError
from studio.core.formatting import plural, thousands
from studio.data.prepared.browse import ALL, GOOD, ReadRows

Updates = dict[Any, Any]
LISTED = 200  # problems drawn at once


class RowBrowser:
    """Shows one row of a subject at a time."""

    def __init__(self, shelf: Shelf, right: PreviewLayout):
        self.shelf, self.right = shelf, right
        self.subject = gr.State(Subject())
        self.view = gr.State("rows")
        self.kept = gr.BrowserState({}, storage_key="studio-data", secret="alignment-studio")
        """What this browser looks at: found again after a refresh."""
        pager = right.pager
        self.outputs = [self.subject, self.kept, pager.box, pager.position, pager.count, right.card]
        self.fresh_outputs = [
            *self.outputs,
            self.view,
            pager.search,
            pager.filter,
            pager.split,
            pager.progress,
            right.tokens.view,
            right.tokens.bar,
            right.statistics.said,
            right.statistics.bar,
            right.statistics.plots,
            right.statistics.cost,
        ]

    def bind(self, then: Callable[[Any], None]) -> None:
        """Bind the handlers; `then` adds what follows once another row is shown."""
        pager, subject = self.right.pager, self.subject
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
        opening = self.right.problems.list.click(
            guard(self.open_problem),
            subject,
            [*outputs, pager.filter, pager.search, self.right.views, self.view],
            **QUIET,
        )
        opening.success(None, None, None, js="() => studioReveal('data-headline')")

    # ---- what is shown --------------------------------------------------------------------------

    def row(self, subject: Subject) -> dict[str, Any] | None:
        """The row that is shown, in TRL's form."""
        if not subject.something:
            return None
        found = self.shelf.matches(subject)
        if not len(found):
            return None
        at = int(found[min(subject.at, len(found) - 1)])
        return self.shelf.rows(subject).show(at).row or None

    def show(self, subject: Subject) -> Updates:
        """The row at the subject's place, and where that is."""
        pager = self.right.pager
        found = self.shelf.matches(subject)
        at = min(subject.at, max(0, len(found) - 1))
        subject = replace(subject, at=at)
        card = problems_html.no_match(subject.text)
        if len(found):
            shown = self.shelf.rows(subject).show(int(found[at]))
            place = "held-out row" if subject.split == "test" else ""
            card = row_html.shown_card(shown, place, subject.text)
        return {
            self.subject: subject,
            self.kept: subject.kept(),
            pager.box: gr.update(visible=True),
            pager.position: gr.update(value=at + 1, maximum=max(1, len(found))),
            pager.count: self.count_text(subject, len(found)),
            self.right.card: card,
        }

    def count_text(self, subject: Subject, count: int) -> str:
        words = f"of {plural(count, 'row')}"
        if subject.text or subject.kind not in (GOOD, ALL):
            words = f"of {thousands(count)} found"
        return f'<span class="row-count">{words}</span>'

    def show_fresh(self, subject: Subject, filters: list[tuple[str, str]] | None = None) -> Updates:
        """Another source or dataset: the card, and every view of the one before put away."""
        pager, tokens, statistics = self.right.pager, self.right.tokens, self.right.statistics
        splits = ()
        if subject.dataset_id:
            splits = tuple(self.shelf.studio.datasets.get(subject.dataset_id).rows)
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
        """Which rows of a source can be gone through."""
        held = self.shelf.held(subject)
        return problems_html.row_filters(held.found, held.reading.problems.counts)

    def show_problems(self, subject: Subject) -> Updates:
        """The list of a source's problems, and the filters over their kinds."""
        problems, held = self.right.problems, self.shelf.held(subject)
        counts = held.reading.problems.counts
        total = sum(counts.values())
        listed = held.reading.problems.page(None, 0, LISTED)
        return {
            problems.tab: gr.Tab(label=f"Problems {thousands(total)}" if total else "Problems"),
            problems.bar: gr.update(visible=True),
            problems.kind: gr.update(choices=problems_html.problem_kinds(counts), value=""),
            problems.check: gr.update(visible=held.found.type not in WHY_NOT),
            problems.list: problems_html.problems_table(listed, total),
        }

    def nothing(self) -> Updates:
        """Nothing is shown any more."""
        return {
            self.subject: Subject(),
            self.kept: {},
            self.right.pager.box: gr.update(visible=False),
            self.right.pager.progress: "",
            self.right.card: NOTHING,
            self.right.tokens.bar: gr.update(visible=False),
            self.right.tokens.view: NO_TOKENS,
            self.right.statistics.said: NO_STATISTICS,
            **self._no_statistics(),
        }

    def _no_statistics(self) -> Updates:
        statistics = self.right.statistics
        return {
            statistics.bar: gr.update(visible=False),
            statistics.plots: gr.update(visible=False),
            statistics.cost: "",
        }

    # ---- moving ---------------------------------------------------------------------------------

    def turn(self, step: int, subject: Subject) -> Any:
        """One row on or back, round the end."""
        count = len(self.shelf.matches(subject)) if subject.something else 0
        return self.show(replace(subject, at=(subject.at + step) % count)) if count else gr.skip()

    def jump(self, subject: Subject, position: float | None) -> Any:
        """To a row by its place."""
        if not subject.something:
            return gr.skip()
        return self.show(replace(subject, at=max(int(position or 1), 1) - 1))

    def narrow(self, subject: Subject, kind: str) -> Any:
        """Only rows of a filter."""
        return self.show(replace(subject, kind=kind, at=0)) if subject.something else gr.skip()

    def switch(self, subject: Subject, split: str) -> Any:
        """To the other side of the split."""
        return self.show(replace(subject, split=split, at=0)) if subject.something else gr.skip()

    def cleared(self, subject: Subject, text: str) -> Any:
        """An emptied search field shows all rows again at once."""
        if text or not subject.text:
            return gr.skip()
        return self.show(replace(subject, text="", at=0))

    def search(self, subject: Subject, text: str) -> Iterator[Updates]:
        """Only rows that hold a text."""
        text = (text or "").strip()
        if not subject.something or text == subject.text:
            return
        wanted = replace(subject, text=text, at=0)
        work = Work(lambda progress: self.shelf.matches(wanted, progress))
        try:
            for step in work.steps():
                bar = progress_bar(step[0], step[1], work.say(step))
                yield {self.right.pager.progress: bar}
            work.result()
            yield {**self.show(wanted), self.right.pager.progress: ""}
        finally:
            work.cancel()

    def open_problem(self, subject: Subject, event: gr.EventData) -> Any:
        """The row that a problem is about, among all rows."""
        asked = event_data(event)
        rows = self.shelf.rows(subject) if subject.something else None
        if not isinstance(rows, ReadRows):
            return gr.skip()
        number = int(asked["open"])
        position = rows.position(asked.get("file") or None, number)
        if position is None:
            raise DataError(f"Row {thousands(number)} is not among the rows that were read.")
        pager = self.right.pager
        among = replace(subject, kind=ALL, text="")
        at = int((self.shelf.matches(among) == position).argmax())
        return {
            **self.show(replace(among, at=at)),
            pager.filter: gr.update(value=ALL),
            pager.search: gr.update(value=""),
            self.right.views: gr.Tabs(selected="rows"),
            self.view: "rows",
        }
