"""Event handlers of the token view: render a row for a model, chat template and loss mask, and pass
those settings on to Train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

import gradio as gr

from components.data import token_view_html
from components.data.open_sources import OpenSources, Subject
from components.data.preview_layout import BY_ROW, MASKS, PROMPTED, WHY_NOT, PreviewLayout
from components.data.row_browser import RowBrowser, Update, Updates
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import empty_state, esc, notice, progress_bar
from studio.core.chat_templates import BUNDLED, TRAINING
from studio.core.errors import StudioError
from studio.core.jobs import Job
from studio.core.messages import kwargs_of
from studio.workflows import asking

if TYPE_CHECKING:
    from gradio.components import Component
    from gradio.events import Dependency

    from studio import Studio
    from studio.core.library_types import Tokenizer
    from studio.data.tokens.token_view import TokenView
    from studio.data.types import Row


class LossMask(TypedDict, total=False):
    """TRL's options for which tokens count toward the loss."""

    completion_only_loss: bool | None
    assistant_only_loss: bool | None
    mask_history: bool


DEFAULT_MASK = {"prompt_completion": "completion", "conversational": "assistant"}


class TokenHandlers:
    """Renders the current row while its tokens are in view."""

    def __init__(self, sources: OpenSources, preview: PreviewLayout, row_browser: RowBrowser):
        self.sources, self.studio, self.row_browser = sources, sources.studio, row_browser
        self.preview, self.widgets = preview, preview.tokens
        self.chosen = gr.State({})
        """Recipe fields set here by hand; Train takes them over."""
        widgets = preview.tokens
        self.rendering = [
            widgets.model,
            widgets.template,
            widgets.max_length,
            widgets.mask,
            widgets.thinking,
            widgets.query_prompt,
            widgets.document_prompt,
        ]

    def bind(self) -> None:
        widgets = self.widgets
        opened = self.preview.views.select(
            guard(self.switched), None, self.row_browser.view, **QUIET
        ).then(guard(self.render_if_shown), self.inputs(), widgets.view, **QUIET)
        changes = {
            setting: setting.change(
                guard(self.render_if_shown), self.inputs(), widgets.view, **QUIET
            )
            for setting in self.rendering
        }
        known = [self.row_browser.view, widgets.model, widgets.template, widgets.thinking]
        for rendered in (opened, changes[widgets.model], changes[widgets.template]):
            rendered.then(guard(self.offer), known, widgets.thinking, **QUIET)
        carried = [widgets.model, widgets.template, widgets.max_length, widgets.thinking]
        carried += [widgets.query_prompt, widgets.document_prompt]
        gr.on(
            [setting.input for setting in carried],
            guard(self.choose),
            carried,
            [self.chosen, widgets.carried],
            **QUIET,
        )

    def follow(self, event: Dependency) -> None:
        """Render again after an event that shows another row."""
        event.then(guard(self.render_if_shown), self.inputs(), self.widgets.view, **QUIET)

    def inputs(self) -> list[Component]:
        return [self.row_browser.view, self.row_browser.subject, *self.rendering]

    def switched(self, event: gr.SelectData) -> str:
        return str(event.value or "").split()[0].lower()

    def masks(self, type_: str) -> Updates:
        """The loss masks available for a dataset type."""
        mask = DEFAULT_MASK.get(type_, "all")
        offered = ("all", mask, "last" if mask == "assistant" else mask)
        choices = [choice for choice in MASKS if choice[1] in offered]
        offers = gr.update(choices=choices, value=mask, visible=len(choices) > 1)
        sides = gr.update(visible=type_ in PROMPTED)
        widgets = self.widgets
        return {widgets.mask: offers, widgets.query_prompt: sides, widgets.document_prompt: sides}

    def offer(self, view: str, model: str, template: str, thinking: str) -> Update:
        """The switch of thinking that the chat template knows; none while no tokens are shown."""
        if view != "tokens":
            return gr.skip()
        try:
            offered = asking.switches_of([self.tokenizer(model, template)])
        except StudioError:  # the view says what is wrong with the model
            offered = []
        kept = thinking if thinking in [value for _, value in offered] else ""
        return gr.update(choices=[BY_ROW, *offered], value=kept, visible=bool(offered))

    def choose(
        self,
        model: str,
        template: str,
        max_length: float | None,
        thinking: str,
        query_prompt: str = "",
        document_prompt: str = "",
    ) -> tuple[dict[str, Any], str]:
        """The settings that Train takes over, and the note that says so."""
        wanted: dict[str, Any] = {
            "model_name_or_path": model,
            "chat_template_path": template or None,
            "max_length": int(max_length) if max_length and max_length >= 8 else None,
            "chat_template_kwargs": asking.chosen(thinking) or None,
            "query_prompt": query_prompt or None,
            "document_prompt": document_prompt or None,
        }
        usual = {"model_name_or_path": "pocket", "max_length": 512}
        chosen = {k: v for k, v in wanted.items() if v != usual.get(k) and v is not None}
        return chosen, carried_note(chosen)

    # ---- rendering ------------------------------------------------------------------------------

    def render_if_shown(
        self,
        view: str,
        subject: Subject,
        model: str,
        template: str,
        max_length: float | None,
        mask: str,
        thinking: str,
        query_prompt: str = "",
        document_prompt: str = "",
    ) -> Iterator[str | Update]:
        """Render the current row, if the token view is open."""
        if view != "tokens" or not subject.something:
            yield gr.skip()
            return
        type_ = self.sources.rows(subject).type
        if type_ in WHY_NOT:
            yield empty_state("No token view for these rows", WHY_NOT[type_])
            return
        row = self.row_browser.row(subject)
        if row is None:
            why = "Nothing matches the search or the filter, or the record could not be converted."
            yield empty_state("No row selected", why)
            return
        limit = int(max_length) if max_length else None
        kwargs = asking.chosen(thinking)
        how: dict[str, Any] = {**masking(type_, mask), "chat_template_kwargs": kwargs}
        if type_ in PROMPTED:
            how["prompts"] = (query_prompt or "", document_prompt or "")
        work = Job().start(lambda _: self.render(row, type_, model, template, limit, how))
        for _ in work.steps(every=1.0):
            yield progress_bar(0, None, loading_text(self.studio, model))
        try:
            views, about = work.result()
            yield token_view_html.token_view(views, limit, about + own_first(row, kwargs))
        except Exception as error:
            yield notice("error", sentence(error))

    def render(
        self,
        row: Row,
        type_: str,
        model: str,
        template: str,
        limit: int | None,
        how: Mapping[str, Any],
    ) -> tuple[list[TokenView], str]:
        tokenizer = self.tokenizer(model, template)
        from studio.data.tokens.token_view import render

        views = render(row, type_, tokenizer, max_length=limit, **how)
        return views, self.about(tokenizer, template)

    def tokenizer(self, model: str, template: str) -> Tokenizer:
        """The model's tokenizer with the chosen template, once the libraries are loaded."""
        self.studio.worker.settle()  # two threads must not import torch at once
        return self.studio.tokenizer(model, template or None)

    def about(self, tokenizer: Tokenizer, template: str) -> str:
        """A note if the model has no chat template of its own."""
        from studio.core.chat_templates import bundled

        name = bundled(tokenizer)
        if template or name is None:
            return ""
        return notice(
            "info",
            f"This model has no chat template of its own; {BUNDLED[name]} is used instead.",
            "Choose another above if you like; it is stored in the recipe and with the adapter.",
        )


