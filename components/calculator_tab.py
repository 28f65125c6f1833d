"""Calculator: what would train, whether it fits, how long it takes. Choices left, figures right.

The page only asks `studio.calculator`; nothing is counted here. Values cross to Train and back
under the recipe's own names (`CalculatorHandles.wanted`, `CalculatorHandles.fill`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from components import calculator_views as views
from components.calculator_choices import Choices
from components.common import QUIET, Shell, guard, notice, section, sentence
from studio.calculator.methods import METHODS
from studio.errors import ConfigError, ModelError, StudioError
from studio.recipe import Recipe

if TYPE_CHECKING:
    from studio import Studio

_CLICKS = """
element.addEventListener('click', event => {
  const button = event.target.closest(
    '[data-change], [data-target], [data-pick], [data-rank], [data-method]');
  if (button) trigger('click', {...button.dataset});
});
"""
_NO_PROBLEM = gr.update(value="", visible=False)
_EXAMPLES = ((6, 7, 3), (1000, 768, 8), (600, 400, 6))


@dataclass(frozen=True)
class CalculatorHandles:
    """What the page's wiring uses."""

    use_button: gr.Button
    """The tab's primary button: bring the choices (`wanted`) to Train."""
    from_recipe: gr.Button
    """Pressed to take over the recipe that stands in the Train form."""
    wanted: gr.State
    """The choices under the recipe's names, always current; None while they cannot be used."""
    opening: gr.State
    """Set to `ask(recipe)` to fill the calculator from another tab."""

    def current_choices(self, wanted: Mapping[str, Any] | None) -> dict[str, Any]:
        """Recipe changes from the value of `wanted`; a `ConfigError` when there are none."""
        if not wanted:
            raise ConfigError("The calculator's choices cannot be used: see what it says.")
        return dict(wanted)

    def fill(self, recipe: Any) -> dict[str, Any]:
        """A value for `opening` that takes over a recipe's knobs."""
        return ask(recipe)


def ask(recipe: Any) -> dict[str, Any]:
    """A value for `CalculatorHandles.opening` from a `Recipe`."""
    from studio.calculator.estimates import recipe_settings

    settings = recipe_settings(recipe)
    place = {"model": recipe.model_name_or_path, "dataset": recipe.dataset_name}
    return {**settings, **place, "asked": time.monotonic()}


def build(studio: Studio, shell: Shell) -> CalculatorHandles:
    """Lay the tab out inside the open `gr.Tab` and bind it."""
    wanted, opening, offered = gr.State(None), gr.State(None), gr.State(())
    drawn = gr.State(False)
    with gr.Row(elem_classes="desk", elem_id="calculator-desk"):
        with gr.Column(elem_classes="settle"):
            door = gr.Radio(
                ["A model", "A matrix"], value="A model", show_label=False, container=False,
                elem_classes="segmented", elem_id="calc-door",
            )  # fmt: skip
            with gr.Column(elem_classes="calc-side") as model_side:
                choices = Choices(studio)
                table = _price_table(studio)
                from_recipe = gr.Button(
                    "From current recipe", size="sm", elem_id="calc-from", elem_classes="quiet"
                )
                use = gr.Button(
                    "Use in training", variant="primary", elem_id="calc-use",
                    elem_classes="main-action",
                )  # fmt: skip
            with gr.Column(visible=False, elem_classes="calc-side") as matrix_side:
                sides = _matrix_sliders()
        with gr.Column(elem_classes="see"):
            figures = gr.HTML(views.waiting(), elem_id="calc-figures", js_on_load=_CLICKS)
            picture = gr.HTML("", visible=False, elem_id="calc-picture")
    page = _Page(studio, choices, figures, wanted, offered, drawn, use)
    page.bind(opening, table)
    _bind_doors(door, model_side, matrix_side, figures, picture, sides)
    return CalculatorHandles(use, from_recipe, wanted, opening)


