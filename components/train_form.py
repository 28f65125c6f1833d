"""The left of the Train tab: a recipe as form, as YAML and as command, and what it will take."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from components import form, form_follow, train_choices
from components.common import QUIET, Shell, guard, notice
from components.form import EVERYDAY, GROUPS, HELP_LINE, SIMPLE, knobs
from components.form_follow import Choice
from components.train_recipe import RecipeTexts
from components.train_sweep import SweepFold
from studio.errors import StudioError
from studio.models.catalog import POCKET, choices
from studio.recipe import Recipe
from studio.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from studio import Studio

Updates = dict[Any, Any]
LEADING = ("objective", "method", "model_name_or_path")
"""The knobs that others follow."""
_FIRST: Choice = ("sft", "lora", POCKET)


class RecipeForm:
    """The form's widgets by knob, and their handlers; what was typed lives in the page."""

    def __init__(self, studio: Studio, shell: Shell):
        self.studio, self.shell = studio, shell
        self.fields: dict[str, Any] = {}
        self.settled = gr.State(_FIRST)
        self.seen: Any = gr.State(())
        self.first = form_follow.usual(_FIRST)[0].with_(name="")
        self.restated = gr.State(self.first.to_yaml())
        """The form's recipe as YAML, when it last made one."""
        self.texts, self.sweep = RecipeTexts(studio), SweepFold(studio)
        self.started = gr.State("")
        """The id of the run that this browser started last."""

    # ---- layout ---------------------------------------------------------------------------------

    def lay_out(self) -> None:
        """The column, inside the open row."""
        recipe = self.first
        with gr.Column(elem_classes="settle", elem_id="train-form"):
            with gr.Column(elem_classes="simple"):
                self._simple(recipe)
            self.note = gr.HTML("", elem_id="train-note")
            with gr.Accordion("More", open=False, elem_classes="fold"):
                self._more(recipe)
            with gr.Accordion("Recipe as YAML and command", open=False, elem_classes="fold"):
                self.texts.lay_out(recipe)
            with gr.Accordion("Try several values", open=False, elem_classes="fold"):
                self.sweep.lay_out()
            with gr.Row(elem_id="train-costs"):
                self.line = gr.HTML(train_choices.line_html(""), elem_id="train-line")
                self.fit = gr.Button("Use what fits", size="sm", elem_id="train-fit", min_width=60)
            self.trouble = gr.HTML(
                "", elem_id="train-trouble",
                js_on_load="studioBeside(element, callback => watch('value', callback));",
            )  # fmt: skip
            self.start = gr.Button(
                "Train", variant="primary", elem_classes="main-action", elem_id="train-start"
            )

    def _simple(self, recipe: Recipe) -> None:
        add = functools.partial(self._add, recipe)
        self.fields["objective"] = gr.Radio(
            form.choices_of("objective"), value=recipe.objective, label="Objective",
            elem_classes=["segmented", "knob"], info=form.help_of("objective"),
            elem_id="train-objective",
        )  # fmt: skip
        self.fields["dataset_name"] = gr.Dropdown(
            train_choices.dataset_choices(self.studio, recipe.objective), value=recipe.dataset_name,
            label="Dataset", allow_custom_value=True, elem_id="train-dataset", elem_classes="knob",
            info=form.help_of("dataset_name"),
        )  # fmt: skip
        self.fields["model_name_or_path"] = gr.Dropdown(
            choices(), value=recipe.model_name_or_path, label="Model", allow_custom_value=True,
            elem_id="train-model", elem_classes="knob", info=form.help_of("model_name_or_path"),
        )  # fmt: skip
        self.fields["start_from"] = gr.Dropdown(
            [train_choices.FROM_BASE], value="", label="Start from", visible=False,
            allow_custom_value=True,  # a run may be deleted while it is chosen here
            elem_id="train-start-from", elem_classes="knob", info=form.help_of("start_from"),
        )  # fmt: skip
        with gr.Row(elem_classes="pair"):
            add("method", min_width=100)
            add("learning_rate")
            add("num_train_epochs")
        gr.HTML(HELP_LINE)

    def _more(self, recipe: Recipe) -> None:
        usual = recipe.usual_name()
        self._add(recipe, "name", placeholder=usual)  # left empty, it follows what is chosen
        with gr.Column(elem_classes="everyday"):
            with gr.Row(elem_classes="pair"):
                for name in EVERYDAY:
                    self._add(recipe, name, min_width=120)
            gr.HTML(HELP_LINE)
        for group, title in GROUPS.items():
            names = [
                name
                for name, knob in knobs().items()
                if knob.group == group and name not in (*SIMPLE, *EVERYDAY)
            ]
            if names:
                with gr.Accordion(title, open=False, elem_classes="fold inner"):
                    for name in names:
                        self._add(recipe, name)
        self._add(recipe, "model_revision")

    def _add(self, recipe: Recipe, name: str, **settings: Any) -> None:
        knob = knobs()[name]
        visible = knob.applies(recipe.objective, recipe.method)
        self.fields[name] = form.widget(knob, getattr(recipe, name), visible=visible, **settings)

    # ---- binding --------------------------------------------------------------------------------

    def bind(self) -> None:
        """Bind the handlers; call once everything is laid out."""
        fields = set(self.fields.values())
        leading = [self.fields[name] for name in LEADING]
        everything = [*self.fields.values(), self.settled, self.note]
        gr.on(
            [widget.input for widget in leading],
            guard(self.follow), {*fields, self.settled}, everything, **QUIET,
        )  # fmt: skip
        texts = [self.texts.yaml, self.texts.command, self.start, self.trouble, self.restated]
        gr.on(
            [widget.change for widget in self.fields.values()], guard(self.restate, "quietly"),
            fields, texts, trigger_mode="always_last", **QUIET,
        )  # fmt: skip
        # Not on the same changes: two always_last handlers of one event wake each other for ever.
        gr.on(
            [self.restated.change, self.shell.pulse.change], guard(self.estimate, "quietly"),
            self.restated, [self.line, self.start, self.fields["name"]],
            trigger_mode="always_last", **QUIET,
        )  # fmt: skip
        self.texts.bind(fields, self.recipe, self.filled, everything, self.trouble)
        self.sweep.bind(fields, self.recipe, self.started)
        self.fit.click(
            guard(self.use_what_fits), fields,
            [*everything, self.trouble], **QUIET,
        )  # fmt: skip
        self.start.click(
            guard(self.begin), fields, [self.start, self.trouble, self.started], **QUIET
        )
        lists = [self.fields["dataset_name"], self.fields["start_from"], self.seen]
        self.shell.pulse.change(
            guard(self.freshen, "quietly"), [*leading, self.fields["start_from"], self.seen],
            lists, queue=False, trigger_mode="multiple", **QUIET,
        )  # fmt: skip

    def values(self, data: Mapping[Any, Any]) -> dict[str, Any]:
        """What stands in every widget, by knob."""
        values = {name: data[widget] for name, widget in self.fields.items()}
        values["start_from"] = values["start_from"] or None
        return values

    def recipe(self, data: Mapping[Any, Any]) -> Recipe:
        """The recipe that the form holds; a `ConfigError` names the knob that stands in the way."""
        return form.read(self.values(data))

    # ---- handlers -------------------------------------------------------------------------------

    def follow(self, data: Mapping[Any, Any]) -> Updates:
        """Objective, method or model changed: the defaults and what applies change with it."""
        values = self.values(data)
        return self._turned(values, data[self.settled])

    def _turned(self, values: dict[str, Any], before: Choice) -> Updates:
        after = (values["objective"], values["method"], str(values["model_name_or_path"]).strip())
        changes, note = form_follow.follow(before, after, train_choices.device(self.studio))
        updates: Updates = self._visible(after)
        for name, value in changes.items():
            updates[self.fields[name]] = gr.update(value=value, visible=True)
        if "loss_type" in changes:
            value = changes["loss_type"]
            updates[self.fields["loss_type"]] = form_follow.losses(*after[:2], value=value)
        start, note = self._start_from(values, before, after, note)
        updates[self.fields["start_from"]] = start
        if before[0] != after[0]:
            updates[self.fields["dataset_name"]] = self._dataset(after[0], values["dataset_name"])
            updates[self.fields["name"]] = ""
        return updates | {self.settled: after, self.note: notice("info", note)}

    def _visible(self, choice: Choice) -> Updates:
        return {
            self.fields[name]: gr.update(visible=knob.applies(choice[0], choice[1]))
            for name, knob in knobs().items()
            if knob.sometimes
        } | {self.fields["loss_type"]: form_follow.losses(*choice[:2])}

    def _start_from(
        self,
        values: dict[str, Any],
        before: Choice,
        after: Choice,
        note: str,
    ) -> tuple[Any, str]:
        """Which runs can be continued; DPO takes up the newest SFT run of its model by itself."""
        offered = train_choices.start_choices(self.studio, after[2], after[1])
        chosen = values["start_from"] or ""
        if chosen not in [value for _, value in offered]:
            chosen = ""
        if before[0] != after[0]:
            chosen = ""
            held = OBJECTIVES[after[0]].reference
            newest = train_choices.newest_sft(self.studio, after[2]) if held else None
            if newest is not None and newest.id in [value for _, value in offered]:
                chosen = newest.id
                note = f"{note} Starts from {newest.name}, whose frozen copy is the reference."
        visible = len(offered) > 1
        return gr.update(choices=offered, value=chosen, visible=visible), note.strip()

    def _dataset(self, objective: str, chosen: str | None) -> Any:
        offered = train_choices.dataset_choices(self.studio, objective)
        names = [value for _, value in offered]
        value = chosen if chosen in names else next(iter(names), None)
        return gr.update(choices=offered, value=value)

    def filled(self, recipe: Recipe, note: str = "") -> Updates:
        """Every widget set to a recipe."""
        choice = (recipe.objective, recipe.method, recipe.model_name_or_path)
        updates = self._visible(choice)
        for name, value in form.written(recipe).items():
            visible = knobs()[name].applies(choice[0], choice[1])
            if name != "loss_type":
                updates[self.fields[name]] = gr.update(value=value, visible=visible)
        updates[self.fields["loss_type"]] = form_follow.losses(*choice[:2], value=recipe.loss_type)
        offered = train_choices.start_choices(self.studio, choice[2], choice[1])
        updates[self.fields["start_from"]] = gr.update(
            choices=offered, value=recipe.start_from or "", visible=len(offered) > 1
        )
        datasets = train_choices.dataset_choices(self.studio, recipe.objective)
        updates[self.fields["dataset_name"]] = gr.update(
            choices=datasets, value=train_choices.dataset_value(self.studio, recipe.dataset_name)
        )
        return updates | {self.settled: choice, self.note: notice("info", note)}

    def changed(self, data: Mapping[Any, Any], wanted: Mapping[str, Any]) -> Updates:
        """Some knobs set, the others left; a knob that was typed in since it was asked stays."""
        values, before = self.values(data), wanted["before"]
        knob_values = {
            name: form.shown(knobs()[name], value)
            for name, value in wanted["changes"].items()
            if name in values and values[name] == before[name]
        }
        leading = {name: knob_values[name] for name in LEADING if name in knob_values}
        updates = self._turned(values | leading, data[self.settled]) if leading else {}
        after = tuple((values | knob_values)[name] for name in LEADING)
        for name, value in knob_values.items():
            shown = knobs()[name].applies(*after[:2])
            updates[self.fields[name]] = gr.update(value=value, visible=shown)
        if "dataset_name" in knob_values:
            offered = train_choices.dataset_choices(self.studio, after[0])
            value = train_choices.dataset_value(self.studio, knob_values["dataset_name"])
            updates[self.fields["dataset_name"]] = gr.update(choices=offered, value=value)
        labels = [knobs()[name].label.lower() for name in knob_values]
        note = f"As in the Calculator: {', '.join(labels)}." if labels else ""
        return updates | ({self.note: notice("info", note)} if note else {})

    def use_what_fits(self, data: Mapping[Any, Any]) -> Updates:
        """Batch, checkpointing and quantisation for the quickest run that fits, with a line."""
        from studio.training.fitting import best_fit

        try:
            recipe = self.recipe(data)
            fit = best_fit(recipe, train_choices.known_rows(self.studio, recipe.dataset_name))
        except StudioError as error:
            return {self.trouble: train_choices.trouble_html(error)}
        if not fit.fits:
            return {self.note: notice("warn", fit.sentence())}
        choice = (fit.recipe.objective, fit.recipe.method, fit.recipe.model_name_or_path)
        updates = self._visible(choice) if "method" in fit.changes else {}
        for name, value in fit.changes.items():
            if name in self.fields:
                updates[self.fields[name]] = gr.update(value=form.shown(knobs()[name], value))
        return updates | {self.settled: choice, self.note: notice("good", fit.sentence())}

    def restate(self, data: Mapping[Any, Any]) -> Updates:
        """The YAML, the command and the button say what the form says."""
        values = self.values(data)
        label = train_choices.start_label(self.studio, values["dataset_name"])
        try:
            recipe = form.read(values)
        except StudioError as error:
            return {self.trouble: train_choices.trouble_html(error), self.start: label}
        text = recipe.to_yaml()
        return {
            self.texts.yaml: text,
            self.texts.command: form_follow.command(recipe),
            self.start: gr.update(value=label),
            self.trouble: "",
            self.restated: text,
        }

    def estimate(self, text: str) -> tuple[str, str, Any]:
        """What the run will take on one line, what the button says, and the run's usual name.

        From the recipe's text, for an event costs the browser some time for each input.
        """
        recipe = Recipe.from_yaml(text)
        return (
            train_choices.estimate_line(self.studio, recipe),
            train_choices.start_label(self.studio, recipe.dataset_name),
            gr.update(placeholder=train_choices.free_name(self.studio, recipe.with_(name=""))),
        )

    def freshen(
        self, objective: str, method: str, model: str, start_from: str, seen: Any
    ) -> tuple[Any, Any, Any]:
        """New datasets and runs appear in the lists; nothing is sent while there are none.

        It sends no value but for a run that is gone: the form may have been filled anew meanwhile.
        """
        now = (*train_choices.signature(self.studio), objective, method, model)
        if now == seen:
            return gr.skip(), gr.skip(), gr.skip()
        offered = train_choices.start_choices(self.studio, model, method)
        start: dict[str, Any] = {"choices": offered, "visible": len(offered) > 1}
        if (start_from or "") not in [value for _, value in offered]:
            start["value"] = ""  # the run that was chosen is gone
        datasets = train_choices.dataset_choices(self.studio, objective)
        return gr.update(choices=datasets), gr.update(**start), now

    def begin(self, data: Mapping[Any, Any]) -> Iterator[Updates]:
        """Queue the run; what is wrong is said beside the button."""
        values = self.values(data)
        label = train_choices.start_label(self.studio, values["dataset_name"])
        yield {self.start: gr.update(value="Starting", interactive=False), self.trouble: ""}
        updates: Updates = {}
        try:
            recipe = form.read(values)
            name = train_choices.free_name(self.studio, recipe)
            updates[self.started] = self.studio.train(recipe.with_(name=name)).id
        except Exception as error:
            updates[self.trouble] = train_choices.trouble_html(error)
        yield updates | {self.start: gr.update(value=label, interactive=True)}
