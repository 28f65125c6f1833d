"""The Data tab's right column at work: which rows are shown, paging, tokens, the problem filter."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from components import data_views
from components.common import QUIET, empty_state, guard, notice, progress_bar, sentence, thousands
from components.data_layout import MASKS, NOTHING, See
from components.work import Work

if TYPE_CHECKING:
    from studio import Studio
    from studio.data import Inspection, PreparedDataset

Updates = dict[Any, Any]


@dataclass(frozen=True)
class Subject:
    """What the right column shows: a source as found, or a dataset as prepared."""

    source: Any = None
    reading: dict[str, Any] = dataclasses.field(default_factory=dict)
    found: Inspection | None = None
    dataset_id: str | None = None
    at: int = 0


class Looker:
    """Shows one row of a subject at a time, as a card or as tokens."""

    def __init__(self, studio: Studio, right: See, subject: gr.State):
        self.studio, self.right, self.subject = studio, right, subject
        self.view = gr.State("rows")
        self.rendering = [right.model, right.max_length, right.mask]

    def bind(self) -> None:
        right = self.right
        row = [
            self.subject, right.pager, right.position, right.count, right.card,
            right.token_bar, right.mask, right.tokens,
        ]  # fmt: skip
        for button, step in ((right.previous, -1), (right.next, 1)):
            button.click(
                guard(functools.partial(self.turn, step)), self.subject, row, **QUIET
            ).then(guard(self.tokens_if_shown), self._token_inputs(), right.tokens, **QUIET)
        right.position.submit(guard(self.jump), [self.subject, right.position], row, **QUIET).then(
            guard(self.tokens_if_shown), self._token_inputs(), right.tokens, **QUIET
        )
        right.views.change(guard(self.switched), None, self.view, **QUIET).then(
            guard(self.tokens_if_shown), self._token_inputs(), right.tokens, **QUIET
        )
        for knob in self.rendering:
            knob.change(guard(self.tokens_if_shown), self._token_inputs(), right.tokens, **QUIET)
        right.problem_kind.input(
            guard(self.filter), [self.subject, right.problem_kind], right.problems, **QUIET
        )

    def _token_inputs(self) -> list[Any]:
        return [self.view, self.subject, *self.rendering]

    # ---- rows -----------------------------------------------------------------------------------

    def total(self, subject: Subject) -> int:
        if subject.dataset_id:
            return self.studio.datasets.get(subject.dataset_id).rows.get("train", 0)
        return len(subject.found.sample) if subject.found else 0

    def row(self, subject: Subject) -> dict[str, Any] | None:
        """The row that is shown, in TRL's form."""
        if subject.dataset_id:
            return stored_row(self.studio.datasets.get(subject.dataset_id), subject.at)
        rows = subject.found.sample if subject.found else []
        return rows[subject.at] if subject.at < len(rows) else None

    def type(self, subject: Subject) -> str:
        if subject.dataset_id:
            return self.studio.datasets.get(subject.dataset_id).type
        return subject.found.type if subject.found else ""

    def show(self, subject: Subject) -> Updates:
        """The row at the subject's position, with the pager around it."""
        right = self.right
        total, row = self.total(subject), self.row(subject)
        masks = [m for m in MASKS if m[1] != "assistant" or self.type(subject) == "conversational"]
        return {
            self.subject: subject,
            right.pager: gr.update(visible=total > 0),
            right.position: gr.update(value=subject.at + 1, maximum=max(1, total)),
            right.count: self.count_text(subject, total),
            right.card: data_views.row_card(row) if row else NOTHING,
            right.token_bar: gr.update(visible=total > 0),
            right.mask: gr.update(choices=masks, visible=self.type(subject) in SFT_TYPES),
            right.tokens: gr.skip() if row else empty_state("Nothing to render", "Read a source."),
        }

    def count_text(self, subject: Subject, total: int) -> str:
        whole = subject.found.kept if subject.found and not subject.dataset_id else total
        first = f"first of {thousands(whole)} rows" if whole > total else "rows"
        return f'<span class="row-count">of {thousands(total)} {first}</span>'

    def turn(self, step: int, subject: Subject) -> Updates:
        total = self.total(subject)
        return self.show(replace(subject, at=(subject.at + step) % total)) if total else {}

    def jump(self, subject: Subject, position: float | None) -> Updates:
        total = self.total(subject)
        at = min(max(int(position or 1), 1), max(1, total)) - 1
        return self.show(replace(subject, at=at))

    # ---- tokens ---------------------------------------------------------------------------------

    def switched(self, event: gr.SelectData) -> str:
        return str(event.value or "").split()[0].lower()

    def tokens_if_shown(
        self, view: str, subject: Subject, model: str, max_length: float | None, mask: str
    ) -> Iterator[Any]:
        """Render the shown row for a model, when somebody is looking."""
        row = self.row(subject)
        if view != "tokens" or row is None:
            yield gr.skip()
            return
        limit = int(max_length) if max_length else None
        work = Work(lambda _: self.render(row, self.type(subject), model, limit, mask))
        for _ in work.steps():
            yield progress_bar(0, None, f"loading the tokenizer of {model}")
        try:
            yield data_views.token_view(work.result(), limit)
        except Exception as error:
            yield notice("error", sentence(error))

    def render(
        self, row: dict[str, Any], type_: str, model: str, limit: int | None, mask: str
    ) -> list[Any]:
        from studio.data.rendering import render

        return render(
            row,
            type_,
            self.studio.tokenizer(model),
            max_length=limit,
            completion_only_loss={"completion": True, "all": False}.get(mask),
            assistant_only_loss=mask == "assistant" and type_ == "conversational",
        )

    # ---- problems -------------------------------------------------------------------------------

    def filter(self, subject: Subject, kind: str) -> str:
        if subject.found is None:
            return empty_state("No problems listed", "Read a source first.")
        return data_views.problems_table(
            subject.found.problems, subject.found.problem_counts, kind or ""
        )


SFT_TYPES = ("prompt_completion", "conversational")


def stored_row(dataset: PreparedDataset, at: int) -> dict[str, Any] | None:
    """One row of a prepared dataset's training split."""
    rows = _opened(dataset.id, dataset)
    return rows[at] if 0 <= at < len(rows) else None


_cache: dict[str, Any] = {}


def _opened(key: str, dataset: PreparedDataset) -> Any:
    """The rows of the dataset that was looked at last stay open: paging must be instant."""
    if key not in _cache:
        _cache.clear()
        _cache[key] = dataset.load("train")
    return _cache[key]
