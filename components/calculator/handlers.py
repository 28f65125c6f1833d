"""The Calculator's handlers: taking over a recipe, clicks in the figures, drawing.

Any change of a field redraws the figures; a click changes fields and figures in one response.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.calculator import results_html as views
from components.calculator.inputs import EXAMPLE, LEADING, Inputs
from components.ui import recipe_fields
from components.ui.compat import event_data
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.errors import ModelError, StudioError
from studio.runs.methods import METHODS
from studio.runs.recipe import Recipe

if TYPE_CHECKING:
    from studio import Studio

CLICKS = """
element.addEventListener('click', event => {
  const button = event.target.closest(
    '[data-change], [data-target], [data-pick], [data-rank], [data-length], [data-method]');
  if (!button) return;
  const on = button.getAttribute('aria-checked');  // at once; the figures follow
  if (on) button.setAttribute('aria-checked', String(on === 'false'));
  trigger('click', {...button.dataset});
});
"""
_NO_PROBLEM = gr.update(value="", visible=False)


def ask(recipe: Recipe | None = None, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A value for `CalculatorHandles.opening`: the recipe to take over, none to draw only.

    `before` are the form values when this was asked; a field typed in since is left alone.
    """
    return {
        "recipe": recipe and recipe_fields.written(recipe),
        "before": before,
        "asked": time.monotonic(),
    }


