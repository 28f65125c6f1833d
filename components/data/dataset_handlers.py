"""Prepared datasets on the Data tab: preparing, opening, deleting and taking that back, files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from components.data import cleaning_html, option_choices, problems_html
from components.data.import_form import Settle
from components.data.import_handlers import SourceHandlers
from components.data.open_sources import Shelf, Subject
from components.data.preview_layout import NO_PROBLEMS, NO_SOURCE, PreviewLayout
from components.data.row_browser import RowBrowser, Updates
from components.data.token_view import TokenHandlers
from components.ui import hub_files
from components.ui.background_task import Work
from components.ui.compat import event_data, page_being_built
from components.ui.handlers import PRIVATE, QUIET, guard, sentence
from components.ui.html import empty_state, notice, progress_bar
from studio.core import hub
from studio.core.errors import Cancelled, ConfigError
from studio.core.formatting import plural, thousands
from studio.data import PreparedDataset
from studio.data.prepared import publish
from studio.runs.recipe import OBJECTIVE_TYPES

TRAINABLE = {type_ for types in OBJECTIVE_TYPES.values() for type_ in types}
"""Types that some objective learns from."""


def show(dataset_id: str) -> tuple[str, float]:
    """A value for `opening`; asking for the same dataset again counts as a change."""
    return dataset_id, time.monotonic()


class PreparedHandlers:
    """Makes prepared datasets, shows them, and does with them what a person asks."""

    def __init__(
        self,
        shelf: Shelf,
        left: Settle,
        right: PreviewLayout,
        looker: RowBrowser,
        tokens: TokenHandlers,
        source: SourceHandlers,
    ):
        self.shelf, self.studio = shelf, shelf.studio
        self.left, self.right = left, right
        self.looker, self.tokens, self.source = looker, tokens, source
        self.opening = gr.State(None)
        self.deleted = gr.State("")
        actions = right.actions
        self.outputs = [*source.outputs, actions.train, actions.push, right.prepared, self.deleted]

    def bind(self) -> None:
        """Bind the handlers."""
        left, right, actions = self.left, self.right, self.right.actions
        subject = self.looker.subject
        press = left.prepare.click(
            guard(self.prepare), [subject, left.name, *left.cleaning.inputs], self.outputs, **QUIET
        )
        press.success(None, None, None, js="() => studioReveal('data-headline')")
        # In two steps: what was cancelled must have fallen silent before the page is tidied.
        left.cancel_prepare.click(None, cancels=press, **QUIET).then(
            guard(self.prepare_stopped), None, self.outputs, **QUIET
        )
        left.cancel_read.click(None, cancels=self.source.reads, **QUIET).then(
            guard(self.read_stopped), subject, [*self.outputs, left.files], **QUIET
        )
        self.opening.change(guard(self.open), self.opening, self.outputs, **QUIET)

        def opened(event: gr.EventData) -> tuple[str, float]:
            return show(event_data(event)["open"])

        right.prepared.click(guard(opened), None, self.opening, **QUIET)
        actions.delete.click(guard(self.delete), subject, self.outputs, **QUIET)
        actions.undo.click(guard(self.undo), self.deleted, self.outputs, **QUIET)
        for button, suffix in ((actions.jsonl, "jsonl"), (actions.parquet, "parquet")):
            button.click(
                guard(self.exporter(suffix)), subject, actions.download, **PRIVATE
            ).success(None, None, None, js="() => studioDownload('data-download')")
        actions.push.click(guard(self.preview), subject, [actions.push_box, actions.sent], **QUIET)
        actions.send.click(
            guard(self.push), [subject, actions.repo, actions.public], actions.sent, **QUIET
        )
        blocks = page_being_built()
        if blocks is not None:
            # In two steps: the page touches every output of an event, and mostly there is nothing.
            again = gr.State(None)
            blocks.load(
                guard(self.recall, "quietly"),
                self.looker.kept,
                [again, self.right.prepared],
                **QUIET,
            )
            again.change(guard(self.restore, "quietly"), again, self.outputs, **QUIET)

    # ---- preparing ------------------------------------------------------------------------------

    def prepare(self, subject: Subject, name: str, *values: Any) -> Iterator[Updates]:
        """Clean, split and record; then offer training."""
        left = self.left
        if not subject.reading_id:
            raise ConfigError("There is nothing to prepare yet: bring a source first.")
        held = self.shelf.held(subject)
        options = option_choices.prepare_options(held.how, values)
        work = Work(
            lambda progress: self.studio.datasets.prepare(
                held.reading, name=(name or "").strip() or None, options=options, progress=progress
            )
        )
        yield {left.prepare: gr.update(value="Preparing", interactive=False), left.trouble: ""}
        ready = gr.update(value="Prepare again", interactive=True)
        try:
            for step in work.steps():
                yield {
                    left.progress: progress_bar(step[0], step[1], work.say(step)),
                    left.cancel_prepare: gr.update(visible=True),
                }
            dataset = work.result()
        except Cancelled:
            yield {**self.source.idle(), left.prepare: ready}
        except Exception as error:
            trouble = notice("error", sentence(error))
            yield {**self.source.idle(), left.prepare: ready, left.trouble: trouble}
        else:
            at = Subject(subject.reading_id, dataset.id)
            shown = self.show_dataset(dataset, done=True, at=at)
            yield {**self.source.idle(), left.prepare: ready, **shown}
        finally:
            work.cancel()

    def prepare_stopped(self) -> Updates:
        """Preparing was cancelled: nothing was kept of it, and the button is ready again."""
        ready = gr.update(value="Prepare again", interactive=True)
        return {**self.source.idle(), self.left.prepare: ready}

    def read_stopped(self, subject: Subject) -> Updates:
        """Reading was cancelled: back to what was shown before it."""
        left = self.left
        before = subject.something and self.shelf.knows(subject)
        return {
            **(self.restore(subject.kept()) if before else self.nothing()),
            **self.source.idle(),
            left.files: None,
            left.trouble: notice("info", "Reading was stopped, and nothing of it was kept."),
        }

    # ---- showing --------------------------------------------------------------------------------

    def show_dataset(
        self, dataset: PreparedDataset, done: bool = False, at: Subject | None = None
    ) -> Updates:
        """A prepared dataset on the right: its rows, how it was made, what can be done with it."""
        right, actions, problems = self.right, self.right.actions, self.right.problems
        total = sum(dataset.rows.values())
        held = dataset.rows.get("test", 0)
        split = f"{thousands(total - held)} to train on, {thousands(held)} held out" if held else ""
        text = f"Prepared {plural(total, 'row')} as {dataset.name}." if done else ""
        return {
            **self.looker.show_fresh(at or Subject(dataset_id=dataset.id)),
            **self.tokens.masks(dataset.type),
            right.headline: problems_html.prepared_chips(dataset),
            right.done: notice("good", text, split),
            right.record: cleaning_html.steps_fold(dataset),
            actions.box: gr.update(visible=True),
            actions.train: gr.update(visible=dataset.type in TRAINABLE),
            actions.undo: gr.update(visible=False),
            actions.push_box: gr.update(visible=False),
            right.views: gr.Tabs(selected="rows"),
            problems.tab: gr.Tab(label="Problems"),
            problems.cleaning: "",
            problems.bar: gr.update(visible=False),
            problems.list: empty_state(
                "Only good rows are in a prepared dataset", "What was left out is in its record."
            ),
            right.prepared: self.draw(dataset.id),
            self.deleted: "",
        }

    def draw(self, chosen: str | None = None) -> str:
        """The list of prepared datasets, read anew."""
        return problems_html.prepared_table(self.studio.datasets.list(), chosen)

    def open(self, opening: tuple[str, float] | None) -> Any:
        """Show a dataset that was asked for."""
        if not opening:
            return gr.skip()
        return self.show_dataset(self.studio.datasets.get(opening[0]))

    def recall(self, kept: Any) -> tuple[Any, str]:
        """What to bring back after a refresh, if it is still there; and the list of datasets."""
        subject = Subject.again(kept)
        known = subject.something and self.shelf.knows(subject)
        return kept if known else gr.skip(), self.draw()

    def restore(self, kept: Any) -> Updates:
        """After a refresh, what this browser was looking at, where it was."""
        subject = Subject.again(kept)
        if subject.dataset_id:
            return self.show_dataset(self.studio.datasets.get(subject.dataset_id), at=subject)
        return self.source.show_found(subject)

    # ---- deleting -------------------------------------------------------------------------------

    def delete(self, subject: Subject) -> Any:
        """Put a dataset away; it can be taken back until the next one is deleted."""
        right, actions = self.right, self.right.actions
        if not subject.dataset_id:
            return gr.skip()
        dataset = self.studio.datasets.get(subject.dataset_id)
        self.studio.datasets.trash(dataset.id)
        self.shelf.forget(dataset.id)
        return {
            **self.nothing(),
            right.done: notice("info", f"Deleted {dataset.name}."),
            actions.undo: gr.update(visible=True),
            right.prepared: self.draw(),
            right.views: gr.Tabs(selected="prepared"),
            self.deleted: dataset.id,
        }

    def nothing(self) -> Updates:
        """Neither a source nor a dataset is shown."""
        right, actions = self.right, self.right.actions
        return {
            **self.looker.nothing(),
            right.headline: NO_SOURCE,
            right.record: "",
            actions.box: gr.update(visible=False),
            actions.push_box: gr.update(visible=False),
            right.problems.list: NO_PROBLEMS,
        }

    def undo(self, deleted: str) -> Any:
        """Take the last deletion back."""
        if not deleted:
            return gr.skip()
        return self.show_dataset(self.studio.datasets.take_back(deleted))

    # ---- files ----------------------------------------------------------------------------------

    def exporter(self, suffix: str) -> Any:
        """The handler that writes the shown dataset as a file and hands it to the browser."""

        def export(subject: Subject) -> Any:
            if not subject.dataset_id:
                raise ConfigError("Open a prepared dataset first.")
            dataset = self.studio.datasets.get(subject.dataset_id)
            path = option_choices.export_file(self.studio, dataset, suffix, subject.split)
            return gr.update(value=str(path))

        return export

    def preview(self, subject: Subject) -> tuple[Any, str]:
        """What a push would send, before it is asked where to."""
        dataset = self.studio.datasets.get(subject.dataset_id or "")
        files = hub_files.going_files(publish.preview(dataset))
        return gr.update(visible=True), files + hub_files.no_token(hub.known_login())

    def push(self, subject: Subject, repo: str, public: bool) -> Iterator[str]:
        """Upload the shown dataset with its card; what came of it is said beside the button."""
        if not subject.dataset_id:
            raise ConfigError("Open a prepared dataset first.")
        dataset = self.studio.datasets.get(subject.dataset_id)
        wanted = (repo or "").strip()
        work = Work(
            lambda on_progress: publish.push(
                dataset, wanted, private=not public, on_progress=on_progress
            )
        )
        for done, total, what in work.steps(every=0.5):
            yield progress_bar(done, total, f"pushing to {wanted}: {what}" if what else "")
        try:
            kind = "public" if public else "private"
            yield notice("good", f"Pushed as a {kind} dataset with its card: {work.result()}")
        except Exception as error:
            yield notice("error", sentence(error))
