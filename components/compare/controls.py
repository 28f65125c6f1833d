"""The left of the Compare tab: which models answer, and how the next token is sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr
from pydantic import ValidationError

from components.compare.template_options import TemplateOptions
from components.ui.compat import Reply, Update, Updates, Values
from components.ui.handlers import QUIET, guard
from components.ui.page_context import PageContext
from components.ui.recipe_fields import HELP_LINE
from studio.core.errors import ConfigError
from studio.generation.request import SAMPLING_PRESETS, Sampling
from studio.workflows.asking import Asking
from studio.workflows.comparisons import (
    LETTERS,
    column_choices,
    finished,
    reward_choices,
    training,
    usual_columns,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gradio.events import Dependency

    from studio import Studio
    from studio.runs.store import Run
    from studio.workflows.comparisons import Side

_SAMPLING: tuple[tuple[str, str, str], ...] = (
    ("temperature", "Temperature", "Randomness; 0 always takes the most likely token."),
    ("top_p", "Top-p", "Sample only from the tokens that together have this probability."),
    ("min_p", "Min-p", "Drop tokens below this fraction of the most likely one's probability."),
    ("repetition_penalty", "Repetition penalty", "Above 1 makes used tokens less likely."),
    ("top_k", "Top-k", "Sample only from the k most likely tokens; 0 for all."),
    ("max_new_tokens", "Max new tokens", "Where an answer is cut off."),
    ("seed", "Seed", "The same seed and settings give the same text."),
)
_INTEGERS = ("top_k", "max_new_tokens", "seed")
_DEFAULT = "greedy"
_NO_REWARD = ("None", "")


class Controls:
    """The widgets that Chat, Prompt set and Scores share."""

    def __init__(self, studio: Studio, ctx: PageContext):
        self.studio, self.ctx = studio, ctx
        self.seen = gr.State(None)
        self.opening = gr.State(None)
        self.taken = gr.State(None)
        """The `opening` that the lists on the page already show."""
        self.template = TemplateOptions(studio, ctx)

    def lay_out(self) -> None:
        """The column, inside the open row."""
        with gr.Column(elem_classes="settle", elem_id="compare-settle"):
            self.choices = [self._column(at) for at in range(4)]
            self.more = gr.Button("Add a model", size="sm", elem_id="compare-add")
            self.preset = gr.Dropdown(
                [(name.capitalize(), name) for name in SAMPLING_PRESETS],
                value=_DEFAULT,
                label="Sampling",
                elem_id="compare-preset",
            )
            with (
                gr.Accordion("Sampling parameters", open=False, elem_classes="fold"),
                gr.Column(elem_classes="everyday"),
            ):
                with gr.Row(elem_classes="pair"):
                    self.sampling_fields = {each[0]: self._field(*each) for each in _SAMPLING}
                self.stops = gr.Textbox(
                    "",
                    lines=2,
                    max_lines=4,
                    label="Stop strings, one per line",
                    info="An answer ends before any of these strings. (stop_strings)",
                    elem_classes="parameter",
                )
                self.static = gr.Checkbox(
                    False,
                    label="Static cache",
                    info="Takes room for all keys and values at once; on a CUDA GPU the decoding "
                    "step is compiled: seconds at first, then quicker. (cache_implementation)",
                    elem_id="compare-static",
                )
                gr.HTML(HELP_LINE)
            with gr.Accordion("System prompt", open=False, elem_classes="fold"):
                self.system = gr.Textbox(
                    "",
                    show_label=False,
                    lines=3,
                    max_lines=8,
                    elem_id="compare-system",
                    placeholder="Every model reads it before the first prompt",
                )
            self.template.lay_out()
            self.raw = gr.Checkbox(
                False,
                label="Raw prompt",
                elem_id="compare-raw",
                info="Sent as typed: no chat template, no system prompt, no tools, no history.",
            )
            self.follow = gr.Dropdown(
                [
                    ("separate per model", ""),
                    *((f"shared: the answers of {letter}", letter) for letter in LETTERS),
                ],
                value="",
                label="Conversation history",
                elem_id="compare-follow",
            )
            rewards = reward_choices(self.studio)
            self.reward = gr.Dropdown(
                [_NO_REWARD, *rewards],
                value="",
                label="Reward model for chat answers",
                visible=bool(rewards),
                elem_id="compare-reward",
            )
        self.inputs = [
            *self.choices,
            *self.sampling_fields.values(),
            self.stops,
            self.static,
            self.system,
            self.raw,
            self.follow,
            self.reward,
            *self.template.inputs,
            self.opening,
            self.taken,
        ]

    def _column(self, at: int) -> gr.Dropdown:
        runs = finished(self.studio)
        default = usual_columns(runs)
        return gr.Dropdown(
            self._offered(at, self._values(runs)),
            value=default[at] if at < 2 else "",
            visible=at < 2,
            label=f"Model {LETTERS[at]}",
            allow_custom_value=True,
            elem_id=f"compare-{LETTERS[at].lower()}",
            elem_classes="column-choice",
        )

    def _values(self, runs: list[Run]) -> list[tuple[str, str]]:
        return column_choices(runs, training(self.studio))

    @staticmethod
    def _offered(at: int, offered: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return offered if at == 0 else [*offered, ("None", "")]

    def _field(self, name: str, label: str, help: str) -> gr.Number:
        integer = name in _INTEGERS
        return gr.Number(
            getattr(SAMPLING_PRESETS[_DEFAULT], name),
            label=label,
            info=f"{help} ({name})",
            precision=0 if integer else None,
            step=1 if integer else 0.05,
            minimum=0,
            min_width=110,
            elem_classes="parameter",
        )

    # ---- binding --------------------------------------------------------------------------------

    def bind(self, chat: gr.State) -> Dependency:
        """`chat` is the browser's conversation. Returns what follows `opening`."""
        self.chat = chat
        self.template.bind(self.choices)
        lists = [*self.choices, self.more, self.reward, self.seen]
        inputs = {*self.choices, self.seen, chat}
        self.ctx.status.change(
            guard(self.freshen, "everybody"),
            inputs,
            lists,
            queue=False,
            trigger_mode="multiple",
            **QUIET,
        )
        opened = self.opening.change(
            guard(self.open), self.opening, [*self.choices, self.more], **QUIET
        )
        # The page sends this once it has the lists; a prompt may have been sent before.
        opened.then(guard(lambda opening: opening), self.opening, self.taken, queue=False, **QUIET)
        self.added = self.more.click(
            guard(self.add, "everybody"), {*self.choices}, [*self.choices, self.more], **QUIET
        )
        self.preset.input(
            guard(self.use_preset, "everybody"),
            self.preset,
            [*self.sampling_fields.values()],
            **QUIET,
        )
        return opened

    def freshen(self, data: Values) -> Update:
        """New runs appear in the lists; until something is chosen, the newest one is model B.

        Under a chat that is open, nothing is chosen anew: its answers are of the models above it.
        """
        runs = finished(self.studio)
        offered, rewards = self._values(runs), reward_choices(self.studio)
        now = tuple(value for _, value in (*offered, *rewards))
        before = data[self.seen]
        if now == before:
            return gr.skip()
        seen = {
            self.seen: now,
            self.reward: gr.update(choices=[_NO_REWARD, *rewards], visible=bool(rewards)),
        }
        values = [data[choice] or "" for choice in self.choices]
        untouched = (values[0], values[1]) == self._usual_before(before, runs)
        if (before is None or untouched) and not data[self.chat].turns:
            values[:2] = usual_columns(runs)
            return self._columns(values, runs) | seen
        # No values: others may have been chosen in the meantime.
        lists = {
            choice: gr.update(choices=self._offered(at, offered))
            for at, choice in enumerate(self.choices)
        }
        return lists | seen

    @staticmethod
    def _usual_before(before: tuple[str, ...] | None, runs: list[Run]) -> tuple[str, str]:
        return usual_columns([run for run in runs if f"run:{run.id}" in (before or ())])

    def chosen(self, compared: Sequence[Side]) -> Updates:
        """The lists as a conversation was had; as they are where a side is no run and no base."""
        if any(side.endpoint for side in compared):
            return {}
        values = [f"run:{side.key}" if side.run else f"base:{side.model}" for side in compared]
        padded = [*values, *[""] * len(self.choices)][: len(self.choices)]
        return self._columns(padded, finished(self.studio))

    def _columns(self, values: list[str], runs: list[Run]) -> Updates:
        offered = self._values(runs)
        shown = max(2, max((at + 1 for at, value in enumerate(values) if value), default=2))
        updates: Updates = {
            choice: gr.update(
                choices=self._offered(at, offered), value=values[at], visible=at < shown
            )
            for at, choice in enumerate(self.choices)
        }
        return updates | {self.more: gr.update(visible=shown < len(self.choices))}

    def open(self, wanted: Reply | None) -> Update:
        """Another tab asks to compare runs with their base model."""
        if not wanted or not wanted.get("runs"):
            return gr.skip()
        return self._columns(self._wanted(wanted), finished(self.studio))

    def _wanted(self, wanted: Reply) -> list[str]:
        """The values of the lists for the runs that another tab asks for."""
        first = self.studio.runs.get(wanted["runs"][0].partition("@")[0])
        values = [f"base:{first.model}", *(f"run:{one}" for one in wanted["runs"])]
        return [*values, "", "", ""][: len(self.choices)]

    def add(self, data: Values) -> Updates:
        """One more model: the newest run that is not compared yet."""
        runs = finished(self.studio)
        values = [data[choice] or "" for choice in self.choices]
        offered = [value for _, value in column_choices(runs) if "@" not in value]
        free = [value for value in reversed(offered) if value not in values] or offered
        at = next((at for at, value in enumerate(values) if not value), None)
        if at is not None:
            values[at] = free[-1] if at == 1 else free[0]
        return self._columns(values, runs)

    def use_preset(self, name: str) -> list[float]:
        preset = SAMPLING_PRESETS.get(name, SAMPLING_PRESETS[_DEFAULT])
        return [getattr(preset, field) for field in self.sampling_fields]

    # ---- reading --------------------------------------------------------------------------------

    def columns(self, data: Values) -> list[str]:
        """What is chosen; where another tab chose and the page has not shown it yet, that."""
        wanted = data[self.opening]
        if wanted and wanted.get("runs") and wanted != data[self.taken]:
            return self._wanted(wanted)
        return [data[choice] or "" for choice in self.choices]

    def followed(self, data: Values) -> int | None:
        """The model whose answers every model continues from; None where each has its own."""
        return LETTERS.index(data[self.follow]) if data[self.follow] else None

    def system_text(self, data: Values) -> str:
        return data[self.system] or ""

    def asking(self, data: Values) -> Asking:
        """What every prompt is given; `ConfigError` for tools that cannot be."""
        if data[self.raw]:
            return Asking()
        return self.template.asked(data, self.system_text(data))

    def sampling(self, data: Values) -> Sampling:
        """The sampling parameters; `ConfigError` names one that is missing or out of range."""
        values = {}
        for name, field in self.sampling_fields.items():
            value = data[field]
            if value is None:
                raise ConfigError(f"{name} is empty; enter a number.")
            values[name] = int(value) if name in _INTEGERS else float(value)
        stops = (data[self.stops] or "").splitlines()
        try:
            cache = "static" if data[self.static] else "dynamic"
            kept = tuple(stop for stop in stops if stop)
            return Sampling(**values, stop_strings=kept, cache_implementation=cache)
        except ValidationError as error:
            first = error.errors()[0]
            raise ConfigError(
                f"{first['loc'][0]} cannot be {first['input']}: {first['msg'].lower()}."
            ) from None
