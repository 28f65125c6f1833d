"""Try several values of a knob or two: the fold that queues a sweep."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.ui import recipe_fields
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.errors import StudioError
from studio.core.formatting import plural
from studio.core.workspace import new_id
from studio.runs.recipe import Recipe
from studio.runs.sweep import sweep, values_of

if TYPE_CHECKING:
    from studio import Studio

Updates = dict[Any, Any]
_USUAL = ("learning_rate", "beta", "lora_r", "num_train_epochs")
_SPARED = ("name", "objective", "method", "model_name_or_path", "dataset_name", "start_from")


class SweepFold:
    """Two knobs, their values and one button."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self) -> None:
        """The fold's contents, inside the open accordion."""
        self.rows = []
        for at, first in enumerate(("learning_rate", None)):
            with gr.Row(elem_classes="pair"):
                knob = gr.Dropdown(
                    _choices(),
                    value=first,
                    label="Knob" if not at else "And a second knob",
                    elem_id=f"sweep-knob-{at + 1}",
                    min_width=120,
                )
                values = gr.Textbox(
                    label="Values",
                    placeholder=("8, 16, 32" if at else "1e-4, 3e-4"),
                    max_lines=1,
                    elem_id=f"sweep-values-{at + 1}",
                    min_width=120,
                )
            self.rows.append((knob, values))
        self.said = gr.HTML("", elem_id="sweep-said")
        self.start = gr.Button("Queue the sweep", size="sm", elem_id="sweep-start")

    def bind(self, fields: set[Any], read: Callable[[Any], Recipe], started: Any) -> None:
        """Bind the handlers; `read` makes a recipe of what the form's `fields` hold."""
        own = {widget for row in self.rows for widget in row}

        def planned(data: Any) -> list[Recipe]:
            chosen = {data[knob]: values_of(str(data[values])) for knob, values in self.rows}
            return sweep(read(data), {knob: each for knob, each in chosen.items() if knob and each})

        def preview(data: Any) -> Updates:
            if not any(str(data[values]).strip() for _, values in self.rows):
                return {self.said: "", self.start: "Queue the sweep"}
            try:
                recipes = planned(data)
            except StudioError as error:
                return {self.said: notice("error", sentence(error)), self.start: "Queue the sweep"}
            names = ", ".join(recipe.name for recipe in recipes[:3])
            more = f" and {len(recipes) - 3} more" if len(recipes) > 3 else ""
            return {
                self.said: notice("info", f"{names}{more}: one after another, in this order."),
                self.start: f"Queue {plural(len(recipes), 'run')}",
            }

        def queue(data: Any) -> Updates:
            try:
                recipes = planned(data)
                mark = {"sweep": new_id("sweep")}
                runs = [self.studio.train(recipe, mark) for recipe in recipes]
            except StudioError as error:
                return {self.said: notice("error", sentence(error))}
            said = f"Queued {plural(len(runs), 'run')}. Tick them below to compare their curves."
            return {self.said: notice("good", said), started: runs[0].id}

        gr.on(
            [widget.change for widget in own],
            guard(preview),
            {*fields, *own},
            [self.said, self.start],
            trigger_mode="always_last",
            **QUIET,
        )
        self.start.click(guard(queue), {*fields, *own}, [self.said, started], **QUIET)


def _choices() -> list[tuple[str, str]]:
    """(label, name) of the knobs that can be swept, those most often swept first."""
    found = {
        name: knob.label
        for name, knob in recipe_fields.knobs().items()
        if name not in _SPARED and knob.kind in ("number", "integer", "choice", "flag")
    }
    order = [*_USUAL, *(name for name in found if name not in _USUAL)]
    return [(found[name], name) for name in order]
