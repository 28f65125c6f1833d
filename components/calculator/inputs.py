"""The calculator's left column: the recipe's own fields, and what only the calculator asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.ui import recipe_defaults, recipe_fields
from components.ui.cards import card_list
from components.ui.compat import Update
from components.ui.handlers import QUIET, guard
from components.ui.page_context import PageContext
from components.ui.recipe_fields import HELP_LINE, parameters
from studio.calculator.gpus import GPUS, THIS_MACHINE, card_name
from studio.core.errors import ConfigError, StudioError
from studio.core.model_names import choices
from studio.data import SAMPLES
from studio.runs.methods import ALL_LINEAR
from studio.runs.recipe import Recipe
from studio.workflows.estimate_run import SAMPLE_TYPES

if TYPE_CHECKING:
    from studio import Studio

EXAMPLE = {
    "model_name_or_path": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    "objective": "sft",
    "method": "lora",
    "lora_r": 8,
    "lora_target_modules": ("q_proj", "k_proj", "v_proj"),
    "load_in_4bit": False,
    "load_in_8bit": False,
}
"""The workshop's example: 1,531,904 trainable parameters, 0.1391 %."""
LEADING = recipe_defaults.LEADING
_MAIN = (
    "lora_r",
    "num_virtual_tokens",
    "oft_block_size",
    "adapter_len",
    "adapter_layers",
    "num_trainable_layers",
    "lora_target_modules",
    "per_device_train_batch_size",
    "max_length",
)
_MORE = (
    ("num_generations", "max_completion_length"),
    ("rank_pattern",),
    ("lora_target_parameters",),
    ("lora_modules_to_save", "layers_to_transform"),
    ("trainable_token_indices",),
    ("prefix_projection",),
    ("encoder_hidden_size",),
    ("load_in_4bit", "load_in_8bit"),
    ("activation_checkpointing",),
    ("optim", "dtype"),
    ("attn_implementation", "gradient_accumulation_steps"),
    ("num_train_epochs", "max_steps"),
    ("packing",),
)
"""Field by field, a row each."""


@dataclass(frozen=True)
class Asked:
    """What is only the calculator's: the GPU, rows typed in place of a dataset's, a price."""

    gpu: str = THIS_MACHINE
    rows: int | None = None
    mean_tokens: float | None = None
    per_hour: float | None = None


