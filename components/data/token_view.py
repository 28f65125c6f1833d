"""The token view at work: a row rendered for a model, its template and mask, and what of that goes
along to Train."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from components.data import token_view_html
from components.data.open_sources import Shelf, Subject
from components.data.preview_layout import MASKS, WHY_NOT, PreviewLayout
from components.data.row_browser import RowBrowser, Updates
from components.ui.background_task import Work
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import empty_state, notice, progress_bar
from studio.core.chat_templates import BUNDLED

DEFAULT_MASK = {"prompt_completion": "completion", "conversational": "assistant"}


class TokenHandlers:
    """Renders the shown row when somebody is looking at its tokens."""

    def __init__(self, shelf: Shelf, right: PreviewLayout, looker: RowBrowser):
        self.shelf, self.studio, self.looker = shelf, shelf.studio, looker
        self.right, self.widgets = right, right.tokens
        self.chosen = gr.State({})
        """Knobs chosen by hand here, by their names in a recipe: they go along to Train."""
        widgets = right.tokens
        self.rendering = [widgets.model, widgets.template, widgets.max_length, widgets.mask]

    def bind(self) -> None:
        widgets = self.widgets
        self.right.views.select(guard(self.switched), None, self.looker.view, **QUIET).then(
            guard(self.render_if_shown), self.inputs(), widgets.view, **QUIET
        )
        for knob in self.rendering:
            knob.change(guard(self.render_if_shown), self.inputs(), widgets.view, **QUIET)
        gr.on(
            [widgets.model.input, widgets.template.input, widgets.max_length.input],
            guard(self.choose),
            self.rendering[:3],
            [self.chosen, widgets.carried],
            **QUIET,
        )

    def follow(self, event: Any) -> None:
        """After an event that shows another row, render it."""
        event.then(guard(self.render_if_shown), self.inputs(), self.widgets.view, **QUIET)

    def inputs(self) -> list[Any]:
        return [self.looker.view, self.looker.subject, *self.rendering]

    def switched(self, event: gr.SelectData) -> str:
        return str(event.value or "").split()[0].lower()

    def masks(self, type_: str) -> Updates:
        """The ways of masking that rows of a type can have."""
        mask = DEFAULT_MASK.get(type_, "all")
        choices = [choice for choice in MASKS if choice[1] in ("all", mask)]
        return {self.widgets.mask: gr.update(choices=choices, value=mask, visible=len(choices) > 1)}

    def choose(
        self, model: str, template: str, max_length: float | None
    ) -> tuple[dict[str, Any], str]:
        """What was chosen by hand goes along to Train, and is said."""
        wanted = {
            "model_name_or_path": model,
            "chat_template_path": template or None,
            "max_length": int(max_length) if max_length and max_length >= 8 else None,
        }
        usual = {"model_name_or_path": "pocket", "chat_template_path": None, "max_length": 512}
        chosen = {k: v for k, v in wanted.items() if v != usual[k] and v is not None}
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
    ) -> Iterator[Any]:
        """Render the shown row for a model, when somebody is looking."""
        if view != "tokens" or not subject.something:
            yield gr.skip()
            return
        type_ = self.shelf.rows(subject).type
        if type_ in WHY_NOT:
            yield empty_state("No token view for these rows", WHY_NOT[type_])
            return
        row = self.looker.row(subject)
        if row is None:
            why = "Nothing matches the search or the filter, or no row could be made of it."
            yield empty_state("No row is shown", why)
            return
        limit = int(max_length) if max_length else None
        work = Work(lambda _: self.render(row, type_, model, template, limit, mask))
        for _ in work.steps(every=1.0):
            yield progress_bar(0, None, waiting_words(self.studio, model))
        try:
            views, about = work.result()
            yield token_view_html.token_view(views, limit, about)
        except Exception as error:
            yield notice("error", sentence(error))

    def render(
        self,
        row: dict[str, Any],
        type_: str,
        model: str,
        template: str,
        limit: int | None,
        mask: str,
    ) -> tuple[list[Any], str]:
        tokenizer = self.tokenizer(model, template)
        from studio.data.tokens.token_view import render

        views = render(row, type_, tokenizer, max_length=limit, **masking(type_, mask))
        return views, self.about(tokenizer, template)

    def tokenizer(self, model: str, template: str) -> Any:
        """The model's tokenizer under the chosen template, once the libraries are there."""
        self.studio.worker.settle()  # two threads must not import torch at once
        return self.studio.tokenizer(model, template or None)

    def about(self, tokenizer: Any, template: str) -> str:
        """Said where a model without a chat template was lent one."""
        from studio.core.chat_templates import bundled

        name = bundled(tokenizer)
        if template or name is None:
            return ""
        return notice(
            "info",
            f"This model has no chat template of its own, so {BUNDLED[name]} is lent to it.",
            "Choose another above: the choice goes into the recipe, and is saved with the adapter.",
        )


def masking(type_: str, mask: str) -> dict[str, Any]:
    """TRL's two switches for a choice of what to learn from."""
    if type_ not in ("language_modeling", "prompt_completion", "conversational"):
        return {}
    return {
        "completion_only_loss": {"completion": True, "all": False}.get(mask),
        "assistant_only_loss": mask == "assistant" and type_ == "conversational",
    }


def waiting_words(studio: Any, model: str) -> str:
    """What is waited for while a tokenizer is not there yet."""
    return f"loading the tokenizer of {model}" if studio.status().ready else "loading the libraries"


def carried_note(chosen: dict[str, Any]) -> str:
    """What goes along to Train, in words."""
    if not chosen:
        return ""
    words = {
        "model_name_or_path": "model {}",
        "chat_template_path": "chat template {}",
        "max_length": "length {:,}",
    }
    shown = {**chosen, "chat_template_path": BUNDLED.get(chosen.get("chat_template_path", ""), "")}
    parts = [words[name].format(shown[name]) for name in words if chosen.get(name)]
    return f'<p class="carried">Goes along to Train: {", ".join(parts)}.</p>'
