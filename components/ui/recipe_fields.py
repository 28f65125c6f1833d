"""The recipe as a form: every knob's widget, made from its field; values in and out.

A knob is named once, in `studio.runs.fields`. Here its annotation decides the widget, its help and
label are the field's own, and `only` decides when it is shown. No layout here, and nothing about a
page.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr

from studio.core.errors import ConfigError
from studio.runs.launch_configs import LAUNCH_CONFIGS
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe

Kind = Literal["text", "pairs", "words", "number", "integer", "flag", "maybe", "choice", "several"]

SIMPLE = (
    "objective",
    "dataset_name",
    "model_name_or_path",
    "start_from",
    "method",
    "learning_rate",
    "num_train_epochs",
)
"""The knobs that stand before "More", in order; `start_from` only where there is something."""
EVERYDAY = ("lora_r", "lora_alpha", "max_length", "per_device_train_batch_size")
"""What opens first behind "More"."""
GROUPS = {
    "objective": "Objective",
    "adapter": "Adapter",
    "optimization": "Optimization",
    "memory": "Memory and precision",
    "devices": "Several GPUs",
    "logging": "Logging and checkpoints",
}
HELP_LINE = '<p class="knob-help" aria-hidden="true"></p>'
"""Where `static/train.js` shows the help of the knob that has the pointer or the focus."""
_NAMES = {
    name: row.label
    for name, row in (*METHODS.items(), *OBJECTIVES.items(), *LAUNCH_CONFIGS.items())
}
_MAYBE = [("when it can be", "auto"), ("yes", "yes"), ("no", "no")]


@dataclass(frozen=True)
class Knob:
    """What a form needs to know of one field."""

    name: str
    label: str
    help: str
    group: str
    only: str | None
    kind: Kind
    choices: tuple[str, ...] = ()
    optional: bool = False
    default: Any = None

    def applies(self, objective: str, method: str) -> bool:
        """Whether the knob does anything for this objective and method."""
        return Recipe.applies(self.name, objective, method)

    @property
    def sometimes(self) -> bool:
        """Whether there are choices for which it does nothing."""
        return self.only is not None or self.group == "adapter"


@functools.cache
def knobs() -> dict[str, Knob]:
    """Every knob a person can set, by name, in the order of the recipe."""
    return {name: _knob(name) for name in Recipe.model_fields}


def _knob(name: str) -> Knob:
    field = Recipe.model_fields[name]
    extra = typing.cast(dict[str, Any], field.json_schema_extra or {})
    kind, choices, optional = _kind(field.annotation)
    label = extra.get("label") or name.replace("_", " ").capitalize()
    return Knob(
        name,
        label,
        field.description or "",
        extra["group"],
        extra.get("only"),
        kind,
        choices,
        optional,
        field.default,
    )


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...], bool]:
    """The kind of widget an annotation asks for, its choices, and whether it may be empty."""
    optional = False
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        optional = len(parts) < len(typing.get_args(annotation))
        annotation = next((p for p in parts if typing.get_origin(p) is tuple), parts[0])
    if typing.get_origin(annotation) is Literal:
        return "choice", typing.get_args(annotation), optional
    if typing.get_origin(annotation) is tuple:
        inner = typing.get_args(annotation)[0]
        if typing.get_origin(inner) is Literal:
            return "several", typing.get_args(inner), optional
        return "words", (), optional
    if typing.get_origin(annotation) is dict:
        return "pairs", (), optional
    if annotation is bool:
        return ("maybe" if optional else "flag"), (), optional
    plain: dict[Any, Kind] = {int: "integer", float: "number"}
    return plain.get(annotation, "text"), (), optional


# ---- widgets ------------------------------------------------------------------------------------


def widget(knob: Knob, value: Any, **settings: Any) -> Any:
    """A widget for a knob, inside whatever layout is open; its help ends in the field's name."""
    common = {
        "label": knob.label,
        "value": shown(knob, value),
        "info": help_of(knob.name),
        "elem_classes": "knob",
        "elem_id": f"knob-{knob.name.replace('_', '-')}",
        "min_width": 80,
        **settings,
    }
    match knob.kind:
        case "flag":
            return gr.Checkbox(**common)
        case "integer" if not knob.optional:  # an empty gr.Number turns into 0 when it is unfolded
            return gr.Number(precision=0, **common)
        case "choice":
            return gr.Dropdown([(_NAMES.get(c, c), c) for c in knob.choices], **common)
        case "several":
            # Its choices follow the objective; values on their way meanwhile the recipe judges.
            return gr.Dropdown(
                list(knob.choices), multiselect=True, allow_custom_value=True, **common
            )
        case "maybe":
            return gr.Dropdown(_MAYBE, **common)
        case _:
            return gr.Textbox(max_lines=1, **common)


