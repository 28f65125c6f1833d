"""The Calculator's model door at work: what is taken over, clicked and drawn.

Any change of a field draws the figures anew; a click changes field and figures in one answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.calculator import results_html as views
from components.calculator.inputs import WORKSHOP, Choices
from components.ui.compat import event_data
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.calculator.adapter_settings import METHODS
from studio.core.errors import ModelError, StudioError
from studio.runs.recipe import Recipe

if TYPE_CHECKING:
    from studio import Studio

CLICKS = """
element.addEventListener('click', event => {
  const button = event.target.closest(
    '[data-change], [data-target], [data-pick], [data-rank], [data-method]');
  if (!button) return;
  const on = button.getAttribute('aria-checked');  // at once; the figures follow
  if (on) button.setAttribute('aria-checked', String(on === 'false'));
  trigger('click', {...button.dataset});
});
"""
_NO_PROBLEM = gr.update(value="", visible=False)


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """A recipe as the calculator takes it: `estimate`'s settings, its model and dataset."""
    from studio.calculator.estimates import recipe_settings

    place = {"model": recipe.model_name_or_path, "dataset": recipe.dataset_name}
    return recipe_settings(recipe) | place


def ask(
    settings: Mapping[str, Any] | None = None, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A value for `CalculatorHandles.opening`: what to take over, nothing to draw only.

    `before` is what stood in the fields when this was asked; one typed in since is left alone.
    """
    return {
        "settings": dict(settings or {}),
        "before": dict(before or {}),
        "asked": time.monotonic(),
    }


class ModelPage:
    """Binds the model's door: any change of a choice draws the figures anew."""

    def __init__(self, studio: Studio, choices: Choices, figures: gr.HTML, use: gr.Button):
        self.studio, self.choices, self.figures = studio, choices, figures
        self.wanted, self.offered = gr.State(None), gr.State(())
        self.rest = gr.State({})
        """Settings of the Train form that have no field here and count all the same."""
        self.drawn = gr.State(None)
        """What the figures were drawn for."""
        self.soon = gr.Timer(0.5, active=False)
        """Asks again until the libraries are there."""
        problems = [choices.model_problem, choices.problem]
        self.results = [figures, *problems, self.wanted, self.offered, use, self.drawn, self.soon]

    def bind(self, opening: gr.State, table: gr.Dataframe) -> None:
        fields = self.choices.fields
        calm = {**QUIET, "trigger_mode": "always_last"}
        read = {*fields.values(), self.rest, self.drawn}
        gr.on(
            [field.change for field in fields.values()],
            guard(self.draw),
            read,
            self.results,
            **calm,
        )
        targets = fields["lora_target_modules"]
        fields["model"].input(
            guard(self.offer_targets), [fields["model"], targets], targets, **QUIET
        )
        gr.on(
            [fields["method"].change, fields["objective"].change],
            guard(self.choices.shown_for),
            [fields["method"], fields["objective"]],
            self.choices.depending,
            trigger_mode="multiple",
            **QUIET,  # always_last twice on one event never comes to rest
        )
        fields["dataset"].focus(
            guard(lambda: gr.update(choices=self.choices.datasets())),
            None,
            fields["dataset"],
            queue=False,
            **QUIET,
        )
        both = [*fields.values(), *self.results]
        self.figures.click(guard(self.apply), {*read, self.offered}, both, **QUIET)
        self.choices.example.click(guard(self.show_example), read, both, **QUIET)
        table.input(guard(self.keep_prices), table, self.drawn, **QUIET).then(
            guard(self.draw), read, self.results, **calm
        )
        self.opening = opening
        opening.change(guard(self.take), {*read, opening}, [self.rest, *both], **QUIET)
        self.soon.tick(guard(self.draw), read, self.results, **QUIET)
        # An answer that comes late may draw what is no longer in the fields: look once more after
        # each. All of it goes through the queue; elsewhere a changed `gr.State` wakes nobody.
        self.drawn.change(guard(self.draw), read, self.results, trigger_mode="multiple", **QUIET)

    def ready(self) -> bool:
        """Whether torch and friends are there; until then a figure would hold the page up."""
        return bool(self.studio.worker.ready)

    def draw(self, data: Mapping[Any, Any]) -> tuple[Any, ...]:
        """Figures, or one sentence on why there are none; nothing where they are there already."""
        return self._drawn(self.choices.values(data), data[self.rest], data[self.drawn])

    def _drawn(
        self, values: Mapping[str, Any], rest: Mapping[str, Any], before: Any
    ) -> tuple[Any, ...]:
        if not self.ready():
            return (views.waiting(), *(gr.skip(),) * 5, None, gr.Timer(active=True))
        now = {**rest, **values}
        if now == before:
            return (*(gr.skip(),) * (len(self.results) - 1), gr.Timer(active=False))
        return (*self.figures_for(values, rest), now, gr.Timer(active=False))

    def figures_for(self, values: Mapping[str, Any], rest: Mapping[str, Any]) -> tuple[Any, ...]:
        """Figures, two places for what is wrong, the recipe's changes, offers, the button."""
        try:
            wanted, recipe, refused = self.choices.wanted(values), None, ""
            try:
                recipe = self.choices.recipe(wanted)
            except StudioError as error:
                refused = sentence(error)
            chosen = self.choices.read({**rest, **values})
            html, changes = views.model_view(self.studio, chosen, recipe)
        except StudioError as error:
            of_model = isinstance(error, ModelError)
            said = gr.update(value=notice("error", sentence(error)), visible=True)
            places = (said, _NO_PROBLEM) if of_model else (_NO_PROBLEM, said)
            off = gr.update(interactive=False)
            return views.nothing("model" if of_model else ""), *places, None, (), off
        said = gr.update(value=notice("warn", refused), visible=True) if refused else _NO_PROBLEM
        on = gr.update(interactive=not refused)
        return html, _NO_PROBLEM, said, None if refused else wanted, changes, on

    def offer_targets(self, model: Any, chosen: Any) -> Any:
        """The model's own module names to choose from; choices that it lacks go."""
        if not self.ready():
            return gr.skip()
        try:
            return self.choices.targets_for(model, chosen)
        except StudioError:
            return gr.skip()  # the figures say what is wrong with the model

    def _set(self, data: Mapping[Any, Any], changes: Mapping[str, Any]) -> tuple[Any, ...]:
        """Fields and figures in one answer."""
        now = self.choices.values(data) | dict(changes)
        updates = self.choices.updates(changes)
        return (*updates, *self._drawn(now, data[self.rest], data[self.drawn]))

    def apply(self, data: Mapping[Any, Any], event: gr.EventData) -> tuple[Any, ...]:
        """Take over what was clicked: an offered change, a target, a rank or a method."""
        sent = event_data(event)
        clicked = sent if isinstance(sent, dict) else {}
        values = self.choices.values(data)
        return self._set(data, self.choices.given(self._clicked(clicked, data, values)))

    def _clicked(self, clicked: Any, data: Mapping[Any, Any], values: Mapping[str, Any]) -> Any:
        number, offered = str(clicked.get("change", "")), data[self.offered] or ()
        if number.isdigit() and int(number) < len(offered):
            return dict(offered[int(number)])
        if str(clicked.get("rank", "")).isdigit():
            return {"lora_r": int(clicked["rank"])}
        if clicked.get("method") in METHODS:
            return {"method": clicked["method"]}
        if clicked.get("pick"):
            return {"lora_target_modules": str(clicked["pick"]).split(",")}
        if clicked.get("target"):
            names, chosen = str(clicked["target"]).split(","), values["lora_target_modules"]
            return {"lora_target_modules": self.choices.switched(values["model"], chosen, names)}
        return {}

    def show_example(self, data: Mapping[Any, Any]) -> tuple[Any, ...]:
        """The workshop's model with its own settings."""
        return self._set(data, self.choices.given(WORKSHOP))

    def keep_prices(self, rows: Any) -> None:
        """The table's prices from now on; what was drawn had others."""
        from studio.calculator.prices import keep_prices

        keep_prices(self.studio.workspace, [(row[0], row[1]) for row in rows])

    def take(self, data: Mapping[Any, Any]) -> tuple[Any, ...]:
        """Take over another tab's settings, but for fields that were typed in meanwhile."""
        asked = data[self.opening] or ask()
        rest = self.choices.beyond(asked["settings"]) if asked["settings"] else data[self.rest]
        newer = self.choices.newer(asked, self.choices.values(data))
        return (rest, *self._set({**data, self.rest: rest}, newer))