def _price_table(studio: Studio) -> gr.Dataframe:
    """What each card costs an hour; edits are kept in the workspace."""
    from studio.calculator.prices import prices

    with gr.Accordion("Prices an hour", open=False, elem_classes="calc-more"):
        return gr.Dataframe(
            [[card, price] for card, price in prices(studio.workspace).items()],
            headers=["Card", "Price an hour"], datatype=["str", "number"], type="array",
            column_count=2, row_count=len(prices(studio.workspace)), interactive=True,
            static_columns=[0], show_label=False, elem_id="calc-prices",
        )  # fmt: skip


# ---- a model ------------------------------------------------------------------------------------


class _Page:
    """Binds the model's door: any change of a choice draws the figures anew."""

    def __init__(
        self, studio: Studio, choices: Choices, figures: gr.HTML,
        wanted: gr.State, offered: gr.State, drawn: gr.State, use: gr.Button,
    ):  # fmt: skip
        self.studio, self.choices = studio, choices
        self.figures, self.wanted = figures, wanted
        self.offered, self.drawn, self.use = offered, drawn, use
        problems = [choices.model_problem, choices.problem]
        self.results = [figures, *problems, wanted, offered, drawn, use]

    def bind(self, opening: gr.State, table: gr.Dataframe) -> None:
        fields = self.choices.fields
        calm = {**QUIET, "trigger_mode": "always_last"}
        everything = set(fields.values())
        changed = [field.change for name, field in fields.items() if name != "model"]
        gr.on(changed, guard(self.draw), everything, self.results, **calm)
        fields["model"].change(
            guard(self.offer_targets),
            [fields["model"], fields["lora_target_modules"]],
            fields["lora_target_modules"],
            **QUIET,
        ).then(guard(self.draw), everything, self.results, **calm)
        gr.on(
            [fields["method"].change, fields["objective"].change],
            guard(self.choices.shown_for), [fields["method"], fields["objective"]],
            self.choices.depending,
            trigger_mode="multiple", **QUIET,  # always_last twice on one event never comes to rest
        )  # fmt: skip
        fields["dataset"].focus(
            lambda: gr.update(choices=self.choices.datasets()), None, fields["dataset"],
            queue=False, **QUIET,
        )  # fmt: skip
        self.figures.click(
            guard(self.apply), [self.offered, fields["model"], fields["lora_target_modules"]],
            list(fields.values()), **QUIET,
        )  # fmt: skip
        table.input(guard(self.keep_prices), table, None, **QUIET).then(
            guard(self.draw), everything, self.results, **calm
        )
        opening.change(guard(self.take), opening, list(fields.values()), **QUIET)
        soon = gr.Timer(1.0)
        soon.tick(
            guard(self.first), {self.drawn, *everything},
            [*self.results, fields["lora_target_modules"], soon], queue=False, **QUIET,
        )  # fmt: skip

    def ready(self) -> bool:
        """Whether torch and friends are there; until then a figure would hold the page up."""
        return bool(self.studio.worker.ready)

    def first(self, data: Mapping[Any, Any]) -> tuple[Any, ...]:
        """Draw once the libraries are loaded, and stop asking."""
        if not self.ready():
            return (gr.skip(),) * (len(self.results) + 2)
        stop = gr.Timer(active=False)
        if data[self.drawn]:
            return (*(gr.skip(),) * (len(self.results) + 1), stop)
        fields = self.choices.fields
        targets = self.offer_targets(data[fields["model"]], data[fields["lora_target_modules"]])
        return (*self.draw(data), targets, stop)

    def draw(self, data: Mapping[Any, Any]) -> tuple[Any, ...]:
        """Figures, or one sentence on why there are none."""
        if not self.ready():
            return (views.waiting(), *(gr.skip(),) * 4, False, gr.skip())
        chosen = self.choices.read(data)
        try:
            wanted, recipe, refused = self.choices.as_recipe(chosen), None, ""
            try:
                recipe = Recipe.defaults(wanted["objective"], wanted["method"]).with_(**wanted)
            except StudioError as error:
                refused = sentence(error)
            html, changes = views.model_view(self.studio, chosen, recipe)
        except StudioError as error:
            of_model = isinstance(error, ModelError)
            said = gr.update(value=notice("error", sentence(error)), visible=True)
            places = (said, _NO_PROBLEM) if of_model else (_NO_PROBLEM, said)
            off = gr.update(interactive=False)
            return views.nothing("model" if of_model else ""), *places, None, (), True, off
        said = gr.update(value=notice("warn", refused), visible=True) if refused else _NO_PROBLEM
        on = gr.update(interactive=not refused)
        return html, _NO_PROBLEM, said, None if refused else wanted, changes, True, on

    def offer_targets(self, model: Any, chosen: Any) -> Any:
        """The model's own module names to choose from; choices that it lacks go."""
        if not self.ready():
            return gr.skip()
        try:
            return self.choices.targets_for(model, chosen)
        except StudioError:
            return gr.skip()  # the figures say what is wrong with the model

    def apply(self, offered: Any, model: Any, targets: Any, event: gr.EventData) -> tuple[Any, ...]:
        """Take over what was clicked: an offered change, a target, a rank or a method."""
        data = event._data if isinstance(event._data, dict) else {}
        return self.choices.filled(self._clicked(data, offered, model, targets))

    def _clicked(self, data: dict[str, Any], offered: Any, model: Any, chosen: Any) -> Any:
        number = str(data.get("change", ""))
        if number.isdigit() and int(number) < len(offered or ()):
            return dict(offered[int(number)])
        if str(data.get("rank", "")).isdigit():
            return {"lora_r": int(data["rank"])}
        if data.get("method") in METHODS:
            return {"method": data["method"]}
        if data.get("pick"):
            return {"lora_target_modules": str(data["pick"]).split(",")}
        if data.get("target"):
            names = str(data["target"]).split(",")
            return {"lora_target_modules": self.choices.switched(model, chosen, names)}
        return {}

    def keep_prices(self, rows: Any) -> None:
        """The table's prices from now on."""
        from studio.calculator.prices import keep_prices

        keep_prices(self.studio.workspace, [(row[0], row[1]) for row in rows])

    def take(self, asked: Mapping[str, Any] | None) -> tuple[Any, ...]:
        """Take over another tab's recipe."""
        return self.choices.filled(dict(asked or {}))


