"""Train: a recipe on the left, what becomes of it on the right.

`train_form` holds the left column, `train_watch` the right one; `form` and `plots` know nothing
about a page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.train import reward_panels
from components.train.form import RecipeForm
from components.train.form_values import Updates
from components.train.run_monitor import Watch
from components.ui import recipe_defaults
from components.ui.handlers import QUIET, guard
from components.ui.page_context import PageContext
from studio.runs.recipe import OBJECTIVE_TYPES

if TYPE_CHECKING:
    from studio import Studio


@dataclass(frozen=True)
class TrainHandles:
    """What the page's wiring uses."""

    opening: gr.State
    """Set to `ask(...)` to fill the form from another tab, or to bring a run into view."""
    viewing: gr.State
    """The id of the run in view; empty while there is none."""
    recipe: gr.Textbox
    """The form's recipe as YAML, always current."""
    form: RecipeForm
    """The form's widgets by knob, and what they come to."""
    compare: gr.Button
    """Pressed to compare the run in view (`viewing`) with its base; there once it left weights."""


def ask(
    dataset: str | None = None,
    objective: str | None = None,
    start_from: str | None = None,
    run: str | None = None,
    model: str | None = None,
    knobs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A value for `TrainHandles.opening`: what to set in the form, or the run to show.

    `knobs` are changes to the recipe, under its own names.
    """
    wanted = {
        "dataset": dataset,
        "objective": objective,
        "start_from": start_from,
        "model": model,
        "run": run,
        "knobs": dict(knobs or {}),
    }
    return {**wanted, "asked": time.monotonic()}


def change(knobs: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """A value for `TrainHandles.opening` that sets some knobs and leaves the others as they are.

    `before` are the form's values when this was asked: a knob typed in since is left alone.
    """
    return {"changes": dict(knobs), "before": dict(before), "asked": time.monotonic()}


def build(studio: Studio, ctx: PageContext) -> TrainHandles:
    """Lay the tab out inside the open `gr.Tab` and bind it."""
    left, right = RecipeForm(studio, ctx), Watch(studio, ctx)
    opening = gr.State(None)
    with gr.Row(elem_classes="desk", elem_id="train-desk"):
        left.lay_out()
        right.lay_out()
    reward_panels.build(studio)
    left.bind()
    right.bind(left.started)

    def show(wanted: dict[str, Any] | None, session: Any) -> Any:
        run = (wanted or {}).get("run")
        return replace(session, run_id=run) if run else gr.skip()

    def fill(data: Mapping[Any, Any]) -> Any:
        wanted = data[opening] or {}
        if wanted.get("changes"):
            return left.changed(data, wanted) or gr.skip()
        asked = ("dataset", "objective", "start_from", "model", "knobs")
        if not any(wanted.get(key) for key in asked):
            return gr.skip()
        return filled(studio, left, wanted)

    def copy(data: Mapping[Any, Any]) -> Any:
        wanted = data[right.actions.copied]
        if not wanted:
            return gr.skip()
        run = studio.runs.get(wanted[0])
        note = f"Every knob set as in {run.name}: change what you like and train."
        return left.filled(run.recipe.with_(name=f"{run.name} copy"[:120]), note)

    everything = left.everything
    opening.change(guard(show), [opening, ctx.session], ctx.session, **QUIET)
    opening.change(guard(fill), {opening, left.settled, *left.fields.values()}, everything, **QUIET)
    right.actions.copied.change(guard(copy), {right.actions.copied}, everything, **QUIET)
    return TrainHandles(opening, right.viewing, left.texts.yaml, left, right.compare)


def filled(studio: Studio, left: RecipeForm, wanted: Mapping[str, Any]) -> Updates:
    """The form set for a dataset, an objective and a run to go on from, with their usual values."""
    changes: dict[str, Any] = dict(wanted.get("knobs") or {})
    objective = wanted.get("objective") or changes.get("objective")
    model, parent = wanted.get("model") or changes.get("model_name_or_path"), None
    if wanted.get("start_from"):
        parent = studio.runs.get(wanted["start_from"])
        changes |= {"start_from": parent.id}
        model = model or parent.model
    if wanted.get("dataset"):
        dataset = studio.dataset_for(wanted["dataset"])
        changes["dataset_name"] = dataset.id
        fitting = [kind for kind, types in OBJECTIVE_TYPES.items() if dataset.type in types]
        objective = objective or next(iter(fitting), None)
    objective, model = objective or "sft", model or "pocket"
    method = parent.method if parent and parent.method != "full" else "lora"
    method = changes.get("method") or method
    recipe, why = recipe_defaults.usual((objective, method, model), recipe_defaults.device(studio))
    changes["name"] = ""
    if "dataset_name" not in changes:
        changes["dataset_name"] = recipe.dataset_name
    note = f"Every knob {why}."
    if wanted.get("knobs"):
        note = f"Set as it was chosen; every other knob {why}."
    if parent:
        note += f" Starts from {parent.name}."
    return left.filled(recipe.with_(**changes), note)
