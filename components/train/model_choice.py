"""Beside the Train button: that pocket cannot learn these rows, and the model to take instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import gradio as gr

from components.ui.compat import Field, Update, Updates, Values
from components.ui.handlers import QUIET, guard
from components.ui.html import notice
from studio.core.errors import StudioError
from studio.runs.recipe import Recipe
from studio.workflows.propose_model import pocket_warning, propose

if TYPE_CHECKING:
    from studio import Studio


class ModelChoice:
    """A warning that is gone where none is due, and a button that takes the proposed model."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self) -> None:
        """The notice and the button, in the open column."""
        self.said = gr.HTML("", elem_id="train-model-choice", visible=False)
        self.take = gr.Button("", size="sm", visible=False, elem_id="train-model-take")
        self.proposed = gr.State({})
        """The leading fields that the button sets."""
        self.answered = gr.State(None)
        """The recipe as YAML that was answered last, and whether the libraries were loaded."""

    def bind(
        self,
        restated: gr.State,
        status: gr.HTML,
        fields: set[Field],
        use: Callable[[Values, dict[str, str]], Updates],
        everything: list[Field],
    ) -> None:
        """Follow the form's last valid recipe, and `status`, which says when the libraries are
        loaded; `use` sets the form's leading fields."""
        gr.on(
            [restated.change, status.change],
            guard(self.propose, "quietly"),
            [restated, self.answered],
            [self.said, self.take, self.proposed, self.answered],
            trigger_mode="multiple",
            **QUIET,
        )
        self.take.click(
            guard(lambda data: use(data, data[self.proposed])),
            {*fields, self.proposed},
            everything,
            **QUIET,
        )

    def propose(self, text: str, answered: tuple[str, bool] | None) -> Update:
        """The warning, the button and what it sets, for a recipe as YAML, unless `answered`."""
        asked = (text, self.studio.worker.ready)
        return gr.skip() if asked == answered else (*self._proposal(*asked), asked)

    def _proposal(self, text: str, ready: bool) -> tuple[Update, Update, dict[str, str]]:
        recipe = Recipe.from_yaml(text)
        warning = pocket_warning(self.studio, recipe)
        if not warning:
            return gr.update(visible=False), gr.update(visible=False), {}
        plain = gr.update(value=notice("warn", warning), visible=True)
        if not ready:
            return plain, gr.update(visible=False), {}
        try:
            found = propose(self.studio, recipe)
        except StudioError:  # the rows cannot be read: the estimate says so
            found = None
        if found is None:
            return plain, gr.update(visible=False), {}
        where = "already on this machine" if found.on_this_machine else "from the Hub"
        said = f"{warning} For these rows: {found.model}, {where} ({found.why})."
        leading = {"model_name_or_path": found.model, "method": found.recipe.method}
        button = gr.update(value=f"Use {found.model.rpartition('/')[2]}", visible=True)
        return gr.update(value=notice("warn", said), visible=True), button, leading