def masking(type_: str, mask: str) -> LossMask:
    """TRL's loss options for the chosen mask."""
    if type_ not in ("language_modeling", "prompt_completion", "conversational"):
        return {}
    return {
        "completion_only_loss": {"completion": True, "all": False}.get(mask),
        "assistant_only_loss": False if mask == "all" else None,
        "mask_history": mask == "last",
    }


def own_first(row: Row, kwargs: Mapping[str, Any]) -> str:
    """A note where a row says itself what was chosen for those that do not."""
    said = [
        f"{name}={str(value).lower()}" for name, value in kwargs_of(row).items() if name in kwargs
    ]
    if not said:
        return ""
    return notice("info", f"This row's own chat_template_kwargs come first: {', '.join(said)}.")


def loading_text(studio: Studio, model: str) -> str:
    """What is being loaded before a tokenizer is available."""
    if not studio.status().ready:
        return "Loading the libraries"
    return f"Loading the tokenizer of {model}"


def carried_note(chosen: Mapping[str, Any]) -> str:
    """The settings that Train takes over, in words."""
    if not chosen:
        return ""
    words = {
        "model_name_or_path": "model {}",
        "chat_template_path": "chat template {}",
        "max_length": "max length {:,}",
        "chat_template_kwargs": "{}",
        "query_prompt": "query prompt \u201c{}\u201d",
        "document_prompt": "document prompt \u201c{}\u201d",
    }
    names = {**BUNDLED, TRAINING: "TRL training variant"}
    template = names.get(str(chosen.get("chat_template_path", "")), "")
    kwargs = (chosen.get("chat_template_kwargs") or {}).items()
    said = ", ".join(f"{name}={str(value).lower()}" for name, value in kwargs)
    shown = {**chosen, "chat_template_path": template, "chat_template_kwargs": said}
    parts = [words[name].format(shown[name]) for name in words if chosen.get(name)]
    return f'<p class="carried">Train will use {esc(", ".join(parts))}.</p>'