def name_of(choice: str) -> str:
    """An objective or a method as people write it: `dpo` -> `DPO`."""
    return _NAMES.get(choice, choice)


def help_of(name: str) -> str:
    """A knob's one line of help, ending in the field's own name."""
    return f"{knobs()[name].help} ({name})"


def choices_of(name: str) -> list[tuple[str, str]]:
    """(label, value) pairs of a knob with fixed choices, for a widget of one's own."""
    return [(_NAMES.get(choice, choice.capitalize()), choice) for choice in knobs()[name].choices]


def shown(knob: Knob, value: Any) -> Any:
    """A recipe's value as its widget holds it."""
    match knob.kind:
        case "number":
            return "" if value is None else number_text(value)
        case "maybe":
            return {None: "auto", True: "yes", False: "no"}[value]
        case "several":
            return list(value)
        case "words":
            if value is None or isinstance(value, str):
                return value or ""
            return joined(knob.name, value)
        case "pairs":
            return ", ".join(f"{key}={number}" for key, number in value.items())
        case "text":
            return value or ""
        case "integer" if knob.optional:
            return "" if value is None else str(value)
        case _:
            return value


def parted(name: str) -> str:
    """What stands between several values: a rewarded pattern and a file's name may hold commas."""
    return "; " if name in ("reward_funcs", "datasets") else ", "


def joined(name: str, values: Iterable[Any]) -> str:
    """Several values as one text; a semicolon inside a rewarded pattern is written as its code."""
    between = parted(name)
    kept = (
        str(value).replace(";", r"\x3b") if name == "reward_funcs" else str(value)
        for value in values
    )
    return between.join(kept)


def number_text(value: float) -> str:
    """`0.0002` -> `2e-4`, `3.0` -> `3`: as people write rates."""
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}"


def given(knob: Knob, value: Any) -> Any:
    """A widget's value as the recipe takes it; a `ConfigError` for a number that is none."""
    match knob.kind:
        case "number" | "integer":
            return _number(knob, value)
        case "maybe":
            return {"yes": True, "no": False}.get(value)
        case "several":
            return tuple(value or ())
        case "words":
            several = str(value or "").split(parted(knob.name).strip())
            parts = [part.strip() for part in several if part.strip()]
            return tuple(parts) if parts or not knob.optional else None
        case "text":
            text = str(value or "").strip()
            return text if text or not knob.optional else None
        case _:
            return value


def _number(knob: Knob, value: Any) -> float | int | None:
    text = "" if value is None else str(value).strip().replace(",", ".")
    if not text:
        if knob.optional:
            return None
        raise ConfigError(f"{knob.label} ({knob.name}) is empty; give it a number.")
    try:
        number = float(text)
    except ValueError:
        raise ConfigError(
            f"{knob.label} ({knob.name}) cannot be {text!r}; give it a number such as "
            f"{number_text(knob.default) if knob.default else 10}."
        ) from None
    return int(number) if knob.kind == "integer" else number


def read(values: Mapping[str, Any]) -> Recipe:
    """The recipe that a form's values make; knobs that do not apply are left at their defaults."""
    objective, method = values["objective"], values["method"]
    known = knobs()
    return Recipe.of(
        {
            name: given(known[name], value)
            for name, value in values.items()
            if known[name].applies(objective, method)
        }
    )


def written(recipe: Recipe) -> dict[str, Any]:
    """A recipe's values as the form's widgets hold them."""
    return {name: shown(knob, getattr(recipe, name)) for name, knob in knobs().items()}
