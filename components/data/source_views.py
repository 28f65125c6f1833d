"""What the Data tab shows of a source: nothing, its first row, what was detected, or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from components.data import open_questions, option_choices, problems_html
from components.data.import_form import ImportForm
from components.data.open_sources import OpenSource, OpenSources, Subject
from components.data.preview_layout import NO_PROBLEMS, NO_SOURCE, PreviewLayout
from components.data.row_browser import RowBrowser, Updates
from components.data.token_view import TokenHandlers
from components.ui.html import notice

if TYPE_CHECKING:
    from studio.data import Inspection
    from studio.data.readers.sources import Source


class SourceViews:
    """The updates of the import form and of the preview; holds widgets and no user state."""

    def __init__(
        self,
        sources: OpenSources,
        form: ImportForm,
        preview: PreviewLayout,
        row_browser: RowBrowser,
        tokens: TokenHandlers,
    ):
        self.sources, self.studio = sources, sources.studio
        self.form, self.preview, self.row_browser, self.tokens = form, preview, row_browser, tokens

    def idle(self) -> Updates:
        """Hide progress, errors and Stop buttons."""
        form = self.form
        hidden = gr.update(visible=False)
        return {
            form.progress: "",
            form.trouble: "",
            form.cancel_read: hidden,
            form.cancel_prepare: hidden,
        }

    def nothing(self) -> Updates:
        """Show neither a source nor a dataset, and offer nothing to prepare."""
        form, preview = self.form, self.preview
        hidden = gr.update(visible=False)
        return {
            **self.row_browser.nothing(),
            **self.idle(),
            form.settings: hidden,
            form.reading: hidden,
            form.encoding: hidden,
            form.prepare: gr.update(value="Prepare", interactive=False),
            preview.headline: NO_SOURCE,
            preview.done: "",
            preview.record: "",
            preview.actions.box: hidden,
            preview.actions.push_box: hidden,
            preview.problems.tab: gr.Tab(label="Problems"),
            preview.problems.cleaning: "",
            preview.problems.bar: hidden,
            preview.problems.checked: "",
            preview.problems.list: NO_PROBLEMS,
        }

    def unread(self, source: Source) -> Updates:
        """A new source that could not be read puts the one before away."""
        name = option_choices.source_name(source)
        said = f"{name} could not be read, so there are no rows to show. Choose another source."
        return {**self.nothing(), self.preview.done: notice("error", said)}

    def as_before(self, held: OpenSource) -> Updates:
        """The form as the source in view was read."""
        return {
            **self.show_parts(held),
            self.form.format: gr.update(value=held.found.format),
            self.form.prepare: option_choices.prepare_button(
                held.found.kept, bool(held.found.question)
            ),
        }

    def show_first(self, found: Inspection) -> Updates:
        """The first row of a large source while the rest is still being read."""
        card = problems_html.first_card(found)
        return {self.preview.headline: problems_html.found_first(found), self.preview.card: card}

    def show_found(self, subject: Subject) -> Updates:
        """Everything detected in a source, and the options that depend on it."""
        form, preview, held = self.form, self.preview, self.sources.held(subject)
        found, problems = held.found, preview.problems
        (steps, usual), (more, usual_more) = option_choices.cleaning_choices(found.type)
        groups = held.reading.groups.columns()
        return {
            **self.row_browser.show_fresh(subject, self.row_browser.filters(subject)),
            **self.tokens.masks(found.type),
            **self.show_parts(held),
            **form.shape.found(held),
            problems.cleaning: "",
            problems.checked: "",
            **self.row_browser.show_problems(subject),
            form.settings: gr.update(visible=True),
            form.format: gr.update(
                choices=option_choices.format_choices(found), value=found.format
            ),
            form.cleaning.steps: gr.update(choices=steps, value=usual),
            form.cleaning.more: gr.update(choices=more, value=usual_more),
            form.cleaning.held_out: gr.update(choices=option_choices.held_out_choices(self.studio)),
            form.cleaning.balance: gr.update(
                choices=option_choices.balance_choices(groups), value="", visible=bool(groups)
            ),
            form.name: option_choices.found_name(held.source),
            form.reading: open_questions.reading_choice(found),
            form.encoding: open_questions.encoding_choice(found, held.how),
            form.prepare: option_choices.prepare_button(found.kept, bool(found.question)),
            preview.headline: problems_html.found_head(found),
            preview.done: open_questions.readings_html(found)
            + problems_html.notes_list(found.notes),
            preview.record: "",
            preview.actions.box: gr.update(visible=False),
            preview.actions.undo: gr.update(visible=False),
            preview.actions.push_box: gr.update(visible=False),
            preview.views: gr.Tabs(selected="rows"),
        }

    def show_parts(self, held: OpenSource) -> Updates:
        """Column mapping per field, collapsed if the detection is confident."""
        found = held.found
        fields = option_choices.row_parts(found)
        columns = [("Not used", ""), *((name, name) for name in found.columns)]
        updates: Updates = {
            self.form.columns: gr.update(
                visible=bool(fields), open=found.confidence < 0.7 or "mapping" in held.how
            )
        }
        for position, part in enumerate(self.form.parts):
            used = position < len(fields)
            name, what = fields[position] if used else ("", "")
            column = found.mapping.get(name, "")
            updates[part] = gr.update(
                visible=used, label=name, info=what, choices=columns, value=column
            )
        return updates