# ---- a matrix -----------------------------------------------------------------------------------


def _matrix_sliders() -> list[gr.Slider]:
    gr.HTML(
        section("A weight matrix W")
        + '<p class="quiet">LoRA leaves W as it is and learns B times A beside it, at rank r.</p>'
    )
    common: dict[str, Any] = {"minimum": 1, "step": 1}
    out = gr.Slider(value=1000, maximum=8192, label="Out (rows of W)", **common)
    into = gr.Slider(value=768, maximum=8192, label="In (columns of W)", **common)
    rank = gr.Slider(value=8, maximum=512, label="Rank r", **common)
    with gr.Row(elem_classes="calc-examples"):
        for example in _EXAMPLES:
            words = f"{example[0]}\N{MULTIPLICATION SIGN}{example[1]} at {example[2]}"
            gr.Button(words, size="sm", min_width=60).click(
                lambda example=example: example, None, [out, into, rank], queue=False, **QUIET
            )
    return [out, into, rank]


def _bind_doors(
    door: gr.Radio, model_side: gr.Column, matrix_side: gr.Column,
    figures: gr.HTML, picture: gr.HTML, sides: list[gr.Slider],
) -> None:  # fmt: skip
    def swap(chosen: str, *sizes: int) -> tuple[Any, ...]:
        model = chosen == "A model"
        drawing = gr.update(visible=not model, value=views.matrix_or_words(*sizes))
        return (*(gr.update(visible=seen) for seen in (model, not model, model)), drawing)

    door.change(
        guard(swap), [door, *sides], [model_side, matrix_side, figures, picture],
        queue=False, **QUIET,
    )  # fmt: skip
    gr.on(
        [side.change for side in sides], guard(views.matrix_or_words), sides, picture,
        queue=False, trigger_mode="always_last", **QUIET,
    )  # fmt: skip
