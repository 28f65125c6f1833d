"""The recipe as a form: every parameter's widget, made from its field; values in and out.

A parameter is named once, in `studio.runs.fields`. Here its annotation decides the widget, its help
and label are the field's own, and `only` decides when it is shown. No layout here, and nothing
about a page.
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
from studio.core.formatting import rate_text
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
    "max_steps",
)
"""The parameters that stand before "More", in order; `start_from` only where there is something."""
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
HELP_LINE = '<p class="parameter-help" aria-hidden="true"></p>'
"""Where `static/train.js` shows the help of the parameter that has the pointer or the focus."""
_NAMES = {
    name: row.label
    for name, row in (*METHODS.items(), *OBJECTIVES.items(), *LAUNCH_CONFIGS.items())
}
_MAYBE = [("when it can be", "auto"), ("yes", "yes"), ("no", "no")]


@dataclass(frozen=True)
class Parameter:
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
        """Whether the parameter does anything for this objective and method."""
        return Recipe.applies(self.name, objective, method)

    @property
    def sometimes(self) -> bool:
        """Whether there are choices for which it does nothing."""
        return self.only is not None or self.group == "adapter"


@functools.cache
def parameters() -> dict[str, Parameter]:
    """Every parameter a person can set, by name, in the order of the recipe."""
    return {name: _parameter(name) for name in Recipe.model_fields}


def _parameter(name: str) -> Parameter:
    field = Recipe.model_fields[name]
    extra = typing.cast(dict[str, Any], field.json_schema_extra or {})
    kind, choices, optional = _kind(field.annotation)
    label = extra.get("label") or name.replace("_", " ").capitalize()
    return Parameter(
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


def widget(parameter: Parameter, value: Any, **settings: Any) -> Any:
    """A widget for a parameter, inside whatever layout is open; its help ends in its name."""
    common = {
        "label": parameter.label,
        "value": shown(parameter, value),
        "info": help_of(parameter.name),
        "elem_classes": "parameter",
        "elem_id": f"parameter-{parameter.name.replace('_', '-')}",
        "min_width": 80,
        **settings,
    }
    match parameter.kind:
        case "flag":
            return gr.Checkbox(**common)
        case "integer" if (
            not parameter.optional
        ):  # an empty gr.Number turns into 0 when it is unfolded
            return gr.Number(precision=0, **common)
        case "choice":
            return gr.Dropdown([(_NAMES.get(c, c), c) for c in parameter.choices], **common)
        case "several":
            # Its choices follow the objective; values on their way meanwhile the recipe judges.
            return gr.Dropdown(
                list(parameter.choices), multiselect=True, allow_custom_value=True, **common
            )
        case "maybe":
            return gr.Dropdown(_MAYBE, **common)
        case _:
            return gr.Textbox(**{"max_lines": 1, **common})


def name_of(choice: str) -> str:
    """An objective or a method as people write it: `dpo` -> `DPO`."""
    return _NAMES.get(choice, choice)


def help_of(name: str) -> str:
    """A parameter's one line of help, ending in the field's own name."""
    return f"{parameters()[name].help} ({name})"


def choices_of(name: str) -> list[tuple[str, str]]:
    """(label, value) pairs of a parameter with fixed choices, for a widget of one's own."""
    return [
        (_NAMES.get(choice, choice.capitalize()), choice) for choice in parameters()[name].choices
    ]


def shown(parameter: Parameter, value: Any) -> Any:
    """A recipe's value as its widget holds it."""
    match parameter.kind:
        case "number":
            return "" if value is None else rate_text(value)
        case "maybe":
            return {None: "auto", True: "yes", False: "no"}[value]
        case "several":
            return list(value)
        case "words":
            if value is None or isinstance(value, str):
                return value or ""
            return joined(parameter.name, value)
        case "pairs":
            return ", ".join(f"{key}={number}" for key, number in value.items())
        case "text":
            return value or ""
        case "integer" if parameter.optional:
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


def given(parameter: Parameter, value: Any) -> Any:
    """A widget's value as the recipe takes it; a `ConfigError` for a number that is none."""
    match parameter.kind:
        case "number" | "integer":
            return _number(parameter, value)
        case "maybe":
            return {"yes": True, "no": False}.get(value)
        case "several":
            return tuple(value or ())
        case "words":
            several = str(value or "").split(parted(parameter.name).strip())
            parts = [part.strip() for part in several if part.strip()]
            return tuple(parts) if parts or not parameter.optional else None
        case "text":
            text = str(value or "").strip()
            return text if text or not parameter.optional else None
        case _:
            return value


def _number(parameter: Parameter, value: Any) -> float | int | None:
    text = "" if value is None else str(value).strip().replace(",", ".")
    if not text:
        if parameter.optional:
            return None
        raise ConfigError(f"{parameter.label} ({parameter.name}) is empty; give it a number.")
    try:
        number = float(text)
    except ValueError:
        raise ConfigError(
            f"{parameter.label} ({parameter.name}) cannot be {text!r}; give it a number such as "
            f"{rate_text(parameter.default) if parameter.default else 10}."
        ) from None
    return int(number) if parameter.kind == "integer" else number


def read(values: Mapping[str, Any]) -> Recipe:
    """The recipe that a form's values make; parameters that do not apply keep their defaults."""
    objective, method = values["objective"], values["method"]
    known = parameters()
    return Recipe.of(
        {
            name: given(known[name], value)
            for name, value in values.items()
            if known[name].applies(objective, method)
        }
    )


def written(recipe: Recipe) -> dict[str, Any]:
    """A recipe's values as the form's widgets hold them."""
    return {
        name: shown(parameter, getattr(recipe, name)) for name, parameter in parameters().items()
    }