class ModelPage:
    """Binds the model view: any change of a field redraws the figures."""

    def __init__(self, studio: Studio, inputs: Inputs, figures: gr.HTML, use: gr.Button):
        self.studio, self.inputs, self.figures = studio, inputs, figures
        self.offered = gr.State(())
        """The recipe changes behind the offered buttons."""
        self.drawn = gr.State(None)
        """What the figures were drawn for."""
        self.soon = gr.Timer(0.5, active=False)
        """Asks again until the libraries are loaded."""
        problems = [inputs.model_problem, inputs.problem]
        self.results = [figures, *problems, self.offered, use, self.drawn, self.soon]

    def bind(self, opening: gr.State, table: gr.Dataframe) -> None:
        inputs, self.opening = self.inputs, opening
        read = {*inputs.read, self.drawn}
        both = [*inputs.written, *self.results]
        calm = {**QUIET, "trigger_mode": "always_last"}
        leading = [inputs.fields[name] for name in LEADING]
        others = [field for field in inputs.fields.values() if field not in leading]
        gr.on(
            [field.change for field in (*others, *inputs.own.values())],
            guard(self.draw),
            read,
            self.results,
            **calm,
        )
        gr.on([field.input for field in leading], guard(self.follow), read, both, **QUIET)
        dataset = inputs.fields["dataset_name"]
        dataset.focus(
            guard(lambda: gr.update(choices=inputs.datasets())), None, dataset, queue=False, **QUIET
        )
        self.figures.click(guard(self.apply), {*read, self.offered}, both, **QUIET)
        inputs.example.click(guard(self.show_example), read, both, **QUIET)
        table.input(guard(self.keep_prices), table, self.drawn, **QUIET).then(
            guard(self.draw), read, self.results, **calm
        )
        opening.change(guard(self.take), {*read, opening}, both, **QUIET)
        self.soon.tick(guard(self.draw), read, self.results, **QUIET)
        # A late response may draw what is no longer in the fields: look once more after each. All
        # of it goes through the queue; elsewhere a changed `gr.State` triggers nothing.
        self.drawn.change(guard(self.draw), read, self.results, trigger_mode="multiple", **QUIET)

    def draw(self, data: Mapping[Any, Any]) -> tuple[Any, ...]:
        """Figures, or one sentence on why there are none; nothing where they are up to date."""
        return self._drawn(self.inputs.values(data), data)

    def _drawn(self, values: dict[str, Any], data: Mapping[Any, Any]) -> tuple[Any, ...]:
        if not self.studio.worker.ready:  # until then a figure would hold the page up
            return (views.waiting(), *(gr.skip(),) * 4, None, gr.Timer(active=True))
        now = (values, {name: data[widget] for name, widget in self.inputs.own.items()})
        if now == data[self.drawn]:
            return (*(gr.skip(),) * (len(self.results) - 1), gr.Timer(active=False))
        return (*self.figures_for(values, data), now, gr.Timer(active=False))

    def figures_for(self, values: Mapping[str, Any], data: Mapping[Any, Any]) -> tuple[Any, ...]:
        """Figures, two places for what is wrong, the offered changes, the button."""
        try:
            recipe = recipe_fields.read(values)
            html, changes = views.model_view(self.studio, recipe, self.inputs.asked(data))
        except StudioError as error:
            of_model = isinstance(error, ModelError)
            problem = gr.update(value=notice("error", sentence(error)), visible=True)
            places = (problem, _NO_PROBLEM) if of_model else (_NO_PROBLEM, problem)
            off = gr.update(interactive=False)
            return views.nothing("model" if of_model else ""), *places, (), off
        return html, _NO_PROBLEM, _NO_PROBLEM, changes, gr.update(interactive=True)

    def _set(self, data: Mapping[Any, Any], changes: Mapping[str, Any]) -> tuple[Any, ...]:
        """Fields and figures in one response; `changes` are form values."""
        shown = self.inputs.values(data)
        before = {**shown, **{name: data[self.inputs.base][name] for name in LEADING}}
        now = self.inputs.followed(before, {**shown, **changes})
        return (*self.inputs.updates(shown, now), *self._drawn(now, data))

    def follow(self, data: Mapping[Any, Any]) -> tuple[Any, ...]:
        """Objective, method or model changed: the defaults and what applies change with it."""
        return self._set(data, {})

    def apply(self, data: Mapping[Any, Any], event: gr.EventData) -> tuple[Any, ...]:
        """Take over what was clicked: an offered change, a target, a rank or a method."""
        sent = event_data(event)
        return self._set(data, self._clicked(sent if isinstance(sent, dict) else {}, data))

    def _clicked(self, clicked: Mapping[str, Any], data: Mapping[Any, Any]) -> dict[str, Any]:
        number, offered = str(clicked.get("change", "")), data[self.offered] or ()
        if number.isdigit() and int(number) < len(offered):
            return _shown(dict(offered[int(number)]))
        if str(clicked.get("rank", "")).isdigit():
            return {"lora_r": int(clicked["rank"])}
        if str(clicked.get("length", "")).isdigit():
            return {"max_length": int(clicked["length"])}
        if clicked.get("method") in METHODS:
            return {"method": clicked["method"]}
        if clicked.get("pick"):
            return {"lora_target_modules": ", ".join(str(clicked["pick"]).split(","))}
        if clicked.get("target"):
            names = str(clicked["target"]).split(",")
            return {"lora_target_modules": self.inputs.switched(self.inputs.values(data), names)}
        return {}

    def show_example(self, data: Mapping[Any, Any]) -> tuple[Any, ...]:
        """The workshop's model with its own settings."""
        return self._set(data, _shown(EXAMPLE))

    def keep_prices(self, rows: Any) -> None:
        """Use the table's prices from now on; clears what the figures were drawn for."""
        from studio.calculator.prices import keep_prices

        keep_prices(self.studio.workspace, [(row[0], row[1]) for row in rows])

    def take(self, data: Mapping[Any, Any]) -> tuple[Any, ...]:
        """Take over another tab's recipe, except for fields that were typed in meanwhile."""
        asked = data[self.opening] or ask()
        shown = self.inputs.values(data)
        now = self.newer(asked, shown)
        return (*self.inputs.updates(shown, now), *self._drawn(now, data))

    def newer(self, asked: Mapping[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
        """Form values with a recipe that was asked for, except for fields typed in since."""
        if not asked["recipe"]:
            return shown
        before = asked["before"] or shown
        typed = {name: shown[name] for name in self.inputs.fields if shown[name] != before[name]}
        return {**asked["recipe"], **typed}


def _shown(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Recipe values as form values."""
    known = recipe_fields.parameters()
    return {name: recipe_fields.shown(known[name], value) for name, value in settings.items()}
