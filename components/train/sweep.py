"""Sweep: one run for each value, or pair of values, of one or two parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import gradio as gr

from components.ui import recipe_fields
from components.ui.compat import Field, Updates, Values
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.errors import StudioError
from studio.core.formatting import plural
from studio.core.workspace import new_id
from studio.runs.recipe import Recipe
from studio.runs.sweep import sweep, values_of

if TYPE_CHECKING:
    from studio import Studio

_COMMON = ("learning_rate", "beta", "lora_r", "num_train_epochs")
_EXCLUDED = ("name", "objective", "method", "model_name_or_path", "dataset_name", "start_from")


class SweepFold:
    """Two parameters, their values and one button."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self) -> None:
        """The section's contents, inside the open accordion."""
        self.rows = []
        for at, first in enumerate(("learning_rate", None)):
            with gr.Row(elem_classes="pair"):
                parameter = gr.Dropdown(
                    _choices(),
                    value=first,
                    label="Parameter" if not at else "Second parameter (optional)",
                    elem_id=f"sweep-parameter-{at + 1}",
                    min_width=120,
                )
                values = gr.Textbox(
                    label="Values",
                    placeholder=("8, 16, 32" if at else "1e-4, 3e-4"),
                    max_lines=1,
                    elem_id=f"sweep-values-{at + 1}",
                    min_width=120,
                )
            self.rows.append((parameter, values))
        self.message = gr.HTML("", elem_id="sweep-message")
        self.start = gr.Button("Start sweep", size="sm", elem_id="sweep-start")

    def bind(self, fields: set[Field], read: Callable[[Values], Recipe], started: gr.State) -> None:
        """Bind the handlers; `read` makes a recipe of the values of the form's `fields`."""
        own = {widget for row in self.rows for widget in row}

        def planned(data: Values) -> list[Recipe]:
            chosen = {data[name]: values_of(str(data[values])) for name, values in self.rows}
            return sweep(read(data), {name: each for name, each in chosen.items() if name and each})

        def preview(data: Values) -> Updates:
            if not any(str(data[values]).strip() for _, values in self.rows):
                return {self.message: "", self.start: "Start sweep"}
            try:
                recipes = planned(data)
            except StudioError as error:
                return {self.message: notice("error", sentence(error)), self.start: "Start sweep"}
            names = ", ".join(recipe.name for recipe in recipes[:3])
            more = f" and {len(recipes) - 3} more" if len(recipes) > 3 else ""
            return {
                self.message: notice("info", f"{names}{more}, one after another in this order."),
                self.start: f"Start {plural(len(recipes), 'run')}",
            }

        def queue(data: Values) -> Updates:
            try:
                recipes = planned(data)
                mark = {"sweep": new_id("sweep")}
                runs = [self.studio.train(recipe, mark) for recipe in recipes]
            except StudioError as error:
                return {self.message: notice("error", sentence(error))}
            text = f"Queued {plural(len(runs), 'run')}. Select them under Runs to overlay them."
            return {self.message: notice("good", text), started: runs[0].id}

        gr.on(
            [widget.change for widget in own],
            guard(preview),
            {*fields, *own},
            [self.message, self.start],
            trigger_mode="always_last",
            **QUIET,
        )
        self.start.click(guard(queue), {*fields, *own}, [self.message, started], **QUIET)


def _choices() -> list[tuple[str, str]]:
    """(label, name) of the parameters that can be swept, the most common ones first."""
    found = {
        name: parameter.label
        for name, parameter in recipe_fields.parameters().items()
        if name not in _EXCLUDED and parameter.kind in ("number", "integer", "choice", "flag")
    }
    order = [*_COMMON, *(name for name in found if name not in _COMMON)]
    return [(found[name], name) for name in order]
