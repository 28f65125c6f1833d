"""The form filled by what somebody wants: a goal's recipe on the chosen model and rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import gradio as gr

from components.train import form_options
from components.ui.compat import Field, Updates, Values, Widget
from components.ui.handlers import QUIET, guard
from studio.runs.goals import goals
from studio.runs.recipe import Recipe

if TYPE_CHECKING:
    from studio import Studio


class GoalChoice:
    """A list of goals; choosing one fills the form and says what to expect and what goes wrong."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self) -> None:
        """The list, inside the open column."""
        self.goal = gr.Dropdown(
            [
                ("Choose one, or set the fields below", ""),
                *((g.label, g.slug) for g in goals().values()),
            ],
            value="",
            label="Goal",
            elem_id="train-goal",
            elem_classes="parameter",
            info="Fills the form with a recipe for it.",
        )

    def bind(
        self,
        model: Field,
        dataset: Field,
        filled: Callable[[Recipe, str], Updates],
        everything: list[Widget],
    ) -> None:
        """Fill the form with `filled`, which makes its updates of a recipe and a note."""

        def choose(data: Values) -> Updates:
            goal = goals().get(str(data[self.goal] or ""))
            if goal is None:
                return {}
            rows = form_options.dataset_choices(self.studio, goal.objective)
            chosen = str(data[dataset] or "")
            if chosen not in [value for _, value in rows]:
                chosen = next((value for _, value in rows), "")
            recipe = Recipe.of(goal.values(str(data[model] or ""), chosen) | {"name": ""})
            return filled(recipe, f"{goal.expect} What goes wrong: {goal.wrong}")

        self.goal.input(guard(choose), {self.goal, model, dataset}, everything, **QUIET)
