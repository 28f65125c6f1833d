"""Data: bring rows, see what they are and what is wrong with them, prepare them for training."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from components import data_layout, data_views
from components.common import (
    PRIVATE,
    QUIET,
    Session,
    Shell,
    empty_state,
    guard,
    notice,
    plural,
    progress_bar,
    sentence,
    thousands,
)
from components.data_choices import (
    export_file,
    first_rows,
    format_choices,
    found_name,
    given,
    prepare_button,
    prepare_options,
    row_parts,
    sample_choices,
)
from components.data_looking import Looker, Subject, Updates
from components.work import Work
from studio.data import inspect
from studio.errors import Cancelled, ConfigError
from studio.models.catalog import choices
from studio.workspace import new_id

if TYPE_CHECKING:
    from studio import Studio
    from studio.data import Inspection


@dataclass(frozen=True)
class DataHandles:
    """What the page's wiring uses: what is shown, the way onward, how to redraw the list."""

    subject: gr.State
    """Holds a `Subject`; its `dataset_id` is set once something prepared is shown."""
    train: gr.Button
    """Pressed to train on the prepared dataset that is shown."""
    opening: gr.State
    """Set to `show(dataset_id)` to show a dataset here."""
    prepared: gr.HTML
    """The list of prepared datasets."""
    draw_prepared: Any
    """() -> markup of that list, read anew from the workspace."""


def build(studio: Studio, shell: Shell) -> DataHandles:
    """Lay the tab out and bind it."""
    with gr.Row(elem_classes="desk"):
        settle = data_layout.settle_column(sample_choices())
        see = data_layout.see_column(choices())
    subject, opening = gr.State(Subject()), gr.State(None)
    looker = Looker(studio, see, subject)
    page = _Page(studio, settle, see, looker, opening, shell)
    page.bind_reading()
    page.bind_preparing()
    looker.bind()
    return DataHandles(subject, see.train, opening, see.prepared, page.draw_prepared)


def show(dataset_id: str) -> tuple[str, float]:
    """A value for `DataHandles.opening`; asking for the same dataset again counts as a change."""
    return dataset_id, time.monotonic()


