"""The Data tab's left column at work: reading a source, overruling what was found, and what the
chosen cleaning would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.data import cleaning_html, option_choices, problems_html
from components.data.import_form import Settle
from components.data.open_sources import OpenSource, Shelf, Subject
from components.data.preview_layout import PreviewLayout
from components.data.row_browser import LISTED, RowBrowser, Updates
from components.data.token_view import TokenHandlers
from components.ui import access
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar
from studio.core.errors import Cancelled
from studio.core.jobs import Job
from studio.data import read
from studio.data.prepared.cleaning import preview

if TYPE_CHECKING:
    from studio.data import Inspection, SourceReading


class SourceHandlers:
    """Reads, and shows what was found; holds widgets and the engine, never what a person sees."""

    def __init__(
        self,
        shelf: Shelf,
        left: Settle,
        right: PreviewLayout,
        looker: RowBrowser,
        tokens: TokenHandlers,
    ):
        self.shelf, self.studio = shelf, shelf.studio
        self.left, self.right, self.looker, self.tokens = left, right, looker, tokens
        cleaning, problems = left.cleaning, right.problems
        self.outputs = [
            *looker.fresh_outputs,
            left.trouble,
            left.progress,
            left.cancel_read,
            left.cancel_prepare,
            left.settings,
            left.form,
            left.columns,
            *left.parts,
            cleaning.steps,
            cleaning.more,
            cleaning.held_out,
            cleaning.balance,
            left.name,
            left.prepare,
            right.headline,
            right.done,
            right.record,
            right.actions.box,
            right.actions.undo,
            right.actions.push_box,
            right.views,
            right.tokens.mask,
            problems.tab,
            problems.cleaning,
            problems.bar,
            problems.kind,
            problems.check,
            problems.checked,
            problems.list,
        ]
        self.reads: list[Any] = []

    def bind(self) -> None:
        left, problems = self.left, self.right.problems
        left.kind.change(
            guard(self.show_kind), left.kind, [left.files, left.path_box, left.sample], **QUIET
        )
        left.path.change(guard(self.show_hub), left.path, left.hub_box, **QUIET)
        place = [left.path, left.config, left.split]
        mapped = [self.looker.subject, left.form, *left.parts]
        shown = self.outputs
        self.reads = [
            left.files.upload(guard(self.read_files), left.files, shown, **QUIET),
            left.path.submit(guard(self.read_path), place, shown, **QUIET),
            left.sample.input(guard(self.read_sample), left.sample, shown, **QUIET),
            left.form.input(
                guard(self.read_again), [self.looker.subject, left.form], shown, **QUIET
            ),
            *(part.input(guard(self.read_mapped), mapped, shown, **QUIET) for part in left.parts),
        ]
        asked = [self.looker.subject, *left.cleaning.inputs]
        told = [problems.cleaning, left.prepare, left.progress]
        for event in self.reads:
            event.then(guard(self.preview), asked, told, **QUIET)
        cleaning = left.cleaning
        chosen = [cleaning.steps, cleaning.more, cleaning.held_out, cleaning.balance]
        numbers = [cleaning.min_words, cleaning.max_words, cleaning.sample, cleaning.seed]
        gr.on(
            [
                *(widget.input for widget in chosen),
                *(event for number in numbers for event in (number.submit, number.blur)),
            ],
            guard(self.preview),
            asked,
            told,
            trigger_mode="always_last",
            **QUIET,
        )
        problems.kind.input(
            guard(self.filter), [self.looker.subject, problems.kind], problems.list, **QUIET
        )
        problems.save.click(
            guard(self.save_problems),
            [self.looker.subject, problems.kind],
            self.right.actions.download,
            **QUIET,
        ).success(None, None, None, js="() => studioDownload('data-download')")

    # ---- reading --------------------------------------------------------------------------------

    def show_kind(self, kind: str) -> tuple[Any, ...]:
        return tuple(gr.update(visible=kind == name) for name in ("files", "path", "sample"))

    def show_hub(self, path: str) -> Any:
        text = (path or "").strip()
        return gr.update(visible="/" in text and text[0] not in "./~" and " " not in text)

    def read_files(self, files: list[str] | None) -> Iterator[Updates]:
        if not files:
            return
        kept = [str(path) for path in self.studio.workspace.take_in(files)]
        yield from self.read(kept if len(kept) > 1 else kept[0], {})

    def read_path(self, path: str, config: str, split: str) -> Iterator[Updates]:
        source = (path or "").strip()
        if access.space() and source[:1] in (".", "/", "~", "\\"):
            trouble = "Files of this machine are not read on a public Space: upload yours instead."
            yield {self.left.trouble: notice("error", trouble)}
            return
        yield from self.read(source, option_choices.given(config=config, split=split))

    def read_sample(self, alias: str) -> Iterator[Updates]:
        yield from self.read(alias, {})

    def read_again(self, subject: Subject, form: str) -> Iterator[Updates]:
        held = self.shelf.held(subject)
        how = {name: value for name, value in held.how.items() if name in ("config", "split")}
        yield from self.read(held.source, {**how, **option_choices.given(format=form)})

    def read_mapped(self, subject: Subject, form: str, *columns: str) -> Iterator[Updates]:
        held = self.shelf.held(subject)
        names = [name for name, _ in option_choices.row_parts(held.found)]
        mapping = {part: column for part, column in zip(names, columns, strict=False) if column}
        how = {**held.how, "mapping": mapping, **option_choices.given(format=form)}
        yield from self.read(held.source, how)

    def read(self, source: Any, how: dict[str, Any]) -> Iterator[Updates]:
        """Read a source, showing its first rows at once and then how far it is."""
        left = self.left
        first: list[Inspection] = []
        folder = self.studio.workspace.cache

        def task(progress: Any) -> SourceReading:
            return read(source, progress=progress, first=first.append, folder=folder, **how)

        work = Job().start(task)
        drawn = False
        try:
            for step in work.steps():
                told: Updates = {
                    left.progress: progress_bar(step[0], step[1], work.progress_text(step)),
                    left.cancel_read: gr.update(visible=True),
                    left.trouble: "",
                }
                if first and not drawn:
                    drawn = True
                    told |= self.show_first(first[0])
                yield told
            subject = self.shelf.put(work.result(), source, how)
        except Cancelled:
            yield self.idle()
        except Exception as error:
            yield {**self.idle(), left.trouble: notice("error", sentence(error))}
        else:
            yield {**self.idle(), **self.show_found(subject)}
        finally:
            work.cancel()

    def idle(self) -> Updates:
        """Nothing is being read or prepared any more."""
        left = self.left
        hidden = gr.update(visible=False)
        return {
            left.progress: "",
            left.trouble: "",
            left.cancel_read: hidden,
            left.cancel_prepare: hidden,
        }

    # ---- what was found -------------------------------------------------------------------------

    def show_first(self, found: Inspection) -> Updates:
        """The first row of a large source, while the rest is read."""
        card = problems_html.first_card(found)
        return {self.right.headline: problems_html.found_first(found), self.right.card: card}

    def show_found(self, subject: Subject) -> Updates:
        """All that was found in a source, and the choices that follow."""
        left, right, held = self.left, self.right, self.shelf.held(subject)
        found, problems = held.found, right.problems
        (steps, usual), (more, usual_more) = option_choices.cleaning_choices(found.type)
        groups = held.reading.groups.columns()
        return {
            **self.looker.show_fresh(subject, self.looker.filters(subject)),
            **self.tokens.masks(found.type),
            **self.show_parts(held),
            problems.cleaning: "",
            problems.checked: "",
            **self.looker.show_problems(subject),
            left.settings: gr.update(visible=True),
            left.form: gr.update(choices=option_choices.format_choices(found), value=found.format),
            left.cleaning.steps: gr.update(choices=steps, value=usual),
            left.cleaning.more: gr.update(choices=more, value=usual_more),
            left.cleaning.held_out: gr.update(choices=option_choices.held_out_choices(self.studio)),
            left.cleaning.balance: gr.update(
                choices=option_choices.balance_choices(groups), value="", visible=bool(groups)
            ),
            left.name: option_choices.found_name(held.source, found),
            left.prepare: option_choices.prepare_button(found.kept),
            right.headline: problems_html.found_head(found),
            right.done: problems_html.notes_list(found.notes),
            right.record: "",
            right.actions.box: gr.update(visible=False),
            right.actions.undo: gr.update(visible=False),
            right.actions.push_box: gr.update(visible=False),
            right.views: gr.Tabs(selected="rows"),
        }

    def show_parts(self, held: OpenSource) -> Updates:
        """The column of each part of a row, to be put right by hand; folded unless unsure."""
        found = held.found
        fields = option_choices.row_parts(found)
        columns = [("not used", ""), *((name, name) for name in found.columns)]
        updates: Updates = {
            self.left.columns: gr.update(
                visible=bool(fields), open=found.confidence < 0.7 or "mapping" in held.how
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

    # ---- problems and cleaning ------------------------------------------------------------------

    def filter(self, subject: Subject, kind: str) -> Any:
        """Only problems of a kind."""
        problems = self.shelf.held(subject).reading.problems
        listed = problems.page(kind or None, 0, LISTED)
        return problems_html.problems_table(listed, problems.total(kind or None))

    def save_problems(self, subject: Subject, kind: str) -> Any:
        """All problems of a kind as a file, handed to the browser."""
        held = self.shelf.held(subject)
        folder = self.studio.workspace.exports / str(subject.reading_id)
        folder.mkdir(parents=True, exist_ok=True)
        name = option_choices.found_name(held.source, held.found) or "rows"
        path = folder / f"{name}-{kind or 'problems'}.jsonl"
        held.reading.problems.write(path, kind or None)
        return gr.update(value=str(path))

    def preview(self, subject: Subject, *values: Any) -> Iterator[Updates]:
        """What the chosen cleaning would drop; the button says what would be left."""
        left, told = self.left, self.right.problems.cleaning
        if not subject.reading_id or not self.shelf.knows(subject):
            return
        held = self.shelf.held(subject)
        options = option_choices.prepare_options(held.how, values)
        work = Job().start(lambda progress: preview(held.reading, options, progress))
        try:
            for step in work.steps(patience=0.6):
                yield {left.progress: progress_bar(step[0], step[1], work.progress_text(step))}
            steps = work.result()
        except Exception as error:
            yield {told: notice("error", sentence(error)), left.progress: ""}
            return
        finally:
            work.cancel()
        readable = held.reading.readable
        kept = readable - sum(step.dropped for step in steps)
        count = min(kept, options.sample) if options.sample else kept
        yield {
            told: cleaning_html.cleaning_preview(steps, readable, kept),
            left.prepare: option_choices.prepare_button(count),
            left.progress: "",
        }
