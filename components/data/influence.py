"""The Influence view: rows by how far they helped a target, worst first.

The target are the run's held-out rows, or rows that somebody chose: a file, a dataset, votes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.data.dataset_handlers import show
from components.data.influence_layout import NO_DATASET, NO_RUN
from components.data.open_sources import ListLink, OpenSources, Subject
from components.data.row_browser import RowBrowser, Update, Updates
from components.ui import prompt_sets
from components.ui.access import person
from components.ui.compat import event_data
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar, section
from components.ui.job_progress import followed
from components.ui.traced_rows import row_item
from studio.attribution import Asked
from studio.core.errors import Cancelled, ConfigError
from studio.core.formatting import plural, thousands
from studio.data.prepared.browse import ALL
from studio.runs.store import Run
from studio.workflows import row_influence, why
from studio.workflows.row_influence import Ranking

if TYPE_CHECKING:
    from studio import Studio

SHOWN = 50


class InfluenceHandlers:
    """Weighs the rows of the dataset that is shown."""

    def __init__(self, sources: OpenSources, row_browser: RowBrowser, opening: gr.State):
        self.sources, self.studio = sources, sources.studio
        self.row_browser, self.opening = row_browser, opening
        self.preview, self.widgets = row_browser.preview, row_browser.preview.influence
        self.found = gr.State(None)
        """The last `Ranking` of this browser."""

    def bind(self) -> None:
        widgets, subject = self.widgets, self.row_browser.subject
        shown = [
            widgets.ask,
            widgets.run,
            widgets.target,
            widgets.begin,
            widgets.cancel,
            widgets.progress,
            widgets.list,
            widgets.acts,
            widgets.count,
            widgets.keep,
            widgets.said,
            self.found,
        ]
        widgets.tab.select(guard(self.opened), [subject, self.found], shown, **QUIET)
        widgets.run.input(guard(self.another), [subject, widgets.run], shown, **QUIET)
        widgets.target.input(guard(self.another), [subject, widgets.run], shown, **QUIET)
        widgets.upload.upload(
            guard(self.take_file), widgets.upload, [widgets.target, widgets.progress], **QUIET
        )
        weighing = widgets.begin.click(
            guard(self.weigh),
            [subject, widgets.run, widgets.target],
            shown,
            **QUIET,
            concurrency_limit=None,
        )
        # In two steps: the cancelled event must end before its outputs are reset.
        widgets.cancel.click(None, cancels=[weighing], **QUIET).then(
            guard(self.another), [subject, widgets.run], shown, **QUIET
        )
        widgets.list.click(
            guard(self.open_row),
            [subject],
            [
                *self.row_browser.outputs,
                self.preview.pager.filter,
                self.preview.pager.search,
                self.preview.pager.split,
                self.preview.views,
                self.row_browser.view,
            ],
            **QUIET,
        )
        made = [widgets.said, self.opening]
        widgets.remove.click(guard(self.remove), [self.found, widgets.count], made, **QUIET)
        widgets.keep.click(guard(self.keep), [self.found, widgets.share], made, **QUIET)
        widgets.train.click(
            guard(self.train), [self.found, widgets.count], widgets.said, **QUIET
        )  # fmt: skip

    # ---- what is shown --------------------------------------------------------------------------

    def opened(self, subject: Subject, found: Ranking | None) -> Updates:
        """Offer the runs that trained on the dataset; keep a ranking that is of it."""
        widgets = self.widgets
        if not subject.dataset_id:
            return self._fresh(NO_DATASET)
        runs = row_influence.runs_on(self.studio, subject.dataset_id)
        if not runs:
            return self._fresh(NO_RUN)
        if found is not None and found.dataset == subject.dataset_id:
            return {widgets.said: ""}
        offered = gr.update(choices=[(run.name, run.id) for run in runs], value=runs[0].id)
        by = gr.update(choices=targets(self.studio), value="")
        return {
            **self._fresh(_cost(runs[0])),
            widgets.ask: gr.update(visible=True),
            widgets.run: offered,
            widgets.target: by,
        }

    def take_file(self, path: str) -> Updates:
        """Rows from a file as the target; prepared in the workspace as any other."""
        try:
            value = prompt_sets.from_file(self.studio, path)
        except Exception as error:
            return {self.widgets.progress: notice("error", sentence(error))}
        by = gr.update(choices=targets(self.studio), value=value)
        return {self.widgets.target: by, self.widgets.progress: ""}

    def another(self, subject: Subject, run: str) -> Updates:
        """Another run was chosen, or the weighing was canceled: nothing is known of its rows."""
        if not subject.dataset_id or not run:
            return self._fresh(NO_DATASET)
        cost = _cost(self.studio.runs.get(run))
        return {**self._fresh(cost), self.widgets.ask: gr.update(visible=True)}

    def _fresh(self, text: str) -> Updates:
        widgets = self.widgets
        return {
            widgets.ask: gr.update(visible=False),
            widgets.begin: gr.update(interactive=True),
            widgets.cancel: gr.update(visible=False),
            widgets.progress: "",
            widgets.list: text,
            widgets.acts: gr.update(visible=False),
            widgets.said: "",
            self.found: None,
        }

    def weigh(self, subject: Subject, run_id: str, by: str | None = "") -> Iterator[Updates]:
        """Weigh every row under a progress bar; an index that is missing is built first."""
        widgets = self.widgets
        idle = {
            widgets.cancel: gr.update(visible=False),
            widgets.begin: gr.update(interactive=True),
        }
        try:
            if not subject.dataset_id or not run_id:
                raise ConfigError("Open a prepared dataset that trained a run first.")
            run = self.studio.runs.get(run_id)
            name, asked = target_of(self.studio, by or "")
            yield {
                widgets.progress: progress_bar(0, None, why.cost(run) or "Asking the rows"),
                widgets.cancel: gr.update(visible=True),
                widgets.begin: gr.update(interactive=False),
            }
            job = why.influence(self.studio, run, target=asked)
            weighed = yield from followed(job, widgets.progress)
            ranking = row_influence.ranked(self.studio, run, subject.dataset_id, weighed, name)
            yield {**idle, **self._shown(run, ranking)}
        except Cancelled:
            yield {**idle, widgets.progress: ""}
        except Exception as error:
            yield {**idle, widgets.progress: notice("error", sentence(error))}

    def _shown(self, run: Run, ranking: Ranking) -> Updates:
        widgets = self.widgets
        rows = row_influence.texts(self.studio, ranking, SHOWN)
        usual = min(ranking.harmful or 1, max(1, len(ranking.rows) // 20))
        return {
            widgets.progress: "",
            widgets.list: listed(run.name, ranking, rows),
            widgets.acts: gr.update(visible=len(ranking.rows) > 1),
            widgets.count: gr.update(value=usual, maximum=max(1, len(ranking.rows) - 1)),
            widgets.keep: gr.update(interactive=ranking.by == "help"),
            widgets.said: "",
            self.found: ranking,
        }

    def open_row(self, subject: Subject, event: gr.EventData) -> Updates | Update:
        """Show a row of the list among all training rows."""
        if not subject.dataset_id:
            return gr.skip()
        row = int(ListLink.model_validate(event_data(event)).open)
        pager = self.preview.pager
        at = replace(subject, split="train", kind=ALL, text="", at=row)
        return {
            **self.row_browser.show(at),
            pager.filter: gr.update(value=ALL),
            pager.search: gr.update(value=""),
            pager.split: gr.update(value="train"),
            self.preview.views: gr.Tabs(selected="rows"),
            self.row_browser.view: "rows",
        }

    # ---- what is done with it -------------------------------------------------------------------

    def remove(self, found: Ranking | None, count: float | None) -> tuple[str, Any]:
        """A dataset without the worst rows, opened at once."""
        made = row_influence.leave_out(self.studio, _known(found), int(count or 0))
        return "", show(made.id)

    def keep(self, found: Ranking | None, share: float | None) -> tuple[str, Any]:
        """A dataset of the most useful rows, opened at once."""
        made = row_influence.keep_most_useful(self.studio, _known(found), (share or 0) / 100)
        return "", show(made.id)

    def train(self, found: Ranking | None, count: float | None) -> str:
        """Queue the run's recipe again without the worst rows."""
        person().must_own("train")
        ranking = _known(found)
        rows = row_influence.worst(ranking, int(count or 0))
        run = self.studio.runs.get(ranking.run)
        chosen = [(ranking.dataset, row) for row in rows]
        because = f"least useful to {row_influence.aim(self.studio, ranking)}"
        made = why.train_without(self.studio, run, chosen, because)
        return notice(
            "info", f"Queued {made.name}. Compare its held-out loss with {run.name}'s on Train."
        )


