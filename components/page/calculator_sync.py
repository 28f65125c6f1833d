"""One recipe seen twice: the Calculator and the Train form hand it to each other.

They meet when one of the two tabs is opened. The form whose recipe changed since they met last
hands it over; where both did, Train's wins, for another tab filled it since. A field that was typed
in meanwhile is left alone, so that a late response takes nothing back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from components.calculator import handlers
from components.calculator.tab import CalculatorHandles
from components.train import tab as train_tab
from components.train.tab import TrainHandles
from components.ui.handlers import QUIET, guard
from components.ui.page_context import PageContext
from studio.core.errors import StudioError
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.workflows.estimate_run import kind_of

_SET_BY_TRAIN = {"name": "", "start_from": None, "start_as": "continue"}
"""Train may change these by itself, and they have no field in the Calculator."""


_ARRIVED = """last => {
  const bar = document.querySelector("#tabs > .tab-wrapper");
  const open = bar?.querySelector("[role=tab][aria-selected=true]")?.dataset.tabId;
  return ["calculator", "train"].includes(open) ? `${open} ${Date.now()}` : last;
}"""


class RecipeSync:
    """Binds the two tabs' meetings, and the buttons that hand a recipe over at any time."""

    def __init__(self, calculator: CalculatorHandles, train: TrainHandles):
        self.calculator, self.train = calculator, train
        self.met = gr.State(None)
        """The recipe that both had when they met last."""
        self.arrived = gr.Textbox("", visible=False, elem_id="sync-arrived")
        """Which of the two tabs was opened last, and when: `calculator 1700000000000`."""

    def bind(self, ctx: PageContext) -> None:
        calculator, train = self.calculator, self.train
        outputs = [calculator.opening, train.opening, self.met]
        both = {*calculator.inputs.read, *train.form.fields.values()}
        inputs = {*both, calculator.linked, self.met}

        def opened(data: Mapping[Any, Any]) -> Any:
            return self.meet(data, str(data[self.arrived]).partition(" ")[0])

        def linked(data: Mapping[Any, Any]) -> Any:
            return self.meet({**data, self.met: None}, "calculator")

        def load(data: Mapping[Any, Any]) -> Any:
            values = calculator.inputs.values(data)
            return handlers.ask(train.form.recipe(data), values)

        def use(data: Mapping[Any, Any]) -> tuple[Any, Any, Any]:
            recipe = calculator.inputs.recipe(data)
            changes = self.changes(recipe, self._form(data))
            wanted = train_tab.change(changes, train.form.values(data))
            return wanted, train_tab.filling() if changes else gr.skip(), ctx.go("train")

        # Through the queue: only there does a changed `gr.State` trigger its listeners.
        # An event reads both forms, so the browser says first whether one of the two was opened.
        ctx.tabs.select(None, self.arrived, self.arrived, js=_ARRIVED, **QUIET)
        self.arrived.change(guard(opened, "quietly"), {*inputs, self.arrived}, outputs, **QUIET)
        calculator.linked.input(guard(linked), inputs, outputs, **QUIET)
        calculator.from_recipe.click(guard(load), both, calculator.opening, **QUIET)
        calculator.use_button.click(
            guard(use), both, [train.opening, train.form.start, ctx.tabs], **QUIET
        )

    def _form(self, data: Mapping[Any, Any]) -> Recipe | None:
        """The Train form's recipe; None while it cannot be read, and says why."""
        try:
            return self.train.form.recipe(data)
        except StudioError:
            return None

    def changes(self, recipe: Recipe, before: Recipe | None) -> dict[str, Any]:
        """The fields in which `recipe` differs, without a dataset that its objective cannot use."""
        found = {
            name: value
            for name, value in recipe
            if name not in _SET_BY_TRAIN and (before is None or getattr(before, name) != value)
        }
        kind = kind_of(self.calculator.page.studio, recipe.dataset_name)
        if kind not in OBJECTIVES[recipe.objective].types:
            found.pop("dataset_name", None)
        return found

    def meet(self, data: Mapping[Any, Any], tab: str) -> tuple[Any, Any, Any]:
        """What the tab that was opened takes over: values of both `opening`s and of `met`."""
        form, nothing = self._form(data), (gr.skip(), gr.skip(), gr.skip())
        if tab == "calculator":
            if form is None or not data[self.calculator.linked] or form == data[self.met]:
                return handlers.ask(), gr.skip(), gr.skip()
            return handlers.ask(form, self.calculator.inputs.values(data)), gr.skip(), form
        if tab != "train" or form is None or not data[self.calculator.linked]:
            return nothing
        return self._to_train(data, form) or nothing

    def _to_train(self, data: Mapping[Any, Any], form: Recipe) -> tuple[Any, Any, Any] | None:
        met = data[self.met]
        try:
            recipe = self.calculator.inputs.recipe(data)
        except StudioError:  # the Calculator says why
            return None
        if met is None or form.with_(**_SET_BY_TRAIN) != met.with_(**_SET_BY_TRAIN):
            return None
        changes = self.changes(recipe, form)
        if not changes:
            return None
        return gr.skip(), train_tab.change(changes, self.train.form.values(data)), recipe
