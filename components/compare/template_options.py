"""Thinking and tools on the left of Compare: what chat templates are given beside the messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from components.ui.compat import Update, Values
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import esc, notice
from components.ui.page_context import PageContext
from studio.core import rendering
from studio.core.errors import ConfigError, StudioError
from studio.core.formatting import plural
from studio.workflows import asking
from studio.workflows.comparisons import sides

if TYPE_CHECKING:
    from studio import Studio

_BY_ROW = ("as the row or the recipe says", "")
_EXAMPLE = """[{"type": "function", "function": {
  "name": "weather",
  "parameters": {"type": "object",
    "properties": {"city": {"type": "string"}}}}}]"""


class TemplateOptions:
    """A switch that is there where a chosen model's template knows it, and a box for tools."""

    def __init__(self, studio: Studio, ctx: PageContext):
        self.studio, self.ctx = studio, ctx
        self.known = gr.State(None)

    def lay_out(self) -> None:
        self.thinking = gr.Dropdown(
            [_BY_ROW], value="", label="Thinking", visible=False, elem_id="compare-thinking"
        )
        with gr.Accordion("Tools", open=False, elem_classes="fold"):
            self.tools = gr.Textbox(
                "",
                show_label=False,
                lines=5,
                max_lines=14,
                elem_id="compare-tools",
                placeholder=_EXAMPLE,
                info="Functions as JSON schema, for prompts that bring no tools of their own.",
            )
            self.said = gr.HTML("", elem_id="compare-tools-said")
        self.inputs = [self.thinking, self.tools]

    def bind(self, choices: list[gr.Dropdown]) -> None:
        """Follow the models chosen in `choices`."""
        self.choices = choices
        inputs = {*choices, self.known, self.thinking, self.tools}
        found = [self.thinking, self.known]
        self.ctx.status.change(
            guard(self.follow, "everybody"),
            inputs,
            found,
            queue=False,
            trigger_mode="multiple",
            **QUIET,
        )
        for choice in choices:
            choice.change(guard(self.follow, "everybody"), inputs, found, **QUIET)
        gr.on(
            [self.tools.blur, *(choice.change for choice in choices)],
            guard(self.check, "everybody"),
            inputs,
            self.said,
            **QUIET,
        )

    def follow(self, data: Values) -> Update:
        """Show the switch that the chosen models' templates know, once the libraries are loaded."""
        values = tuple(data[choice] or "" for choice in self.choices)
        if values == data[self.known] or not self.studio.status().ready:
            return gr.skip()
        try:
            offered = asking.switches(self.studio, sides(self.studio, values))
        except StudioError:  # a model that cannot be found says so when it is asked
            offered = []
        kept = data[self.thinking] if data[self.thinking] in [value for _, value in offered] else ""
        shown = gr.update(choices=[_BY_ROW, *offered], value=kept, visible=bool(offered))
        return {self.thinking: shown, self.known: values}

    def check(self, data: Values) -> str:
        """What is wrong with the tools, or who would not see them; else how many there are."""
        try:
            tools = rendering.checked_tools(data[self.tools] or "")
            if not tools:
                return ""
            chosen = sides(self.studio, [data[choice] or "" for choice in self.choices])
            ready = self.studio.status().ready
            blind = asking.without_tools(self.studio, chosen) if ready else []
        except StudioError as error:
            return notice("error", sentence(error))
        if blind:
            names = " and ".join(blind)
            return notice("warn", f"The chat template of {names} writes no tools.")
        names = ", ".join(tool["function"]["name"] for tool in tools)
        return f'<p class="none">{plural(len(tools), "tool")}: {esc(names)}</p>'

    def asked(self, data: Values, system: str = "") -> asking.Asking:
        """What prompts are given; `ConfigError` for tools that cannot be, or that a model would not
        see."""
        tools = rendering.checked_tools(data[self.tools] or "")
        if tools and self.studio.status().ready:
            chosen = sides(self.studio, [data[choice] or "" for choice in self.choices])
            if blind := asking.without_tools(self.studio, chosen):
                raise ConfigError(
                    f"The chat template of {' and '.join(blind)} writes no tools, so it would not "
                    "see them; empty the tools, or choose a model whose template does."
                )
        return asking.Asking(system.strip(), tools, asking.chosen(data[self.thinking] or ""))