def _known(found: Ranking | None) -> Ranking:
    if found is None:
        raise ConfigError("Weigh the rows first.")
    return found


def targets(studio: Studio) -> list[tuple[str, str]]:
    """(label, value) of what rows can be weighed by; "" for the run's own held-out rows."""
    sets = [each for each in prompt_sets.source_choices(studio) if each[1] != prompt_sets.TYPED]
    votes = [
        (f"Votes of {project.name}", f"project:{project.id}")
        for project in studio.labels.projects()
        if project.done
    ]
    return [("The run's held-out rows", ""), *sets, *votes]


def target_of(studio: Studio, value: str) -> tuple[str, list[Asked]]:
    """The name and the questions of a value of `targets`; nothing for the run's held-out rows."""
    kind, _, name = value.partition(":")
    if not kind:
        return "", []
    if kind == "project":
        return why.target(studio, project=name)
    return why.target(studio, name.rpartition(":")[0] if kind == "dataset" else name)


def _cost(run: Run) -> str:
    return f'<p class="none">{why.cost(run) or "The rows of this run are read already."}</p>'


def listed(name: str, ranking: Ranking, rows: list[dict[str, Any]]) -> str:
    """The first rows of a ranking as markup, under what may be said of them."""
    if ranking.by == "help":
        whose = f"the loss of {ranking.target}" if ranking.target else "the held-out loss"
        head = section(
            f"{thousands(ranking.harmful)} of {plural(len(ranking.rows), 'row')} pushed {whose} up "
            f"in {name}",
            "Evidence, not proof: look at a row before you drop it, and train without it to know.",
        )
    else:
        head = section(
            f"Rows that {name} learned least",
            "It held no rows out, so rows are sorted by the size of their own gradient. Choose "
            "rows of your own to weigh them by.",
        )
    side = "against" if ranking.by == "help" else "for"
    largest = max((abs(row["score"]) for row in rows), default=1.0)
    items = "".join(row_item(row, link=True, full=largest) for row in rows)
    more = len(ranking.rows) - len(rows)
    rest = f'<p class="none">and {plural(more, "row")} more</p>' if more > 0 else ""
    return f'{head}<ol class="why-rows {side}">{items}</ol>{rest}'
