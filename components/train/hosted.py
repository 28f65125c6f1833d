"""Run on HF Jobs: the Hub's hardware with price and fit, and one button."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import gradio as gr

from components.train import form_options
from components.ui.compat import Field, Updates, Values
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import esc, notice
from studio.core.errors import ConfigError, StudioError
from studio.runs.recipe import Recipe

if TYPE_CHECKING:
    from studio import Studio

ABOUT = (
    '<p class="quiet">Trains on a machine that you rent from the Hub by the minute. The rows and '
    "the result go to a private repository of yours, and the run appears under Runs.</p>"
)


class HostedFold:
    """A list of hardware, looked up when asked for, and the button that starts the job."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self) -> None:
        """The section's contents, inside the open accordion."""
        gr.HTML(ABOUT)
        self.look = gr.Button("Look up hardware and prices", size="sm", elem_id="hosted-look")
        self.flavor = gr.Dropdown(
            [],
            label="Hardware",
            visible=False,
            elem_id="hosted-flavor",
            info="One GPU each, the cheapest that fits first. Prices are the Hub's own.",
        )
        self.told = gr.State({})
        """The whole line of each choice: the list is narrower."""
        self.message = gr.HTML("", elem_id="hosted-message")
        self.start = gr.Button("Train on HF Jobs", size="sm", visible=False, elem_id="hosted-start")

    def bind(self, fields: set[Field], read: Callable[[Values], Recipe], started: gr.State) -> None:
        """Bind the handlers; `read` makes a recipe of the values of the form's `fields`."""

        def look(data: Values) -> Updates:
            from studio.workflows.hosted_offers import offers

            self.studio.worker.settle()
            try:
                found = offers(self.studio, read(data))
            except StudioError as error:
                return {self.message: notice("error", sentence(error))}
            choices = [(each.label(), each.flavor.name) for each in found]
            told = {name: label for label, name in choices}
            fits = bool(found) and found[0].verdict != "does not fit"
            text = "" if fits else notice("warn", "The run fits none of them; Fit to memory helps.")
            first = found[0].flavor.name if fits else None
            return {
                self.told: told,
                self.flavor: gr.update(choices=choices, value=first, visible=True),
                self.start: gr.update(visible=True),
                self.message: text or _line(told, first),
            }

        def start(data: Values) -> Updates:
            try:
                if not data[self.flavor]:
                    raise ConfigError("Choose the hardware first.")
                recipe = read(data)
                named = recipe.with_(name=form_options.free_name(self.studio, recipe))
                run = self.studio.train(named, on=data[self.flavor])
            except StudioError as error:
                return {self.message: notice("error", sentence(error))}
            return {self.message: notice("good", f"Started {run.name}."), started: run.id}

        shown = [self.told, self.flavor, self.start, self.message]
        self.flavor.input(guard(_line), [self.told, self.flavor], self.message, **QUIET)
        self.look.click(guard(look), fields, shown, **QUIET)
        self.start.click(guard(start), {*fields, self.flavor}, [self.message, started], **QUIET)


def _line(told: dict[str, str], flavor: str | None) -> str:
    """The chosen hardware's fit, cost, price and GPU."""
    return f'<p class="quiet">{esc(told.get(flavor or "", ""))}</p>'
