"""Event handlers of prepared datasets: prepare, open, delete, undo, export, push."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from components.data import cleaning_html, option_choices, problems_html
from components.data.import_form import ImportForm
from components.data.import_handlers import ImportHandlers
from components.data.open_sources import ListLink, OpenSources, Subject
from components.data.preview_layout import PreviewLayout
from components.data.row_browser import RowBrowser, Update, Updates
from components.data.token_view import TokenHandlers
from components.ui import hub_files
from components.ui.compat import event_data, page_being_built
from components.ui.handlers import PRIVATE, QUIET, guard, sentence
from components.ui.html import empty_state, notice, progress_bar
from studio.core import hub
from studio.core.errors import Cancelled, ConfigError
from studio.core.formatting import plural, thousands
from studio.core.jobs import Job
from studio.data import PreparedDataset
from studio.data.prepared import publish
from studio.runs.recipe import OBJECTIVE_TYPES

TRAINABLE = {type_ for types in OBJECTIVE_TYPES.values() for type_ in types}
"""Dataset types that at least one objective trains on."""


Opening = tuple[str, int, float]
"""A dataset, the training row to show, and when that was asked for."""


def show(dataset_id: str, row: int = 0) -> Opening:
    """A value for `opening`; the time makes opening the same dataset again a change."""
    return dataset_id, row, time.monotonic()


class DatasetHandlers:
    """Creates, shows, exports and deletes prepared datasets."""

    def __init__(
        self,
        sources: OpenSources,
        form: ImportForm,
        preview: PreviewLayout,
        row_browser: RowBrowser,
        tokens: TokenHandlers,
        source: ImportHandlers,
    ):
        self.sources, self.studio = sources, sources.studio
        self.form, self.preview = form, preview
        self.row_browser, self.tokens, self.source = row_browser, tokens, source
        self.opening = gr.State(None)
        self.deleted = gr.State("")
        actions = preview.actions
        self.outputs = [
            *source.outputs,
            actions.train,
            actions.push,
            preview.prepared,
            self.deleted,
        ]

    def bind(self) -> None:
        """Bind the handlers."""
        form, preview, actions = self.form, self.preview, self.preview.actions
        subject = self.row_browser.subject
        press = form.prepare.click(
            guard(self.prepare), [subject, form.name, *form.cleaning.inputs], self.outputs, **QUIET
        )
        press.success(None, None, None, js="() => studioReveal('data-headline')")
        # In two steps: the cancelled event must end before its outputs are reset.
        form.cancel_prepare.click(None, cancels=press, **QUIET).then(
            guard(self.prepare_stopped), None, self.outputs, **QUIET
        )
        reads: list[Any] = self.source.reads  # Gradio's annotation omits its own Dependency
        form.cancel_read.click(None, cancels=reads, **QUIET).then(
            guard(self.read_stopped), subject, [*self.outputs, form.files], **QUIET
        )
        self.opening.change(guard(self.open), self.opening, self.outputs, **QUIET)

        def opened(event: gr.EventData) -> Opening:
            return show(ListLink.model_validate(event_data(event)).open)

        preview.prepared.click(guard(opened), None, self.opening, **QUIET)
        actions.delete.click(guard(self.delete), subject, self.outputs, **QUIET)
        actions.undo.click(guard(self.undo), self.deleted, self.outputs, **QUIET)
        for button, suffix in ((actions.jsonl, "jsonl"), (actions.parquet, "parquet")):
            button.click(
                guard(self.exporter(suffix)), subject, actions.download, **PRIVATE
            ).success(None, None, None, js="() => studioDownload('data-download')")
        actions.push.click(
            guard(self.preview_push), subject, [actions.push_box, actions.sent], **QUIET
        )
        actions.send.click(
            guard(self.push), [subject, actions.repo, actions.public], actions.sent, **QUIET
        )
        blocks = page_being_built()
        if blocks is not None:
            # In two steps: an event updates all its outputs, mostly with nothing to restore.
            again = gr.State(None)
            blocks.load(
                guard(self.recall, "quietly"),
                self.row_browser.kept,
                [again, self.preview.prepared, self.preview.views],
                **QUIET,
            )
            again.change(guard(self.restore, "quietly"), again, self.outputs, **QUIET)

    # ---- preparing ------------------------------------------------------------------------------

    def prepare(self, subject: Subject, name: str, *values: Any) -> Iterator[Updates]:
        """Clean and split the source, store the dataset, then offer training."""
        form = self.form
        if not subject.reading_id:
            raise ConfigError("There is nothing to prepare yet. Choose a source first.")
        held = self.sources.held(subject)
        options = option_choices.prepare_options(held.how, values)
        work = Job().start(
            lambda progress: self.studio.datasets.prepare(
                held.reading, name=(name or "").strip() or None, options=options, progress=progress
            )
        )
        yield {form.prepare: gr.update(value="Preparing", interactive=False), form.trouble: ""}
        ready = gr.update(value="Prepare again", interactive=True)
        try:
            for step in work.steps():
                yield {
                    form.progress: progress_bar(step[0], step[1], work.progress_text(step)),
                    form.cancel_prepare: gr.update(visible=True),
                }
            dataset = work.result()
        except Cancelled:
            yield {**self.source.views.idle(), form.prepare: ready}
        except Exception as error:
            trouble = notice("error", sentence(error))
            yield {**self.source.views.idle(), form.prepare: ready, form.trouble: trouble}
        else:
            at = Subject(subject.reading_id, dataset.id)
            shown = self.show_dataset(dataset, done=True, at=at)
            yield {**self.source.views.idle(), form.prepare: ready, **shown}
        finally:
            work.cancel()

    def prepare_stopped(self) -> Updates:
        """After canceling: nothing was kept, and the button is ready again."""
        ready = gr.update(value="Prepare again", interactive=True)
        return {**self.source.views.idle(), self.form.prepare: ready}

    def read_stopped(self, subject: Subject) -> Updates:
        """After canceling: show again what was shown before."""
        form = self.form
        before = subject.something and self.sources.knows(subject)
        return {
            **(self.restore(subject.kept()) if before else self.source.views.nothing()),
            **self.source.views.idle(),
            form.files: None,
            form.trouble: notice("info", "Reading was stopped; nothing was kept."),
        }

    # ---- showing --------------------------------------------------------------------------------

    def show_dataset(
        self, dataset: PreparedDataset, done: bool = False, at: Subject | None = None
    ) -> Updates:
        """Show a prepared dataset: its rows, how it was made, and its actions."""
        preview, actions, problems = self.preview, self.preview.actions, self.preview.problems
        total = sum(dataset.rows.values())
        held = dataset.rows.get("test", 0)
        split = f"{thousands(total - held)} training, {thousands(held)} held-out" if held else ""
        text = f"Prepared {plural(total, 'row')} as {dataset.name}." if done else ""
        return {
            **self.row_browser.show_fresh(at or Subject(dataset_id=dataset.id)),
            **self.tokens.masks(dataset.type),
            preview.headline: problems_html.prepared_chips(dataset),
            preview.done: notice("good", text, split),
            preview.record: cleaning_html.steps_fold(dataset),
            actions.box: gr.update(visible=True),
            actions.train: gr.update(visible=dataset.type in TRAINABLE),
            actions.undo: gr.update(visible=False),
            actions.push_box: gr.update(visible=False),
            preview.views: gr.Tabs(selected="rows"),
            problems.tab: gr.Tab(label="Problems"),
            problems.cleaning: "",
            problems.bar: gr.update(visible=False),
            problems.list: empty_state(
                "A prepared dataset holds valid rows only",
                "What was dropped is listed under How it was made.",
            ),
            preview.prepared: self.draw(dataset.id),
            self.deleted: "",
        }

    def draw(self, chosen: str | None = None) -> str:
        """The current list of datasets, each with the runs that trained on it."""
        runs: dict[str, list[str]] = {}
        for run in self.studio.runs.list():
            for each in run.data.get("datasets") or [run.data]:
                runs.setdefault(str(each.get("id")), []).append(run.name)
        return problems_html.dataset_cards(self.studio.datasets.list(), runs, chosen)

    def open(self, opening: Opening | None) -> Updates | Update:
        """Show the requested dataset, at the requested row."""
        if not opening:
            return gr.skip()
        dataset, row, _ = opening
        at = Subject(dataset_id=dataset, at=row)
        return self.show_dataset(self.studio.datasets.get(dataset), at=at)

    def recall(self, kept: object, request: gr.Request) -> tuple[object, str, object]:
        """The state to restore after a refresh, if its source still exists; and the datasets.

        A dataset that the page's address names comes first. Somebody with datasets and nothing
        open starts from them.
        """
        linked = str(request.query_params.get("dataset") or "")
        datasets = [dataset.id for dataset in self.studio.datasets.list()]
        subject = Subject.again(kept)
        if linked in datasets and linked != subject.dataset_id:
            subject = Subject(dataset_id=linked)
        if subject.something and self.sources.knows(subject):
            return subject.kept(), self.draw(subject.dataset_id), gr.skip()
        return gr.skip(), self.draw(), gr.Tabs(selected="prepared") if datasets else gr.skip()

    def restore(self, kept: object) -> Updates:
        """After a refresh, show what this browser showed before."""
        subject = Subject.again(kept)
        if subject.dataset_id:
            return self.show_dataset(self.studio.datasets.get(subject.dataset_id), at=subject)
        return self.source.views.show_found(subject)

    # ---- deleting -------------------------------------------------------------------------------

    def delete(self, subject: Subject) -> Updates | Update:
        """Delete a dataset; Undo works until the next deletion."""
        preview, actions = self.preview, self.preview.actions
        if not subject.dataset_id:
            return gr.skip()
        dataset = self.studio.datasets.get(subject.dataset_id)
        self.studio.datasets.trash(dataset.id)
        self.sources.forget(dataset.id)
        return {
            **self.source.views.nothing(),
            preview.done: notice("info", f"Deleted {dataset.name}."),
            actions.undo: gr.update(visible=True),
            preview.prepared: self.draw(),
            preview.views: gr.Tabs(selected="prepared"),
            self.deleted: dataset.id,
        }

    def undo(self, deleted: str) -> Updates | Update:
        """Undo the last deletion."""
        if not deleted:
            return gr.skip()
        return self.show_dataset(self.studio.datasets.take_back(deleted))

    # ---- files ----------------------------------------------------------------------------------

    def exporter(self, suffix: str) -> Callable[[Subject], Update]:
        """A handler that writes the open dataset to a file for download."""

        def export(subject: Subject) -> Update:
            if not subject.dataset_id:
                raise ConfigError("Open a prepared dataset first.")
            dataset = self.studio.datasets.get(subject.dataset_id)
            path = option_choices.export_file(self.studio, dataset, suffix, subject.split)
            return gr.update(value=str(path))

        return export

    def preview_push(self, subject: Subject) -> tuple[Update, str]:
        """Open the push form, listing the files a push would upload."""
        dataset = self.studio.datasets.get(subject.dataset_id or "")
        files = hub_files.going_files(publish.preview(dataset))
        return gr.update(visible=True), files + hub_files.no_token(hub.known_login())

    def push(self, subject: Subject, repo: str, public: bool) -> Iterator[str]:
        """Push the open dataset and its card to the Hub, reporting beside the button."""
        if not subject.dataset_id:
            raise ConfigError("Open a prepared dataset first.")
        dataset = self.studio.datasets.get(subject.dataset_id)
        wanted = (repo or "").strip()
        work = Job().start(
            lambda on_progress: publish.push(
                dataset, wanted, private=not public, on_progress=on_progress
            )
        )
        for done, total, what in work.steps(every=0.5):
            yield progress_bar(done, total, f"Pushing to {wanted}: {what}" if what else "")
        try:
            kind = "public" if public else "private"
            yield notice("good", f"Pushed as a {kind} dataset with its card: {work.result()}")
        except Exception as error:
            yield notice("error", sentence(error))
