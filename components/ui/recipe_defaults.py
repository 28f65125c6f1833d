"""The customary recipe for a choice, what follows from another one, and the command of a recipe.

What changes in the form when objective, method, model or machine do, and a line that says so.
"""

from __future__ import annotations

import functools
import shlex
from typing import TYPE_CHECKING, Any

import gradio as gr
import yaml

from components.ui.recipe_fields import Parameter, parameters, parted, shown
from studio.core.formatting import in_a_sentence
from studio.core.model_names import POCKET
from studio.runs.defaults import defaults, for_device
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe, presets, recommended_recipe

if TYPE_CHECKING:
    from studio import Studio

Choice = tuple[str, str, str]  # objective, method, model
LEADING = ("objective", "method", "model_name_or_path")
"""The fields that others follow, in the order of a `Choice`."""
FIRST: Choice = ("sft", "lora", POCKET)
"""What the forms open with."""


@functools.cache
def shipped() -> dict[str, Recipe]:
    """The shipped recipes by slug, read once."""
    return presets()


def device(studio: Studio) -> str:
    """`cuda`, `mps` or `cpu`; empty while the libraries that tell are loading."""
    if not studio.worker.ready:
        return ""
    from studio.core.hardware import detected

    return detected().device


def usual(choice: Choice, device: str = "") -> tuple[Recipe, str]:
    """The customary recipe for an objective, a method and a model, and whose custom it is.

    On a `device` that is known, with what follows from it.
    """
    recipe, why = recommended_recipe(*choice)
    follows = list(for_device(recipe, device)) if device else []
    return recipe.with_(**{each.field: each.value for each in follows}), why


def follow(before: Choice, after: Choice, device: str = "") -> tuple[dict[str, Any], str]:
    """What changes in the form when objective, method or model does, and a line that says so."""
    if before == after:
        return {}, ""
    (old, _), (new, why) = usual(before, device), usual(after, device)
    kept = {"name", "objective", "method", "model_name_or_path", "dataset_name", "start_from"}
    changes, words = {}, []
    for name, parameter in parameters().items():
        if name in kept or not parameter.applies(after[0], after[1]):
            continue
        value = getattr(new, name)
        if value == getattr(old, name) and parameter.applies(before[0], before[1]):
            continue
        changes[name] = shown(parameter, value)
        if value != getattr(old, name):
            words.append(f"{in_a_sentence(parameter.label)} {_said(parameter, value)}")
    about = _about(before, after)
    if not words:
        return changes, about
    said = ", ".join(words[:4]) + (f" and {len(words) - 4} more" if len(words) > 4 else "")
    reasons = (each.why for each in defaults(*after[:2]) if each.field in changes)
    reason = next(reasons, "") if why.startswith("usual") else ""  # else the recipe is the reason
    told = f"{said[0].upper()}{said[1:]}: {why}."
    here = (
        each.why
        for each in for_device(recommended_recipe(*after)[0], device)
        if each.field in changes
    )
    parts = (about, told, _sentence(reason), _sentence(next(here, "") if device else ""))
    return changes, " ".join(part for part in parts if part)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}." if words else ""


def _about(before: Choice, after: Choice) -> str:
    """What the newly chosen objective or method is, in a line."""
    told = []
    if before[0] != after[0]:
        row = OBJECTIVES[after[0]]
        told.append(f"{row.label}: {row.help}")
        if row.experimental:
            told.append("It is one of TRL's experimental trainers.")
    if before[1] != after[1]:
        told.append(f"{METHODS[after[1]].label}: {METHODS[after[1]].help}")
    return " ".join(told)


def losses(objective: str, method: str, value: Any = None) -> Any:
    """The update of the loss's widget: an objective's own losses, gone where there is but one."""
    own = OBJECTIVES[objective].losses
    visible = parameters()["loss_type"].applies(objective, method) and len(own) > 1
    choices = list(own or parameters()["loss_type"].choices)
    if value is None:
        return gr.update(choices=choices, visible=visible)
    return gr.update(choices=choices, visible=visible, value=list(value))


def _said(parameter: Parameter, value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(shown(parameter, value)) if value is not None else "automatic"


# ---- the command --------------------------------------------------------------------------------


def command(recipe: Recipe) -> str:
    """The shell command that starts this very run: the nearest shipped recipe and what differs."""
    plain = recipe.model_dump(mode="json")

    def differences(other: Recipe) -> dict[str, Any]:
        theirs = other.model_dump(mode="json")
        return {name: value for name, value in plain.items() if value != theirs[name]}

    candidates = {slug: differences(other) for slug, other in shipped().items()}
    slug = min(candidates, key=lambda name: len(candidates[name]))
    sets = [
        f"--set {shlex.quote(f'{name}={_flat(name, value)}')}"
        for name, value in candidates[slug].items()
        if (name, value) != ("name", "")
    ]
    return " \\\n  ".join([f"python -m studio train {slug}", *sets])


def _flat(name: str, value: Any) -> str:
    if isinstance(value, list):
        return parted(name).strip().join(str(part) for part in value)
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