class _Page:
    """The tab's handlers. Holds widgets and the engine; what a browser sees is in its `Subject`."""

    def __init__(
        self, studio: Studio, settle: data_layout.Settle, see: data_layout.See,
        looker: Looker, opening: gr.State, shell: Shell,
    ):  # fmt: skip
        self.studio, self.shell, self.looker = studio, shell, looker
        self.left, self.right = settle, see
        self.subject, self.opening = looker.subject, opening

    # ---- reading a source -----------------------------------------------------------------------

    def bind_reading(self) -> None:
        left, right = self.left, self.right
        left.kind.change(
            guard(self.show_kind), left.kind, [left.files, left.path_box, left.sample], **QUIET
        )
        left.path.change(guard(self.show_hub), left.path, left.hub_box, **QUIET)
        shown = [
            self.subject, left.trouble, left.progress, left.cancel, left.settings, left.form,
            left.columns, *left.parts, left.cleaning, left.name, left.prepare,
            right.headline, right.done, right.record, right.actions, right.views,
            right.problems_tab, right.train, right.pager, right.position, right.count, right.card,
            right.token_bar, right.mask, right.tokens, right.problem_kind, right.problems,
            right.prepared,
        ]  # fmt: skip
        self.shown = shown
        reads = [
            left.files.upload(guard(self.read_files), left.files, shown, **QUIET),
            left.path.submit(
                guard(self.read_path), [left.path, left.config, left.split], shown, **QUIET
            ),
            left.sample.input(guard(self.read_sample), left.sample, shown, **QUIET),
            left.form.input(
                guard(self.read_again), [self.subject, left.form], shown, **QUIET
            ),
        ]  # fmt: skip
        for part in left.parts:
            reads.append(
                part.input(
                    guard(self.read_mapped), [self.subject, left.form, *left.parts], shown, **QUIET
                )
            )
        self.reads = reads

    def show_kind(self, kind: str) -> tuple[Any, ...]:
        return tuple(gr.update(visible=kind == name) for name in ("files", "path", "sample"))

    def show_hub(self, path: str) -> Any:
        text = (path or "").strip()
        return gr.update(visible="/" in text and text[0] not in "./~" and " " not in text)

    def read_files(self, files: list[str] | None) -> Iterator[Updates]:
        if not files:
            return
        folder = self.studio.workspace.uploads / new_id("upload")
        folder.mkdir(parents=True)
        kept = [shutil.move(file, folder / Path(file).name) for file in files]
        yield from self.read([str(path) for path in kept] if len(kept) > 1 else str(kept[0]), {})

    def read_path(self, path: str, config: str, split: str) -> Iterator[Updates]:
        source = (path or "").strip()
        if "SPACE_ID" in os.environ and source[:1] in (".", "/", "~", "\\"):
            trouble = "Files of this machine are not read on a public Space: upload yours instead."
            yield {self.left.trouble: notice("error", trouble)}
            return
        yield from self.read(source, given(config=config, split=split))

    def read_sample(self, alias: str) -> Iterator[Updates]:
        yield from self.read(alias, {})

    def read_again(self, subject: Subject, form: str) -> Iterator[Updates]:
        reading = {k: v for k, v in subject.reading.items() if k in ("config", "split")}
        yield from self.read(subject.source, {**reading, **given(format=form)})

    def read_mapped(self, subject: Subject, form: str, *columns: str) -> Iterator[Updates]:
        names = [name for name, _ in row_parts(subject.found)] if subject.found else []
        mapping = {part: column for part, column in zip(names, columns, strict=False) if column}
        reading = {**subject.reading, "mapping": mapping, **given(format=form)}
        yield from self.read(subject.source, reading)

    def read(self, source: Any, reading: dict[str, Any]) -> Iterator[Updates]:
        """Inspect a source, telling how far it is; then show what was found, or what is wrong."""
        left = self.left

        def task(progress: Any) -> tuple[Inspection, list[dict[str, Any]]]:
            found = inspect(source, progress=progress, **reading)
            return found, first_rows(source, reading)

        work = Work(task)
        try:
            for step in work.steps():
                yield {
                    left.progress: progress_bar(step[0], step[1], work.say(step)),
                    left.cancel: gr.update(visible=True),
                }
            found, rows = work.result()
        except Cancelled:
            yield self.idle()
        except Exception as error:
            yield {**self.idle(), left.trouble: notice("error", sentence(error))}
        else:
            yield {**self.idle(), **self.show_found(Subject(source, reading, found, rows), found)}
        finally:
            work.cancel()

    def idle(self) -> Updates:
        left = self.left
        return {left.progress: "", left.cancel: gr.update(visible=False), left.trouble: ""}

    def show_found(self, subject: Subject, found: Inspection) -> Updates:
        left, right = self.left, self.right
        pairs = found.type in ("preference", "comparison")
        cleaning = [c for c in data_layout.CLEANING if pairs or c[1] != "drop_equal"]
        notes = " ".join(found.notes)
        count = sum(found.problem_counts.values())
        return {
            **self.looker.show(subject),
            **self.show_parts(found, subject.reading),
            left.settings: gr.update(visible=True),
            left.form: gr.update(choices=format_choices(found), value=found.format),
            left.cleaning: gr.update(choices=cleaning, value=[value for _, value in cleaning]),
            left.name: found_name(subject.source, found),
            left.prepare: prepare_button(found.kept),
            right.headline: data_views.found_chips(found),
            right.done: notice("warn", notes) if notes else "",
            right.record: "",
            right.actions: gr.update(visible=False),
            right.views: gr.Tabs(selected="rows"),
            right.problems_tab: gr.Tab(
                label=f"Problems {thousands(count)}" if count else "Problems"
            ),
            right.problem_kind: gr.update(
                choices=data_views.problem_kinds(found.problem_counts), value="", visible=count > 0
            ),
            right.problems: data_views.problems_table(found.problems, found.problem_counts),
        }

    def show_parts(self, found: Inspection, reading: dict[str, Any]) -> Updates:
        """The column of each part of a row, to be put right by hand; folded unless unsure."""
        fields = row_parts(found)
        columns = [("not used", ""), *((name, name) for name in found.columns)]
        updates: Updates = {
            self.left.columns: gr.update(
                visible=bool(fields), open=found.confidence < 0.7 or "mapping" in reading
            )
        }
        for position, part in enumerate(self.left.parts):
            used = position < len(fields)
            name, what = fields[position] if used else ("", "")
            column = found.mapping.get(name, "")
            updates[part] = gr.update(
                visible=used, label=name, info=what, choices=columns, value=column
            )
        return updates

    # ---- preparing ------------------------------------------------------------------------------

    def bind_preparing(self) -> None:
        left, right = self.left, self.right
        press = left.prepare.click(
            guard(self.prepare),
            [self.subject, left.cleaning, left.held_out, left.name, self.shell.session],
            [*self.shown, self.shell.session],
            **QUIET,
        )
        press.success(None, None, None, js="() => studioReveal('data-headline')")
        left.cancel.click(self.idle, None, self.shown, cancels=[*self.reads, press], **QUIET)
        self.opening.change(
            guard(self.open), [self.opening, self.shell.session],
            [*self.shown, self.shell.session], **QUIET,
        )  # fmt: skip
        right.prepared.click(guard(self.opened), None, self.opening, **QUIET)
        right.delete.click(lambda: gr.update(visible=True), None, right.really, **QUIET)
        right.really.click(guard(self.delete), [self.subject], [*self.shown, right.really], **QUIET)
        for button, suffix in ((right.jsonl, "jsonl"), (right.parquet, "parquet")):
            button.click(
                guard(self.exporter(suffix)), self.subject, right.download, **PRIVATE
            ).success(None, None, None, js="() => studioDownload('data-download')")

    def prepare(
        self, subject: Subject, cleaning: list[str], held_out: float, name: str, session: Session
    ) -> Iterator[Updates]:
        """Convert, clean, split and record; then offer training."""
        left = self.left
        if subject.found is None:
            raise ConfigError("There is nothing to prepare yet: bring a source first.")
        options = prepare_options(subject, cleaning, held_out)
        work = Work(
            lambda progress: self.studio.datasets.prepare(
                subject.source,
                name=(name or "").strip() or None,
                options=options,
                progress=progress,
            )
        )
        yield {left.prepare: gr.update(value="Preparing", interactive=False)}
        ready = prepare_button(subject.found.kept)
        try:
            for step in work.steps():
                yield {
                    left.progress: progress_bar(step[0], step[1], work.say(step)),
                    left.cancel: gr.update(visible=True),
                }
            dataset = work.result()
        except Cancelled:
            yield {**self.idle(), left.prepare: ready}
        except Exception as error:
            trouble = notice("error", sentence(error))
            yield {**self.idle(), left.prepare: ready, left.trouble: trouble}
        else:
            yield {
                **self.idle(),
                left.prepare: ready,
                **self.show_dataset(dataset, done=True),
                self.shell.session: replace(session, dataset_id=dataset.id),
            }
        finally:
            work.cancel()

    def show_dataset(self, dataset: Any, done: bool = False) -> Updates:
        """A prepared dataset on the right: its rows, how it was made, what can be done with it."""
        right = self.right
        total = sum(dataset.rows.values())
        held = dataset.rows.get("test", 0)
        split = f"{thousands(total - held)} to train on, {thousands(held)} held out" if held else ""
        text = f"Prepared {plural(total, 'row')} as {dataset.name}." if done else ""
        trains = dataset.type in data_views.TRAINABLE
        return {
            **self.looker.show(Subject(dataset_id=dataset.id)),
            right.headline: data_views.prepared_chips(dataset),
            right.done: notice("good", text, split),
            right.record: data_views.steps_fold(dataset),
            right.actions: gr.update(visible=True),
            right.train: gr.update(visible=trains),
            right.views: gr.Tabs(selected="rows"),
            right.problems_tab: gr.Tab(label="Problems"),
            right.problem_kind: gr.update(visible=False),
            right.problems: empty_state(
                "Only good rows are in a prepared dataset", "What was left out is in its record."
            ),
            right.prepared: self.draw_prepared(dataset.id),
        }

    def draw_prepared(self, chosen: str | None = None) -> str:
        return data_views.prepared_table(self.studio.datasets.list(), chosen)

    def opened(self, event: gr.EventData) -> tuple[str, float]:
        return show(event._data["open"])

    def open(self, opening: tuple[str, float] | None, session: Session) -> Updates:
        if not opening:
            return {}
        dataset = self.studio.datasets.get(opening[0])
        return {
            **self.show_dataset(dataset),
            self.shell.session: replace(session, dataset_id=dataset.id),
        }

    def delete(self, subject: Subject) -> Updates:
        right = self.right
        if subject.dataset_id:
            self.studio.datasets.delete(subject.dataset_id)
        return {
            **self.looker.show(Subject()),
            right.really: gr.update(visible=False),
            right.headline: data_layout.NO_SOURCE,
            right.done: "",
            right.record: "",
            right.actions: gr.update(visible=False),
            right.prepared: self.draw_prepared(),
            right.views: gr.Tabs(selected="prepared"),
        }

    def exporter(self, suffix: str) -> Any:
        """The handler that writes the shown dataset as a file and hands it to the browser."""

        def export(subject: Subject) -> Any:
            if not subject.dataset_id:
                raise ConfigError("Open a prepared dataset first.")
            dataset = self.studio.datasets.get(subject.dataset_id)
            return gr.update(value=str(export_file(self.studio, dataset, suffix)))

        return export
