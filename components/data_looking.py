"""The Data tab's right column at work: which rows are shown, paging, tokens, the problem filter."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from components import data_cards, data_views
from components.common import QUIET, empty_state, guard, notice, progress_bar, sentence, thousands
from components.data_layout import MASKS, NOTHING, See
from components.work import Work
from studio.data.prepared import tidy

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
    rows: Sequence[dict[str, Any]] = ()
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
        right.views.select(guard(self.switched), None, self.view, **QUIET).then(
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
        return len(subject.rows)

    def row(self, subject: Subject) -> dict[str, Any] | None:
        """The row that is shown, in TRL's form."""
        if subject.dataset_id:
            return stored_row(self.studio.datasets.get(subject.dataset_id), subject.at)
        return subject.rows[subject.at] if subject.at < len(subject.rows) else None

    def type(self, subject: Subject) -> str:
        if subject.dataset_id:
            return self.studio.datasets.get(subject.dataset_id).type
        return subject.found.type if subject.found else ""

    def show(self, subject: Subject, fresh: bool = True) -> Updates:
        """The row at the subject's position, with the pager around it; `fresh`: a new subject."""
        right = self.right
        total, row = self.total(subject), self.row(subject)
        mask = DEFAULT_MASK.get(self.type(subject), "all")
        masks = [choice for choice in MASKS if choice[1] in ("all", mask)]
        return {
            self.subject: subject,
            right.pager: gr.update(visible=total > 0),
            right.position: gr.update(value=subject.at + 1, maximum=max(1, total)),
            right.count: self.count_text(subject, total),
            right.card: data_cards.row_card(row) if row else NOTHING,
            right.token_bar: gr.update(visible=total > 0),
            right.mask: gr.update(choices=masks, value=mask, visible=len(masks) > 1)
            if fresh
            else gr.skip(),
            right.tokens: gr.skip() if row else empty_state("Nothing to render", "Read a source."),
        }

    def count_text(self, subject: Subject, total: int) -> str:
        whole = subject.found.kept if subject.found and not subject.dataset_id else total
        words = f"of {thousands(total)} rows"
        if whole > total:
            words = f"of the first {thousands(total)} rows, {thousands(whole)} in all"
        return f'<span class="row-count">{words}</span>'

    def turn(self, step: int, subject: Subject) -> Updates:
        total = self.total(subject)
        if not total:
            return {}
        return self.show(replace(subject, at=(subject.at + step) % total), fresh=False)

    def jump(self, subject: Subject, position: float | None) -> Updates:
        total = self.total(subject)
        at = min(max(int(position or 1), 1), max(1, total)) - 1
        return self.show(replace(subject, at=at), fresh=False)

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
        for _ in work.steps(every=1.0):
            loading = not self.studio.status().ready
            what = "loading the training libraries" if loading else f"rendering for {model}"
            yield progress_bar(0, None, what)
        try:
            yield data_cards.token_view(work.result(), limit)
        except Exception as error:
            yield notice("error", sentence(error))

    def render(
        self, row: dict[str, Any], type_: str, model: str, limit: int | None, mask: str
    ) -> list[Any]:
        while not self.studio.status().ready:  # two threads must not import torch at once
            time.sleep(0.1)
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


DEFAULT_MASK = {"prompt_completion": "completion", "conversational": "assistant"}


@functools.lru_cache(maxsize=2)
def _rows(dataset: str, path: str) -> Any:
    """The rows of the datasets looked at last stay open: paging must be instant."""
    import pyarrow.parquet as pq

    return pq.read_table(path, memory_map=True)


def stored_row(dataset: PreparedDataset, at: int) -> dict[str, Any] | None:
    """One row of a prepared dataset's training split, as it will be trained on."""
    table = _rows(dataset.id, str(dataset.path("train")))
    return tidy(table.slice(at, 1).to_pylist()[0]) if 0 <= at < table.num_rows else None
