"""Train: a recipe on the left (`form`), the runs it leads to on the right (`run_monitor`)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.train import form_options, reward_panels
from components.train.form import RecipeForm
from components.train.run_monitor import RunMonitor
from components.ui import recipe_defaults
from components.ui.compat import Reply, Update, Updates, Values
from components.ui.handlers import QUIET, guard
from components.ui.page_context import PageContext, Session
from components.ui.recipe_fields import parameters
from studio.core.formatting import in_a_sentence
from studio.runs.recipe import OBJECTIVE_TYPES

if TYPE_CHECKING:
    from studio import Studio


@dataclass(frozen=True)
class TrainHandles:
    """What the other tabs use."""

    opening: gr.State
    """Set to `ask(...)` to fill the form or show a run, to `change(...)` to set some parameters."""
    viewing: gr.State
    """The id of the run in view; empty while there is none."""
    recipe: gr.Textbox
    """The form's recipe as YAML, always current."""
    form: RecipeForm
    """The form: its widgets by parameter, and the recipe they make."""
    compare: gr.Button
    """Compares the run in view (`viewing`) with its base; visible once the run has weights."""
    compare_start: gr.Button
    """Compares it with the run that it started from as well; visible where there is one."""


def ask(
    dataset: str | None = None,
    objective: str | None = None,
    start_from: str | None = None,
    run: str | None = None,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Reply:
    """A value for `TrainHandles.opening`: what to set in the form, or the run to show.

    `settings` are recipe fields by name.
    """
    wanted = {
        "dataset": dataset,
        "objective": objective,
        "start_from": start_from,
        "model": model,
        "run": run,
        "settings": dict(settings or {}),
    }
    return {**wanted, "asked": time.monotonic()}


def change(settings: Mapping[str, Any], before: Mapping[str, Any]) -> Reply:
    """A value for `TrainHandles.opening` that sets some parameters and leaves the others.

    `before` are the form's values at the time: a parameter edited since is left alone.
    """
    return {"changes": dict(settings), "before": dict(before), "asked": time.monotonic()}


def filling() -> Update:
    """An update for the Train button, until the form holds what `opening` asks for."""
    return gr.update(value="Filling in the form", interactive=False)


_FILLS = ("dataset", "objective", "start_from", "model", "settings")


def build(studio: Studio, ctx: PageContext) -> TrainHandles:
    """Lay the tab out inside the open `gr.Tab` and bind it."""
    left, right = RecipeForm(studio, ctx), RunMonitor(studio, ctx)
    opening = gr.State(None)
    with gr.Row(elem_classes="desk", elem_id="train-desk"):
        left.lay_out()
        right.lay_out()
    reward_panels.build(studio)
    left.bind()
    right.bind(left.started)

    def show(wanted: Reply | None, session: Session) -> Update:
        run = (wanted or {}).get("run")
        return replace(session, run_id=run) if run else gr.skip()

    def fill(data: Values) -> Update:
        wanted = data[opening] or {}
        if not wanted.get("changes") and not any(wanted.get(key) for key in _FILLS):
            return gr.skip()
        updates: Updates = {}
        try:
            changed = wanted.get("changes")
            if changed:
                updates = left.changed(data, wanted)
            else:
                updates = filled(studio, left, wanted, data)
                updates |= left.undoable(left.values(data), data[left.settled])
        except Exception as error:
            updates = {left.trouble: form_options.trouble_html(error)}
        name = updates.get(left.fields["dataset_name"], data[left.fields["dataset_name"]])
        chosen = name.get("value") if isinstance(name, dict) else name
        several = updates.get(left.fields["datasets"], data[left.fields["datasets"]])
        mixed = several.get("value") if isinstance(several, dict) else several
        label = form_options.start_label(studio, chosen, mixed)
        return updates | {left.start: gr.update(value=label, interactive=True)}

    def copy(data: Values) -> Update:
        wanted = data[right.actions.copied]
        if not wanted:
            return gr.skip()
        run = studio.runs.get(wanted[0])
        note = f"Copied the recipe of {run.name}: edit it, then train."
        return left.filled(run.recipe.with_(name=f"{run.name} copy"[:120]), note)

    everything = left.everything
    opening.change(guard(show), [opening, ctx.session], ctx.session, **QUIET)
    opening.change(
        guard(fill),
        {opening, left.settled, *left.fields.values()},
        [*everything, left.trouble, left.start],
        **QUIET,
    )
    right.actions.copied.change(guard(copy), {right.actions.copied}, everything, **QUIET)
    return TrainHandles(
        opening, right.viewing, left.texts.yaml, left, right.compare, right.compare_start
    )


def filled(
    studio: Studio, left: RecipeForm, wanted: Mapping[str, Any], data: Values | None = None
) -> Updates:
    """The form filled for a dataset, an objective and a run to start from, with their defaults.

    What was typed into the form (`data`) stays where it still means the same.
    """
    changes: dict[str, Any] = dict(wanted.get("settings") or {})
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
    kept = left.typed(data, (objective, method, model)) if data is not None else {}
    changes = kept | changes | {"name": ""}
    if "dataset_name" not in changes:
        changes["dataset_name"] = recipe.dataset_name
    note = f"Parameters set to {why}."
    if wanted.get("settings"):
        note = f"Your choices applied; other parameters set to {why}."
    if parent:
        note += f" Starts from {parent.name}."
    if kept:
        labels = (in_a_sentence(parameters()[name].label) for name in kept)
        note += f" Kept as you set them: {', '.join(labels)}."
    return left.filled(recipe.with_(**changes), note)
