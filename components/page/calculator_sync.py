"""The Calculator and the Train form say the same: what was changed last counts in both.

They meet when one of the two tabs is opened. Only what was changed since they met before travels,
and a field that was typed in meanwhile is left alone, so a late answer takes nothing back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from components.calculator import handlers
from components.calculator.tab import CalculatorHandles
from components.train import tab as train_tab
from components.train.tab import TrainHandles
from components.ui.handlers import QUIET, guard
from components.ui.page_context import PageContext
from studio.core.errors import StudioError


@dataclass(frozen=True)
class SyncState:
    """What each side said when they met last, and the Train form's newest request by then."""

    form: Mapping[str, Any] = field(default_factory=dict)
    calculator: Mapping[str, Any] | None = None
    asked: float | None = None


class Agreement:
    """Binds the two tabs' meetings."""

    def __init__(self, calculator: CalculatorHandles, train: TrainHandles):
        self.calculator, self.train = calculator, train
        self.met = gr.State(SyncState())

    def bind(self, ctx: PageContext) -> None:
        """Meet whenever a tab is opened, and when the Calculator is asked to follow again."""
        linked, outputs = self.calculator.linked, self._outputs()
        inputs = {
            *self.calculator.choices.fields.values(),
            *self.train.form.fields.values(),
            linked,
            self.train.opening,
            self.met,
        }

        def opened(data: Mapping[Any, Any], event: gr.SelectData) -> Any:
            return self.meet(data, str(event.value))

        def followed(data: Mapping[Any, Any]) -> Any:
            return self.meet({**data, self.met: SyncState()}, "Calculator")

        # Through the queue: only there does a changed `gr.State` wake what listens to it.
        ctx.tabs.select(guard(opened, "quietly"), inputs, outputs, **QUIET)
        linked.input(guard(followed), inputs, outputs, **QUIET)

    def _outputs(self) -> list[Any]:
        return [self.calculator.opening, self.train.opening, self.met]

    def meet(self, data: Mapping[Any, Any], tab: str) -> tuple[Any, Any, Any]:
        """What the tab that was opened takes over: values of `_outputs`."""
        nothing = (gr.skip(), gr.skip(), gr.skip())
        if tab not in ("Calculator", "Train"):
            return nothing
        drawn = (handlers.ask(), gr.skip(), gr.skip()) if tab == "Calculator" else nothing
        if not data[self.calculator.linked]:
            return drawn
        try:
            return self._to_calculator(data) if tab == "Calculator" else self._to_train(data)
        except StudioError:  # the side that cannot be used says why
            return drawn

    def _to_calculator(self, data: Mapping[Any, Any]) -> tuple[Any, Any, Any]:
        choices, met = self.calculator.choices, data[self.met]
        form = handlers.settings_of(self.train.form.recipe(data))
        if form == met.form:
            return handlers.ask(), gr.skip(), gr.skip()
        before = choices.values(data)
        wanted = choices.wanted(before | choices.given(form))
        asked = (data[self.train.opening] or {}).get("asked")
        return handlers.ask(form, before), gr.skip(), SyncState(form, wanted, asked)

    def _to_train(self, data: Mapping[Any, Any]) -> tuple[Any, Any, Any]:
        choices, met = self.calculator.choices, data[self.met]
        asked = (data[self.train.opening] or {}).get("asked")
        wanted = choices.wanted(choices.values(data))
        if met.calculator is None or wanted == met.calculator:
            return gr.skip(), gr.skip(), gr.skip()
        if asked != met.asked:  # filled from elsewhere since: that is the newest word
            return gr.skip(), gr.skip(), SyncState(met.form, wanted, asked)
        now = self.train.form.recipe(data)
        knobs = {
            name: value
            for name, value in self.calculator.current_choices(wanted).items()
            if met.calculator.get(name) != wanted[name]
            and getattr(now, name) != value
            and name != "lora_alpha"  # its own knob there; here it is twice the rank
        }
        if not knobs:
            return gr.skip(), gr.skip(), SyncState(met.form, wanted, asked)
        request = train_tab.change(knobs, self.train.form.values(data))
        return gr.skip(), request, SyncState(met.form, wanted, request["asked"])
