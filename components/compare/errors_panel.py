"""Rows behind wrong answers: one list of training rows for all errors of a scored model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.compare import why_html
from components.ui.access import person
from components.ui.compat import Update, Updates
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar, section
from components.ui.job_progress import followed
from components.ui.traced_rows import OPEN, row_item
from studio.core.errors import ConfigError
from studio.core.formatting import plural
from studio.workflows import why

if TYPE_CHECKING:
    from studio import Studio

_ROWS = 20


class ErrorsPanel:
    """The folded panel under the scores; hidden where no tuned model answered wrongly."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self.scored = gr.State(None)
        """The report of the scores that are shown."""
        self.found = gr.State(None)
        """The last list: the run, and its rows."""

    def lay_out(self) -> None:
        with gr.Accordion(
            "Rows behind wrong answers",
            open=False,
            visible=False,
            elem_classes="fold quiet",
            elem_id="errors-box",
        ) as self.box:
            with gr.Row(elem_id="errors-row", elem_classes="list-bar"):
                self.which = gr.Dropdown(
                    [], label="Model", show_label=False, container=False, filterable=False,
                    elem_id="errors-which", scale=2,
                )  # fmt: skip
                self.begin = gr.Button("Find the rows", size="sm", scale=0, elem_id="errors-ask")
            self.progress = gr.HTML("", elem_id="errors-progress")
            self.view = gr.HTML("", js_on_load=OPEN, elem_id="errors-view")
            with gr.Column(visible=False) as self.leaving:
                self.rows = gr.CheckboxGroup(
                    [], label="Train again without these rows", elem_id="errors-rows"
                )
                with gr.Row():
                    self.train = gr.Button(
                        "Train without them", size="sm", scale=0, min_width=160,
                        elem_id="errors-train",
                    )  # fmt: skip
            self.queued = gr.HTML("", elem_id="errors-queued")

    def bind(self) -> None:
        self.scored.change(
            guard(self.offered, "everybody"),
            self.scored,
            [self.box, self.which, self.progress, self.view, self.leaving, self.queued, self.found],
            **QUIET,
        )
        self.which.input(
            guard(self._nothing, "everybody"),
            None,
            [self.progress, self.view, self.leaving, self.queued, self.found],
            **QUIET,
        )
        self.begin.click(
            guard(self.ask),
            [self.scored, self.which],
            [self.progress, self.view, self.leaving, self.rows, self.found, self.queued],
            **QUIET,
            concurrency_limit=None,
        )
        self.train.click(guard(self.queue), [self.found, self.rows], self.queued, **QUIET)

    def offered(self, scored: Mapping[str, Any] | None) -> list[Update | str | None]:
        """The tuned models that answered wrongly; nothing stays of other scores."""
        choices = [
            (f"{column['label']}: {plural(column['wrong']['count'], 'wrong answer')}", at)
            for at, column in enumerate((scored or {}).get("columns", ()))
            if column["run"] and column["wrong"] and column["wrong"]["count"]
        ]
        which = gr.update(choices=choices, value=choices[-1][1] if choices else None)
        return [gr.update(visible=bool(choices)), which, "", "", gr.update(visible=False), "", None]

    def _nothing(self) -> Updates:
        """No rows stand under another model's name, or under an error."""
        hidden = gr.update(visible=False)
        return {self.progress: "", self.view: "", self.leaving: hidden, self.queued: "",
                self.found: None}  # fmt: skip

    def ask(self, scored: Mapping[str, Any] | None, which: int | None) -> Iterator[Updates]:
        """Ask about all wrong answers at once, under a progress bar."""
        try:
            if not scored or which is None:
                raise ConfigError("Score a run on rows with reference answers first.")
            column = scored["columns"][which]
            run, wrong = self.studio.runs.get(column["run"]), column["wrong"]
            asked = why.of_wrong(wrong)
            yield {self.progress: progress_bar(0, None, why.cost(run) or "Asking the rows")}
            job = why.ask(self.studio, run, asked, count=_ROWS)
            report = yield from followed(job, self.progress)
        except Exception as error:
            yield {**self._nothing(), self.progress: notice("error", sentence(error))}
            return
        own = report["learned"][0]
        rows = behind(own, len(asked))
        choices = [(_named(row), f"{row['dataset_id']}:{row['row']}") for row in rows]
        yield {
            self.progress: "",
            self.view: listed(own, rows, len(asked), wrong["count"]),
            self.leaving: gr.update(visible=bool(choices)),
            self.rows: gr.update(choices=choices, value=[value for _, value in choices]),
            self.found: {"run": run.id, "errors": wrong["count"]},
            self.queued: "",
        }

    def queue(self, found: Mapping[str, Any] | None, rows: list[str]) -> str:
        """Queue the recipe without the chosen rows."""
        person().must_own("train")
        if not found:
            raise ConfigError("Find the rows first.")
        chosen = why_html.places(rows)
        run = self.studio.runs.get(found["run"])
        because = f"behind {plural(found['errors'], 'wrong answer')}"
        made = why.train_without(self.studio, run, chosen, because)
        return notice(
            "info", f"Queued {made.name}. Once it has finished, score both on the same rows."
        )


def _named(row: Mapping[str, Any]) -> str:
    return f"row {row['row'] + 1:,} ({plural(row['questions'], 'error')})"


def behind(own: Mapping[str, Any], asked: int) -> list[dict[str, Any]]:
    """Rows that stand out for several wrong answers, or for the one that was asked about."""
    if asked > 1:
        return list(own.get("behind", ()))
    alone = [row for row in own["for"] if row["stands_out"]]
    return [{**row, "questions": 1, "total": row["score"]} for row in alone]


def listed(own: Mapping[str, Any], rows: list[dict[str, Any]], asked: int, errors: int) -> str:
    """The rows as markup, each with how many of the errors it stands behind."""
    of = plural(asked, "wrong answer") + (f" (of {errors:,})" if errors > asked else "")
    if not rows:
        said = own.get("said") or "No row stands out for any of them."
        return f'{section(f"Asked about {of}")}<p class="none">{said}</p>'
    items = "".join(
        row_item(
            {**row, "score": row["total"] / row["questions"]},
            link=True,
            note=f"behind {row['questions']} of {asked}",
        )
        for row in rows
    )
    head = section(
        f"{plural(len(rows), 'row')} behind {of}",
        "Pulled towards these answers: evidence, until a run without them shows it.",
    )
    return f'{head}<ol class="why-rows for">{items}</ol>'
