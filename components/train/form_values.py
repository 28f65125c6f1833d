"""The Train form's values, and what fills them: a choice, a recipe, or some parameters.

Every method returns updates by widget; `form` lays the widgets out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.train import form_options
from components.train.mixture_builder import MixtureBuilder, with_first
from components.train.reward_builder import RewardBuilder
from components.ui import recipe_defaults, recipe_fields
from components.ui.compat import Field, Update, Updates, Values, Widget
from components.ui.html import notice
from components.ui.recipe_defaults import FIRST, LEADING, Choice
from components.ui.recipe_fields import parameters
from studio.core.errors import StudioError
from studio.core.formatting import in_a_sentence
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe

if TYPE_CHECKING:
    from studio import Studio


_NOT_TYPED = {*LEADING, "name", "dataset_name", "datasets", "start_from", "start_as", "device"}
_HOW_MUCH = {
    "max_steps",
    "num_train_epochs",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "max_length",
    "seed",
}


class FormFilling:
    """The form's widgets by parameter, the choice their defaults follow, and what fills them."""

    note: gr.HTML
    """Says which parameters changed, and why."""
    undo: gr.Button
    """Takes that back."""
    trouble: gr.HTML
    """Says what is wrong, beside the button."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self.fields: dict[str, Field] = {}
        self.settled = gr.State(FIRST)
        """The choice that the defaults follow now."""
        self.before = gr.State("")
        """The recipe before other parameters followed a choice, as YAML, for Undo."""
        self.rewards = RewardBuilder(studio)
        self.mixture = MixtureBuilder(studio)

    @property
    def everything(self) -> list[Widget]:
        """What filling the form may change."""
        own = [self.settled, self.note, self.before, self.undo]
        own += [self.rewards.box, self.rewards.rows, self.mixture.rows]
        return [*self.fields.values(), *own]

    def values(self, data: Values) -> dict[str, Any]:
        """The value of every widget, by parameter."""
        values = {name: data[widget] for name, widget in self.fields.items()}
        values["start_from"] = values["start_from"] or None
        values["datasets"] = with_first(values["datasets"], values["dataset_name"])
        return values

    def recipe(self, data: Values) -> Recipe:
        """The form's recipe; a `ConfigError` names the parameter that is wrong."""
        return recipe_fields.read(self.values(data))

    def follow(self, data: Values) -> Updates:
        """Objective, method or model changed: defaults and applicable parameters follow."""
        values, settled = self.values(data), data[self.settled]
        return self._turned(values, settled) | self.undoable(values, settled)

    def undoable(self, values: dict[str, Any], settled: Choice) -> Updates:
        """What Undo goes back to: the form as it was under the choice that its defaults follow."""
        try:
            was = recipe_fields.read(values | dict(zip(LEADING, settled, strict=True)))
        except StudioError:  # it could not be trained on either
            return {self.before: "", self.undo: gr.update(visible=False)}
        return {self.before: was.to_yaml(), self.undo: gr.update(visible=True)}

    def take_back(self, before: str) -> Updates:
        """The form as it was before the last choice that others followed."""
        return self.filled(Recipe.from_yaml(before), "") if before else {}

    def typed(self, data: Values, after: Choice) -> dict[str, Any]:
        """Recipe fields that were set by hand and still mean the same under another choice.

        Under another objective or method only how much is trained (`_HOW_MUCH`): a learning rate
        of SFT is none of DPO.
        """
        values, settled = self.values(data), data[self.settled]
        known = [recipe_defaults.usual(settled, on)[0] for on in ("", self._device())]
        same = settled[:2] == after[:2]
        found = {}
        for name, parameter in parameters().items():
            if name in _NOT_TYPED or not (same or name in _HOW_MUCH):
                continue
            applies = parameter.applies(*settled[:2]) and parameter.applies(*after[:2])
            usual = [recipe_fields.shown(parameter, getattr(each, name)) for each in known]
            if applies and values[name] not in usual:
                with contextlib.suppress(StudioError):
                    found[name] = recipe_fields.given(parameter, values[name])
        return found

    def _device(self) -> str:
        return recipe_defaults.device(self.studio)

    def with_choice(self, data: Values, leading: Mapping[str, str]) -> Updates:
        """Set some of objective, method and model; defaults and applicable parameters follow."""
        updates = self._turned(self.values(data) | dict(leading), data[self.settled])
        return updates | {self.fields[name]: gr.update(value=leading[name]) for name in leading}

    def _turned(self, values: dict[str, Any], before: Choice) -> Updates:
        after = (values["objective"], values["method"], str(values["model_name_or_path"]).strip())
        changes, note = recipe_defaults.follow(before, after, recipe_defaults.device(self.studio))
        updates: Updates = self._visible(after)
        for name, value in changes.items():
            updates[self.fields[name]] = gr.update(value=value, visible=True)
        if "loss_type" in changes:
            value = changes["loss_type"]
            updates[self.fields["loss_type"]] = recipe_defaults.losses(*after[:2], value=value)
        start, note = self._start_from(values, before, after, note)
        updates[self.fields["start_from"]] = start
        if before[0] != after[0]:
            updates[self.fields["dataset_name"]] = self._dataset(after[0], values["dataset_name"])
            if values["datasets"]:
                updates[self.fields["datasets"]] = gr.update(value="")
                note = f"{note} The datasets that were mixed in are removed.".strip()
        updates |= {self.settled: after, self.note: notice("info", note)}
        return self.rewards.follow(after[0], self.mixture.follow(updates))

    def _visible(self, choice: Choice) -> Updates:
        return {
            self.fields[name]: gr.update(visible=parameter.applies(choice[0], choice[1]))
            for name, parameter in parameters().items()
            if parameter.sometimes
        } | {self.fields["loss_type"]: recipe_defaults.losses(*choice[:2])}

    def _start_from(
        self, values: dict[str, Any], before: Choice, after: Choice, note: str
    ) -> tuple[Update, str]:
        """Which runs can be started from; DPO takes its model's newest SFT run by default."""
        offered = form_options.start_choices(self.studio, after[2], after[1], after[0])
        chosen = values["start_from"] or ""
        if chosen not in [value for _, value in offered]:
            chosen = ""
        if before[0] != after[0]:
            chosen = ""
            held = OBJECTIVES[after[0]].reference
            newest = form_options.newest_sft(self.studio, after[2]) if held else None
            if newest is not None and newest.id in [value for _, value in offered]:
                chosen = newest.id
                note = f"{note} Starts from {newest.name}, whose frozen copy is the reference."
        visible = len(offered) > 1
        return gr.update(choices=offered, value=chosen, visible=visible), note.strip()

    def _dataset(self, objective: str, chosen: str | None) -> Update:
        offered = form_options.dataset_choices(self.studio, objective)
        names = [value for _, value in offered]
        value = chosen if chosen in names else next(iter(names), None)
        return gr.update(choices=offered, value=value)

    def filled(self, recipe: Recipe, note: str = "") -> Updates:
        """Set every widget to a recipe."""
        choice = (recipe.objective, recipe.method, recipe.model_name_or_path)
        updates = self._visible(choice)
        for name, value in recipe_fields.written(recipe).items():
            visible = parameters()[name].applies(choice[0], choice[1])
            if name != "loss_type":
                updates[self.fields[name]] = gr.update(value=value, visible=visible)
        updates[self.fields["loss_type"]] = recipe_defaults.losses(
            *choice[:2], value=recipe.loss_type
        )
        offered = form_options.start_choices(self.studio, choice[2], choice[1], choice[0])
        updates[self.fields["start_from"]] = gr.update(
            choices=offered, value=recipe.start_from or "", visible=len(offered) > 1
        )
        card = "" if recipe.device is None else str(recipe.device)
        updates[self.fields["device"]] = form_options.card_update(self.studio, card, value=card)
        datasets = form_options.dataset_choices(self.studio, recipe.objective)
        updates[self.fields["dataset_name"]] = gr.update(
            choices=datasets, value=form_options.dataset_value(self.studio, recipe.dataset_name)
        )
        updates |= {self.settled: choice, self.note: notice("info", note)}
        updates |= {self.before: "", self.undo: gr.update(visible=False)}
        return self.rewards.follow(recipe.objective, self.mixture.follow(updates))

    def changed(self, data: Values, wanted: Mapping[str, Any]) -> Updates:
        """Set some parameters; one that was edited since the request stays as it is."""
        values, before = self.values(data), wanted["before"]
        parameter_values = {
            name: recipe_fields.shown(parameters()[name], value)
            for name, value in wanted["changes"].items()
            if name in values and values[name] == before[name]
        }
        leading = {name: parameter_values[name] for name in LEADING if name in parameter_values}
        updates = self._turned(values | leading, data[self.settled]) if leading else {}
        after = tuple((values | parameter_values)[name] for name in LEADING)
        for name, value in parameter_values.items():
            shown = parameters()[name].applies(*after[:2])
            updates[self.fields[name]] = gr.update(value=value, visible=shown)
        if "dataset_name" in parameter_values:
            offered = form_options.dataset_choices(self.studio, after[0])
            value = form_options.dataset_value(self.studio, parameter_values["dataset_name"])
            updates[self.fields["dataset_name"]] = gr.update(choices=offered, value=value)
        labels = [in_a_sentence(parameters()[name].label) for name in parameter_values]
        note = f"Taken from the Calculator: {', '.join(labels)}." if labels else ""
        updates |= {self.note: notice("info", note)} if note else {}
        return self.mixture.follow(updates)

    def use_what_fits(self, data: Values) -> Updates:
        """Set batch size, checkpointing and quantization to the fastest that fit in memory."""
        from studio.training.auto_batch_size import best_fit

        try:
            recipe = self.recipe(data)
            fit = best_fit(recipe, form_options.recipe_rows(self.studio, recipe))
        except StudioError as error:
            return {self.trouble: form_options.trouble_html(error)}
        if not fit.fits:
            return {self.note: notice("warn", fit.sentence())}
        choice = (fit.recipe.objective, fit.recipe.method, fit.recipe.model_name_or_path)
        updates = self._visible(choice) if "method" in fit.changes else {}
        for name, value in fit.changes.items():
            if name in self.fields:
                updates[self.fields[name]] = gr.update(
                    value=recipe_fields.shown(parameters()[name], value)
                )
        return updates | {self.settled: choice, self.note: notice("good", fit.sentence())}
