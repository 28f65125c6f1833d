"""How a source's rows are made before their format is judged: a template over columns, and the
chunks of documents. Widgets, live preview and saving; reading again is `import_handlers`'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.data.open_sources import OpenSource, OpenSources, Subject
from components.ui.compat import Updates
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import esc, notice
from studio.core.errors import StudioError
from studio.core.model_names import choices
from studio.data.column_template import ColumnTemplate, Templated
from studio.data.readers.chunks import Chunking
from studio.data.readers.encodings import DOCUMENTS, data_suffix
from studio.data.readers.sources import Located
from studio.data.saved_templates import SavedTemplates
from studio.data.types import Row, RowError
from studio.models.token_counter import counter

if TYPE_CHECKING:
    from studio.data.types import JsonObject

BETWEEN = "---"
"""A line between two templates."""
_PREVIEWED = 3
_ESTIMATED = ("4 characters a token", "")


class SourceShape:
    """Two folds of the Data form; holds widgets and the engine, no user state."""

    def __init__(self, sources: OpenSources):
        self.sources, self.studio = sources, sources.studio

    def lay_out(self) -> None:
        """The folds, inside the open column."""
        with gr.Accordion(
            "Prompt template", open=False, elem_classes="fold", elem_id="data-template"
        ) as self.template_box:
            self.saved = gr.Dropdown(
                [], label="Saved templates", visible=False, elem_id="data-template-saved"
            )
            self.prompts = gr.Textbox(
                lines=3,
                max_lines=10,
                label="Prompt",
                placeholder="{question}\n{choices}",
                info=f"Columns in braces. A line with {BETWEEN} parts several templates: each row "
                "takes one at random.",
                elem_id="data-template-prompt",
            )
            self.completion = gr.Textbox(
                max_lines=4,
                label="Completion",
                placeholder="{answer} or {choices[answer]}",
                elem_id="data-template-completion",
            )
            self.preview = gr.HTML("", elem_id="data-template-preview")
            with gr.Row():
                self.use = gr.Button("Use template", size="sm", min_width=80)
                self.drop = gr.Button("Rows as they are", size="sm", min_width=80)
            with gr.Row():
                self.name = gr.Textbox(
                    show_label=False,
                    container=False,
                    placeholder="Save as",
                    max_lines=1,
                    min_width=100,
                    label="Name of the template",
                )
                self.save = gr.Button("Save", size="sm", min_width=60)
        with gr.Accordion(
            "Document chunks", open=True, visible=False, elem_classes="fold", elem_id="data-chunks"
        ) as self.chunks_box:
            with gr.Row():
                self.tokens = gr.Number(
                    512, precision=0, minimum=16, label="Tokens a chunk", min_width=100
                )
                self.overlap = gr.Number(
                    0, precision=0, minimum=0, label="Overlap in tokens", min_width=100
                )
            self.model = gr.Dropdown(
                [_ESTIMATED, *choices()],
                value="",
                label="Counted by",
                allow_custom_value=True,
                elem_id="data-chunks-model",
            )
            self.cut = gr.Button("Cut again", size="sm")

    @property
    def outputs(self) -> list[Any]:
        """What `found` may change."""
        return [self.template_box, self.saved, self.preview, self.chunks_box]

    def bind(self, subject: gr.State) -> None:
        """Bind preview, saving and loading."""
        texts = [self.prompts, self.completion]
        gr.on(
            [text.change for text in texts],
            guard(self.draw, "quietly"),
            [subject, *texts],
            self.preview,
            trigger_mode="always_last",
            **QUIET,
        )
        self.saved.input(guard(self.load), [subject, self.saved], [*texts, self.preview], **QUIET)
        self.save.click(
            guard(self.keep), [self.name, *texts], [self.saved, self.preview, self.name], **QUIET
        )

    # ---- reading --------------------------------------------------------------------------------

    def templated(self, held: OpenSource, prompts: str, completion: str) -> JsonObject:
        """How to read a source again with a template; `ConfigError` where that is wrong."""
        template = written(prompts, completion)
        template.check(columns(raw_rows(held)))
        return {**shaped(held.how), "template": template}

    def plain(self, held: OpenSource) -> JsonObject:
        """How to read a source again without a template."""
        return {name: value for name, value in shaped(held.how).items() if name != "template"}

    def chunked(self, held: OpenSource, tokens: float, overlap: float, model: str) -> JsonObject:
        """How to read documents again, cut otherwise."""
        count = counter(model.strip()) if model and model.strip() else None
        return {**shaped(held.how), "chunks": Chunking(int(tokens or 0), int(overlap or 0), count)}

    # ---- showing --------------------------------------------------------------------------------

    def found(self, held: OpenSource) -> Updates:
        """Both folds for a source that was read."""
        named = list(SavedTemplates(self.studio.workspace).all())
        return {
            self.template_box: gr.update(open="template" in held.how),
            self.saved: gr.update(choices=named, visible=bool(named)),
            self.preview: hint(raw_rows(held)),
            self.chunks_box: gr.update(visible=_has_documents(held)),
        }

    def draw(self, subject: Subject, prompts: str, completion: str) -> str:
        """The first rows as the template writes them."""
        rows = raw_rows(self.sources.held(subject))
        if not (prompts or "").strip():
            return hint(rows)
        try:
            template = written(prompts, completion)
            template.check(columns(rows))
        except StudioError as error:
            return notice("error", sentence(error))
        return cards(template, rows[:_PREVIEWED])

    def load(self, subject: Subject, name: str) -> tuple[str, str, str]:
        """A saved template in the fields, with its preview."""
        saved = SavedTemplates(self.studio.workspace).get(name)
        prompts = f"\n{BETWEEN}\n".join(saved.prompts)
        return prompts, saved.completion, self.draw(subject, prompts, saved.completion)

    def keep(self, name: str, prompts: str, completion: str) -> tuple[Any, Any, Any]:
        """Save the template by name."""
        shelf = SavedTemplates(self.studio.workspace)
        try:
            name = shelf.save(name or "", written(prompts, completion))
        except StudioError as error:
            return gr.skip(), notice("error", sentence(error)), gr.skip()
        saved = gr.update(choices=list(shelf.all()), value=name, visible=True)
        return saved, notice("good", f"Saved as {name}."), ""


def written(prompts: str, completion: str) -> ColumnTemplate:
    """The template that the fields hold."""
    parts, held = [], []
    for line in (prompts or "").split("\n"):
        if line.strip() == BETWEEN:
            parts.append("\n".join(held))
            held = []
        else:
            held.append(line)
    parts.append("\n".join(held))
    return ColumnTemplate(
        tuple(part for part in parts if part.strip()), (completion or "").strip("\n")
    )


def shaped(how: JsonObject) -> JsonObject:
    """What stays of how a source was read when its rows change their form."""
    return {
        name: how[name]
        for name in ("config", "split", "encoding", "template", "chunks")
        if name in how
    }


def raw_rows(held: OpenSource) -> list[Row]:
    """The first rows as their file holds them, before any template."""
    located = held.reading.located
    return (
        located.first
        if isinstance(located, Templated)
        else list(held.reading.stream.profile.sample)
    )


def columns(rows: Sequence[Row]) -> list[str]:
    """The names of all columns in order."""
    return list(dict.fromkeys(name for row in rows for name in row))


def hint(rows: Sequence[Row]) -> str:
    """Which columns a template can name."""
    names = ", ".join(f"<code>{{{esc(name)}}}</code>" for name in columns(rows)[:40])
    return f'<p class="quiet">Columns: {names}</p>' if names else ""


def cards(template: ColumnTemplate, rows: Sequence[Row]) -> str:
    """The first rows as prompts and completions, or why one is none."""
    shown = []
    for number, row in enumerate(rows, 1):
        try:
            made = template.apply(row, number)
        except RowError as problem:
            shown.append(f"<li>{notice('warn', f'Row {number}: {problem.message}')}</li>")
            continue
        answer = made.get("completion") or made.get("chosen") or ""
        shown.append(
            f"<li><b>prompt</b><p>{esc(str(made['prompt']))}</p>"
            + (f"<b>completion</b><p>{esc(str(answer))}</p>" if answer else "")
            + "</li>"
        )
    return f'<ol class="template-cards">{"".join(shown)}</ol>'


def _has_documents(held: OpenSource) -> bool:
    located: Any = held.reading.located
    located = getattr(located, "located", located)
    files = located.files if isinstance(located, Located) else ()
    return any(data_suffix(path) in DOCUMENTS for path in files)
