"""Event handlers of the import form: reading a source, overriding the detected format, and
previewing the cleaning steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.data import cleaning_html, open_questions, option_choices, problems_html
from components.data.import_form import ImportForm
from components.data.open_sources import OpenSource, OpenSources, Subject
from components.data.preview_layout import PreviewLayout
from components.data.row_browser import LISTED, RowBrowser, Update, Updates
from components.data.source_shape import shaped
from components.data.source_views import SourceViews
from components.data.token_view import TokenHandlers
from components.ui import access
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar
from studio.core.errors import Cancelled, StudioError
from studio.core.jobs import Job
from studio.data import read
from studio.data.prepared import cleaning

if TYPE_CHECKING:
    from gradio.events import Dependency

    from studio.data import Inspection, Progress, SourceReading
    from studio.data.readers.sources import Source
    from studio.data.types import JsonObject


class ImportHandlers:
    """Reads sources and shows what was detected; holds widgets and the engine, no user state."""

    def __init__(
        self,
        sources: OpenSources,
        form: ImportForm,
        preview: PreviewLayout,
        row_browser: RowBrowser,
        tokens: TokenHandlers,
    ):
        self.sources, self.studio = sources, sources.studio
        self.form, self.preview, self.row_browser = form, preview, row_browser
        self.views = SourceViews(sources, form, preview, row_browser, tokens)
        steps, problems = form.cleaning, preview.problems
        self.outputs = [
            *row_browser.fresh_outputs,
            form.trouble,
            form.progress,
            form.cancel_read,
            form.cancel_prepare,
            form.reading,
            form.encoding,
            form.settings,
            form.format,
            form.columns,
            *form.parts,
            steps.steps,
            steps.more,
            steps.held_out,
            steps.balance,
            form.name,
            form.prepare,
            *form.shape.outputs,
            preview.headline,
            preview.done,
            preview.record,
            preview.actions.box,
            preview.actions.undo,
            preview.actions.push_box,
            preview.views,
            preview.tokens.mask,
            preview.tokens.query_prompt,
            preview.tokens.document_prompt,
            problems.tab,
            problems.cleaning,
            problems.bar,
            problems.kind,
            problems.check,
            problems.checked,
            problems.list,
        ]
        self.reads: list[Dependency] = []

    def bind(self) -> None:
        form, problems = self.form, self.preview.problems
        form.shape.bind(self.row_browser.subject)
        form.kind.change(
            guard(self.show_kind), form.kind, [form.files, form.path_box, form.sample], **QUIET
        )
        form.path.change(guard(self.show_hub), form.path, form.hub_box, **QUIET)
        place = [form.path, form.config, form.split]
        mapped = [self.row_browser.subject, form.format, *form.parts]
        shown = self.outputs
        self.reads = [
            form.files.upload(guard(self.read_files), form.files, shown, **QUIET),
            form.files.delete(guard(self.read_files), form.files, shown, **QUIET),
            form.files.clear(guard(self.views.nothing), None, shown, **QUIET),
            form.path.submit(guard(self.read_path), place, shown, **QUIET),
            form.sample.input(guard(self.read_sample), form.sample, shown, **QUIET),
            form.format.input(
                guard(self.read_again), [self.row_browser.subject, form.format], shown, **QUIET
            ),
            form.shape.use.click(
                guard(self.read_templated),
                [self.row_browser.subject, form.shape.prompts, form.shape.completion],
                shown,
                **QUIET,
            ),
            form.shape.drop.click(guard(self.read_plain), self.row_browser.subject, shown, **QUIET),
            form.shape.cut.click(
                guard(self.read_chunked),
                [self.row_browser.subject, form.shape.tokens, form.shape.overlap, form.shape.model],
                shown,
                **QUIET,
            ),
            form.reading.input(
                guard(self.read_as), [self.row_browser.subject, form.reading], shown, **QUIET
            ),
            form.encoding.input(
                guard(self.read_in), [self.row_browser.subject, form.encoding], shown, **QUIET
            ),
            *(part.input(guard(self.read_mapped), mapped, shown, **QUIET) for part in form.parts),
        ]
        inputs = [self.row_browser.subject, *form.cleaning.inputs]
        outputs = [problems.cleaning, form.prepare, form.progress]
        for event in self.reads:
            event.then(guard(self.preview_cleaning), inputs, outputs, **QUIET)
        steps = form.cleaning
        chosen = [steps.steps, steps.more, steps.held_out, steps.balance]
        numbers = [steps.min_words, steps.max_words, steps.sample, steps.seed]
        gr.on(
            [
                *(widget.input for widget in chosen),
                *(event for number in numbers for event in (number.submit, number.blur)),
            ],
            guard(self.preview_cleaning),
            inputs,
            outputs,
            trigger_mode="always_last",
            **QUIET,
        )
        problems.kind.input(
            guard(self.filter), [self.row_browser.subject, problems.kind], problems.list, **QUIET
        )
        problems.save.click(
            guard(self.save_problems),
            [self.row_browser.subject, problems.kind],
            self.preview.actions.download,
            **QUIET,
        ).success(None, None, None, js="() => studioDownload('data-download')")

    # ---- reading --------------------------------------------------------------------------------

    def show_kind(self, kind: str) -> tuple[Update, ...]:
        return tuple(gr.update(visible=kind == name) for name in ("files", "path", "sample"))

    def show_hub(self, path: str) -> Update:
        text = (path or "").strip()
        return gr.update(visible="/" in text and text[0] not in "./~" and " " not in text)

    def read_files(self, files: list[str] | None) -> Iterator[Updates]:
        if not files:
            yield self.views.nothing()
            return
        kept = [str(path) for path in self.studio.workspace.take_in(files)]
        yield from self.read(kept if len(kept) > 1 else kept[0], {})

    def read_path(self, path: str, config: str, split: str) -> Iterator[Updates]:
        source = (path or "").strip()
        if access.space() and source[:1] in (".", "/", "~", "\\"):
            trouble = "A public Space does not read its own files: upload yours instead."
            yield {self.form.trouble: notice("error", trouble)}
            return
        yield from self.read(source, option_choices.given(config=config, split=split))

    def read_sample(self, alias: str) -> Iterator[Updates]:
        yield from self.read(alias, {})

    def read_again(self, subject: Subject, format: str) -> Iterator[Updates]:
        held = self.sources.held(subject)
        how = shaped(held.how)
        yield from self.read(held.source, {**how, **option_choices.given(format=format)}, held)

    def read_templated(self, subject: Subject, prompts: str, completion: str) -> Iterator[Updates]:
        held = self.sources.held(subject)
        try:
            how = self.form.shape.templated(held, prompts, completion)
        except StudioError as error:
            yield {self.form.shape.preview: notice("error", sentence(error))}
            return
        yield from self.read(held.source, how, held)

    def read_plain(self, subject: Subject) -> Iterator[Updates]:
        held = self.sources.held(subject)
        yield from self.read(held.source, self.form.shape.plain(held), held)

    def read_chunked(
        self, subject: Subject, tokens: float, overlap: float, model: str
    ) -> Iterator[Updates]:
        held = self.sources.held(subject)
        try:
            how = self.form.shape.chunked(held, tokens, overlap, model)
        except StudioError as error:
            yield {self.form.trouble: notice("error", sentence(error))}
            return
        yield from self.read(held.source, how, held)

    def read_as(self, subject: Subject, choice: str) -> Iterator[Updates]:
        held = self.sources.held(subject)
        how = {**held.how, **open_questions.told(held.found, choice)}
        yield from self.read(held.source, how, held)

    def read_in(self, subject: Subject, encoding: str) -> Iterator[Updates]:
        held = self.sources.held(subject)
        how = {name: value for name, value in held.how.items() if name != "encoding"}
        yield from self.read(held.source, {**how, **option_choices.given(encoding=encoding)}, held)

    def read_mapped(self, subject: Subject, format: str, *columns: str) -> Iterator[Updates]:
        held = self.sources.held(subject)
        names = [name for name, _ in option_choices.row_parts(held.found)]
        mapping = {part: column for part, column in zip(names, columns, strict=False) if column}
        how = {**held.how, "mapping": mapping, **option_choices.given(format=format)}
        yield from self.read(held.source, how, held)

    def read(
        self, source: Source, how: JsonObject, otherwise: OpenSource | None = None
    ) -> Iterator[Updates]:
        """Read a source: its first row at once, then the progress, then what was detected.

        Where it cannot be read, `otherwise` stays: the same source as it was read before. Without
        it nothing is shown, so that no earlier source can be prepared in place of this one.
        """
        form = self.form
        first: list[Inspection] = []
        folder = self.studio.workspace.cache

        def task(progress: Progress) -> SourceReading:
            return read(source, progress=progress, first=first.append, folder=folder, **how)

        work = Job().start(task)
        yield {form.prepare: gr.update(interactive=False)}
        drawn = False
        try:
            for step in work.steps():
                updates: Updates = {
                    form.progress: progress_bar(step[0], step[1], work.progress_text(step)),
                    form.cancel_read: gr.update(visible=True),
                    form.trouble: "",
                }
                if first and not drawn:
                    drawn = True
                    updates |= self.views.show_first(first[0])
                yield updates
            subject = self.sources.put(work.result(), source, how)
        except Cancelled:
            yield self.views.idle()
        except Exception as error:
            shown = (
                self.views.unread(source) if otherwise is None else self.views.as_before(otherwise)
            )
            yield {**self.views.idle(), **shown, form.trouble: notice("error", sentence(error))}
        else:
            yield {**self.views.idle(), **self.views.show_found(subject)}
        finally:
            work.cancel()

    # ---- problems and cleaning ------------------------------------------------------------------

    def filter(self, subject: Subject, kind: str) -> str:
        """List only one kind of problem."""
        problems = self.sources.held(subject).reading.problems
        listed = problems.page(kind or None, 0, LISTED)
        return problems_html.problems_table(listed, problems.total(kind or None))

    def save_problems(self, subject: Subject, kind: str) -> Update:
        """Write all problems of a kind to a file for download."""
        held = self.sources.held(subject)
        folder = self.studio.workspace.exports / str(subject.reading_id)
        folder.mkdir(parents=True, exist_ok=True)
        name = option_choices.found_name(held.source) or "rows"
        path = folder / f"{name}-{kind or 'problems'}.jsonl"
        held.reading.problems.write(path, kind or None)
        return gr.update(value=str(path))

    def preview_cleaning(self, subject: Subject, *values: Any) -> Iterator[Updates]:
        """Preview what cleaning would drop, and put the remaining rows on the Prepare button."""
        form, report = self.form, self.preview.problems.cleaning
        if not subject.reading_id or not self.sources.knows(subject):
            return
        held = self.sources.held(subject)
        options = option_choices.prepare_options(held.how, values)
        work = Job().start(lambda progress: cleaning.preview(held.reading, options, progress))
        try:
            for step in work.steps(patience=0.6):
                yield {form.progress: progress_bar(step[0], step[1], work.progress_text(step))}
            steps = work.result()
        except Exception as error:
            yield {report: notice("error", sentence(error)), form.progress: ""}
            return
        finally:
            work.cancel()
        readable = held.reading.readable
        kept = readable - sum(step.dropped for step in steps)
        count = min(kept, options.sample) if options.sample else kept
        yield {
            report: cleaning_html.cleaning_preview(steps, readable, kept),
            form.prepare: option_choices.prepare_button(count, bool(held.found.question)),
            form.progress: "",
        }