class Inputs:
    """The widgets, laid out inside the open column.

    `fields` are the recipe's, by name; `base` holds the form values of the whole recipe as they
    were last set, which is where the fields that have no widget here live. `model_problem` and
    `problem` say what is wrong, beside the model and beside the rest.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.fields: dict[str, Any] = {}
        self.own: dict[str, Any] = {}
        # What the Train form opens with.
        self.first = recipe_defaults.usual(recipe_defaults.FIRST)[0].with_(name="")
        self.base: Any = gr.State(recipe_fields.written(self.first))
        with gr.Column(elem_classes="simple"):
            self._main()
            gr.HTML(HELP_LINE)
        with (
            gr.Accordion("More", open=False, elem_classes="calc-more"),
            gr.Column(elem_classes="everyday"),
        ):
            for names in _MORE:
                with gr.Row(elem_classes="calc-pair"):
                    for name in names:
                        self._add(name)
            self._data()
            gr.HTML(HELP_LINE)

    def _add(self, name: str, **settings: Any) -> None:
        parameter = parameters()[name]
        visible = parameter.applies(self.first.objective, self.first.method)
        self.fields[name] = recipe_fields.widget(
            parameter, getattr(self.first, name), visible=visible, elem_id=_id(name), **settings
        )

    def _dropdown(self, name: str, choices: list[Any]) -> None:
        parameter = parameters()[name]
        self.fields[name] = gr.Dropdown(
            choices,
            value=getattr(self.first, name),
            allow_custom_value=True,
            label=parameter.label,
            info=recipe_fields.help_of(name),
            elem_id=_id(name),
            elem_classes="parameter",
        )

    def _main(self) -> None:
        self._dropdown("model_name_or_path", [name for _, name in choices()])
        with gr.Row(elem_classes="calc-examples"):
            self.example = gr.Button("Try an example: TinyLlama", size="sm", elem_id="calc-example")
        self.model_problem = gr.HTML("", visible=False, elem_id="calc-model-problem")
        with gr.Row(elem_classes="calc-pair"):
            self._add("objective")
            self._add("method")
        for name in _MAIN[:-2]:
            self._add(name)
        self.problem = gr.HTML("", visible=False, elem_id="calc-problem")
        with gr.Row(elem_classes="calc-pair"):
            for name in _MAIN[-2:]:
                self._add(name)
        self.own["gpu"] = gr.Dropdown(
            [("This machine", THIS_MACHINE), *GPUS],
            value=THIS_MACHINE,
            label="GPU",
            elem_id="calc-gpu",
        )

    def _data(self) -> None:
        self._dropdown("dataset_name", self.datasets())
        with gr.Row(elem_classes="calc-pair"):
            self._number("rows", "Or enter row count", "1000")
            self._number("mean_tokens", "Tokens per row", "200")
        self._number("per_hour", "Price per hour", "from the hourly prices")

    def _number(self, name: str, label: str, placeholder: str) -> None:
        # An empty gr.Number turns into 0 when it is unfolded.
        self.own[name] = gr.Textbox(
            "", label=label, placeholder=placeholder, max_lines=1, min_width=80
        )

    def datasets(self) -> list[tuple[str, str]]:
        """(label, value) of the datasets that can be measured: prepared ones, then samples."""
        prepared = [each for each in self.studio.datasets.list() if each.rows.get("train")]
        names = {each.name for each in prepared}
        return [
            *((each.name, each.name if each.name in SAMPLES else each.id) for each in prepared),
            *((f"{alias}, sample", alias) for alias in SAMPLE_TYPES if alias not in names),
        ]

    def follow_cards(self, ctx: PageContext) -> None:
        """Offer this machine's GPUs one by one where there are several, once libraries tell."""
        seen = gr.State(None)
        ctx.status.change(guard(self.cards), seen, [self.own["gpu"], seen], queue=False, **QUIET)

    def cards(self, seen: list[str] | None) -> tuple[Update, Update]:
        """The GPUs to choose from; skipped while they are those that were seen."""
        own = [(card.label(), card_name(card.index)) for card in card_list(self.studio)]
        names = [name for _, name in own]
        if names == (seen or []):
            return gr.skip(), gr.skip()
        return gr.update(choices=[("This machine", THIS_MACHINE), *own, *GPUS]), names

    # --- reading

    @property
    def read(self) -> set[Any]:
        """The components that `values` and `asked` need."""
        return {self.base, *self.fields.values(), *self.own.values()}

    def values(self, data: Mapping[Any, Any]) -> dict[str, Any]:
        """The whole recipe's form values."""
        base = data[self.base]
        values = {**base, **{name: data[each] for name, each in self.fields.items()}}
        if values["dataset_name"] != base["dataset_name"]:  # another one, chosen here, is the only
            values["datasets"] = ""
        return values

    def recipe(self, data: Mapping[Any, Any]) -> Recipe:
        """The recipe as it stands; a `ConfigError` names the field that is wrong."""
        return recipe_fields.read(self.values(data))

    def asked(self, data: Mapping[Any, Any]) -> Asked:
        """What only the calculator asks; a `ConfigError` for a number that is none."""
        given = {name: data[each] for name, each in self.own.items()}
        rows = _number(given["rows"], "The row count")
        return Asked(
            given["gpu"],
            int(rows) if rows else None,
            _number(given["mean_tokens"], "Tokens per row"),
            _number(given["per_hour"], "Price per hour"),
        )

    # --- writing

    def followed(self, before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """Form values once the defaults have followed objective, method and model.

        `before` were the values when they followed last. Fields that `values` changed stay.
        """
        old, new = (tuple(each[name] for name in LEADING) for each in (before, values))
        device = recipe_defaults.device(self.studio)
        changes, _ = recipe_defaults.follow(old, new, device)  # pyright: ignore[reportArgumentType]
        typed = {name for name in values if values[name] != before[name]}
        now = {**values, **{name: new for name, new in changes.items() if name not in typed}}
        if old[2] != new[2]:
            now["lora_target_modules"] = self._targets(new[2], now["lora_target_modules"])
        return now

    def _targets(self, model: str, text: str) -> str:
        """The targets that a model has; all-linear when it has none of them."""
        if not self.studio.worker.ready or text in ("", ALL_LINEAR):
            return text
        from studio.calculator.meta_model import meta_model

        try:
            known = meta_model(model).targets()
        except StudioError:
            return text  # the figures say what is wrong with the model
        kept = [name for name in map(str.strip, text.split(",")) if name in known]
        return ", ".join(kept) or ALL_LINEAR

    def switched(self, values: Mapping[str, Any], names: list[str]) -> str:
        """The targets with some names turned on, or off where all of them were on."""
        from studio.calculator.meta_model import meta_model

        every = meta_model(values["model_name_or_path"]).targets()
        chosen = [name.strip() for name in str(values["lora_target_modules"]).split(",")]
        now = every if ALL_LINEAR in chosen else [name for name in chosen if name in every]
        after = set(now) ^ set(names) if set(names) <= set(now) else {*now, *names}
        kept = [name for name in every if name in after]
        return ALL_LINEAR if tuple(kept) == every else ", ".join(kept)

    def updates(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Any]:
        """Updates of `base` and of every field that takes the form from one state to another."""
        objective, method = now["objective"], now["method"]
        found: list[Any] = [dict(now)]
        for name in self.fields:
            update: dict[str, Any] = {}
            if now[name] != before[name]:
                update["value"] = now[name]
            if parameters()[name].sometimes:
                update["visible"] = parameters()[name].applies(objective, method)
            if name == "dataset_name":
                update["choices"] = self.datasets()
            found.append(gr.update(**update) if update else gr.skip())
        return found

    @property
    def written(self) -> list[Any]:
        """The outputs of `updates`."""
        return [self.base, *self.fields.values()]


def _id(name: str) -> str:
    return f"calc-{name.replace('_', '-')}"


def _number(text: str | None, what: str) -> float | None:
    """The number in a text field; None for an empty one or 0."""
    try:
        number = float((text or "").strip().replace(",", "") or 0)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e15:
        raise ConfigError(f"{what} is {text!r}; give a number above 0, or leave it empty.")
    return number or None
