"""Calculator: what would train, whether it fits, how long it takes. Fields left, figures right.

Nothing is counted here: `studio.calculator` takes the recipe that the fields make. The recipe
crosses to Train and back as a whole (`components.page.calculator_sync`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.calculator import results_html as views
from components.calculator.handlers import CLICKS, ModelPage
from components.calculator.inputs import Inputs
from components.ui.handlers import QUIET, guard
from components.ui.html import section
from components.ui.page_context import PageContext

if TYPE_CHECKING:
    from studio import Studio

_EXAMPLES = ((6, 7, 3), (1000, 768, 8), (600, 400, 6))


@dataclass(frozen=True)
class CalculatorHandles:
    """What the page's wiring uses."""

    use_button: gr.Button
    """The tab's primary button: bring the recipe to Train."""
    from_recipe: gr.Button
    """Pressed to take over the recipe in the Train form."""
    opening: gr.State
    """Set to `ask(...)` to take over a recipe and draw the figures."""
    linked: gr.Checkbox
    """Whether the calculator's recipe and the Train form's are kept in sync."""
    page: ModelPage
    """The fields, and what is drawn of them."""

    @property
    def inputs(self) -> Inputs:
        return self.page.inputs


def build(studio: Studio, ctx: PageContext) -> CalculatorHandles:
    """Lay the tab out inside the open `gr.Tab` and bind it."""
    opening = gr.State(None)
    with gr.Row(elem_classes="desk", elem_id="calculator-desk"):
        with gr.Column(elem_classes="settle"):
            door = gr.Radio(
                ["A model", "A matrix"],
                value="A model",
                show_label=False,
                container=False,
                elem_classes="segmented",
                elem_id="calc-door",
            )
            with gr.Column(elem_classes="calc-side") as model_side:
                linked = gr.Checkbox(
                    True, label="Sync with Train; the last change wins", elem_id="calc-linked"
                )
                inputs = Inputs(studio)
                table = _price_table(studio)
                from_recipe = gr.Button(
                    "Load the Train recipe",
                    size="sm",
                    elem_id="calc-from",
                    elem_classes="quiet",
                    visible=False,
                )
                use = gr.Button(
                    "Use in training",
                    variant="primary",
                    elem_id="calc-use",
                    elem_classes="main-action",
                )
            with gr.Column(visible=False, elem_classes="calc-side") as matrix_side:
                sides = _matrix_sliders()
        with gr.Column(elem_classes="see"):
            figures = gr.HTML(views.waiting(), elem_id="calc-figures", js_on_load=CLICKS)
            picture = gr.HTML("", visible=False, elem_id="calc-picture")
    linked.input(
        guard(lambda on: gr.update(visible=not on)), linked, from_recipe, queue=False, **QUIET
    )
    page = ModelPage(studio, inputs, figures, use)
    page.bind(opening, table)
    inputs.follow_cards(ctx)
    _bind_doors(door, model_side, matrix_side, figures, picture, sides)
    return CalculatorHandles(use, from_recipe, opening, linked, page)


def _price_table(studio: Studio) -> gr.Dataframe:
    """What each GPU costs per hour; edits are kept in the workspace."""
    from studio.calculator.prices import prices

    with gr.Accordion("Hourly prices", open=False, elem_classes="calc-more"):
        return gr.Dataframe(
            [[gpu, price] for gpu, price in prices(studio.workspace).items()],
            headers=["GPU", "Price per hour"],
            datatype=["str", "number"],
            type="array",
            column_count=2,
            row_count=len(prices(studio.workspace)),
            interactive=True,
            static_columns=[0],
            show_label=False,
            elem_id="calc-prices",
        )


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
                guard(lambda example=example: example),
                None,
                [out, into, rank],
                queue=False,
                **QUIET,
            )
    return [out, into, rank]


def _bind_doors(
    door: gr.Radio,
    model_side: gr.Column,
    matrix_side: gr.Column,
    figures: gr.HTML,
    picture: gr.HTML,
    sides: list[gr.Slider],
) -> None:
    def swap(chosen: str, *sizes: int) -> tuple[Any, ...]:
        model = chosen == "A model"
        drawing = gr.update(visible=not model, value=views.matrix_or_words(*sizes))
        return (*(gr.update(visible=seen) for seen in (model, not model, model)), drawing)

    door.change(
        guard(swap),
        [door, *sides],
        [model_side, matrix_side, figures, picture],
        queue=False,
        **QUIET,
    )
    gr.on(
        [side.change for side in sides],
        guard(views.matrix_or_words),
        sides,
        picture,
        queue=False,
        trigger_mode="always_last",
        **QUIET,
    )
