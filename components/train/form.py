"""The left of the Train tab: a recipe as form, YAML and command, with its estimated cost."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import gradio as gr

from components.train import form_options, parameter_search
from components.train.form_values import FormFilling
from components.train.goal_choice import GoalChoice
from components.train.hosted import HostedFold
from components.train.model_choice import ModelChoice
from components.train.recipe_yaml import RecipeTexts
from components.train.sweep import SweepFold
from components.ui import recipe_defaults, recipe_fields
from components.ui.compat import Update, Updates, Value, Values
from components.ui.handlers import QUIET, guard
from components.ui.page_context import PageContext
from components.ui.recipe_defaults import FIRST, LEADING
from components.ui.recipe_fields import EVERYDAY, GROUPS, HELP_LINE, parameters
from studio.core import hub
from studio.core.errors import ConfigError, StudioError
from studio.core.model_names import choices
from studio.runs.recipe import Recipe

if TYPE_CHECKING:
    from studio import Studio


_READING = "() => ({__type__: 'update', value: 'Counting rows', interactive: false})"
_ARM = """(armed, dataset, datasets) => {
  const of = JSON.parse(armed || "{}"), same = (one, other) => (one ?? "") === (other ?? "");
  const filling = document.getElementById("train-start")?.textContent.includes("Filling in");
  const current = !filling && same(of.dataset, dataset) && same(of.datasets, datasets);
  return {__type__: "update", ...(current ? {value: of.label, interactive: true} : {})};
}"""
"""An answer that is late is of the dataset before: label and dataset change together or not, and
what fills the form sets the label itself."""


class RecipeForm(FormFilling):
    """Lays the form out and binds it; the values live in the page."""

    def __init__(self, studio: Studio, ctx: PageContext):
        super().__init__(studio)
        self.ctx = ctx
        self.seen = gr.State(())
        self.first = recipe_defaults.usual(FIRST)[0].with_(name="")
        self.restated = gr.State(self.first.to_yaml())
        """The form's last valid recipe, as YAML."""
        self.texts, self.sweep = RecipeTexts(studio), SweepFold(studio)
        self.hosted = HostedFold(studio)
        self.choice, self.goal = ModelChoice(studio), GoalChoice(studio)
        self.started = gr.State("")
        """The id of the run this browser started last."""

    # ---- layout ---------------------------------------------------------------------------------

    def lay_out(self) -> None:
        """The column, inside the open row."""
        recipe = self.first
        with gr.Column(elem_classes="settle", elem_id="train-form"):
            with gr.Column(elem_classes="simple"):
                self._simple(recipe)
            self.rewards.lay_out(functools.partial(self._add, recipe))
            with gr.Row(elem_id="train-noted"):
                self.note = gr.HTML("", elem_id="train-note")
                self.undo = gr.Button(
                    "Undo", size="sm", visible=False, elem_id="train-undo", min_width=60
                )
            gr.HTML(parameter_search.html(), elem_id="train-find")
            with gr.Accordion(
                "More parameters", open=False, elem_classes="fold", elem_id="train-more"
            ):
                self._more(recipe)
            with gr.Accordion("Recipe as YAML and command", open=False, elem_classes="fold"):
                self.texts.lay_out(recipe)
            with gr.Accordion("Sweep", open=False, elem_classes="fold"):
                self.sweep.lay_out()
            with gr.Accordion(
                "Run on HF Jobs",
                open=False,
                visible=hub.known_login(),
                elem_classes="fold",
                elem_id="train-hosted",
            ):
                self.hosted.lay_out()
            with gr.Column(elem_id="train-foot"):
                self._foot()

    def _foot(self) -> None:
        """What stays in view however long the form is: the cost, what is wrong, the button."""
        with gr.Row(elem_id="train-costs"):
            self.line = gr.HTML(form_options.line_html(""), elem_id="train-line")
            self.fit = gr.Button("Fit to memory", size="sm", elem_id="train-fit", min_width=60)
        self.trouble = gr.HTML(
            "",
            elem_id="train-trouble",
            js_on_load="studioBeside(element, callback => watch('value', callback));",
        )
        self.choice.lay_out()
        self.start = gr.Button(
            "Train", variant="primary", elem_classes="main-action", elem_id="train-start"
        )
        self.armed = gr.Textbox("", visible=False, elem_id="train-armed")
        """The button's label with the dataset that it is of: `_ARM` shows it for no other."""

    def _simple(self, recipe: Recipe) -> None:
        add = functools.partial(self._add, recipe)
        self.goal.lay_out()
        self.fields["objective"] = gr.Radio(
            form_options.objective_choices(),
            value=recipe.objective,
            label="Objective",
            elem_classes=["segmented", "parameter"],
            info=recipe_fields.help_of("objective"),
            elem_id="train-objective",
        )
        gr.HTML(form_options.MORE_OBJECTIVES, elem_id="train-more-objectives")
        self.fields["dataset_name"] = gr.Dropdown(
            form_options.dataset_choices(self.studio, recipe.objective),
            value=recipe.dataset_name,
            label="Dataset",
            allow_custom_value=True,
            elem_id="train-dataset",
            elem_classes="parameter",
            info=recipe_fields.help_of("dataset_name"),
        )
        self.mixture.lay_out(add)
        self.fields["model_name_or_path"] = gr.Dropdown(
            choices(),
            value=recipe.model_name_or_path,
            label="Model",
            allow_custom_value=True,
            elem_id="train-model",
            elem_classes="parameter",
            info=recipe_fields.help_of("model_name_or_path"),
        )
        self.fields["start_from"] = gr.Dropdown(
            [form_options.FROM_BASE],
            value="",
            label="Start from",
            visible=False,
            allow_custom_value=True,  # the chosen run may be deleted
            elem_id="train-start-from",
            elem_classes="parameter",
            info=recipe_fields.help_of("start_from"),
        )
        with gr.Row(elem_classes="pair"):
            add("method", min_width=100)
            add("learning_rate")
            add("num_train_epochs")
            add("max_steps")
        gr.HTML(HELP_LINE)

    def _more(self, recipe: Recipe) -> None:
        self._add(recipe, "name", placeholder=recipe.usual_name())  # the default when left empty
        self.fields["device"] = gr.Dropdown(
            [form_options.ANY_CARD],
            value="",
            label=parameters()["device"].label,
            visible=False,  # until several GPUs are seen
            allow_custom_value=True,  # a recipe from a machine with more of them
            elem_id="train-device",
            elem_classes="parameter",
            info=recipe_fields.help_of("device"),
        )
        with gr.Column(elem_classes="everyday"):
            with gr.Row(elem_classes="pair"):
                for name in EVERYDAY:
                    self._add(recipe, name, min_width=120)
            gr.HTML(HELP_LINE)
        for group, title in GROUPS.items():
            names = [
                name
                for name, parameter in parameters().items()
                if parameter.group == group and name not in self.fields
            ]
            if names:
                with gr.Accordion(
                    title, open=False, elem_classes="fold inner", elem_id=f"train-group-{group}"
                ):
                    for name in names:
                        self._add(recipe, name)
        self._add(recipe, "model_revision")

    def _add(self, recipe: Recipe, name: str, **settings: Value) -> None:
        parameter = parameters()[name]
        visible = parameter.applies(recipe.objective, recipe.method)
        self.fields[name] = recipe_fields.widget(
            parameter, getattr(recipe, name), visible=visible, **settings
        )

    # ---- binding --------------------------------------------------------------------------------

    def bind(self) -> None:
        """Bind the handlers; call once everything is laid out."""
        fields = set(self.fields.values())
        leading = [self.fields[name] for name in LEADING]
        everything = self.everything
        gr.on(
            [widget.input for widget in leading],
            guard(self.follow),
            {*fields, self.settled},
            everything,
            **QUIET,
        )
        texts = [self.texts.yaml, self.texts.command, self.armed, self.trouble, self.restated]
        named = [self.fields["dataset_name"], self.fields["datasets"]]
        gr.on([field.change for field in named], None, None, self.start, js=_READING, **QUIET)
        self.armed.change(None, [self.armed, *named], self.start, js=_ARM, **QUIET)
        gr.on(
            [widget.change for widget in self.fields.values()],
            guard(self.restate, "quietly"),
            {*fields, self.restated},
            texts,
            trigger_mode="always_last",
            **QUIET,
        )
        # Not on the same changes: two always_last handlers of one event trigger each other forever.
        gr.on(
            [self.restated.change, self.ctx.status.change],
            guard(self.estimate, "quietly"),
            self.restated,
            [self.line, self.armed, self.fields["name"], self.mixture.shares],
            trigger_mode="always_last",
            **QUIET,
        )
        self.texts.bind(fields, self.recipe, self.filled, everything, self.trouble)
        self.sweep.bind(fields, self.recipe, self.started)
        self.hosted.bind(fields, self.recipe, self.started)
        model, dataset = self.fields["model_name_or_path"], self.fields["dataset_name"]
        self.goal.bind(model, dataset, self.filled, everything)
        self.choice.bind(
            self.restated, self.ctx.status, {*fields, self.settled}, self.with_choice, everything
        )
        self.rewards.bind(self.fields, self.recipe)
        self.mixture.bind(self.fields)
        self.undo.click(guard(self.take_back), self.before, everything, **QUIET)
        self.fit.click(guard(self.use_what_fits), fields, [*everything, self.trouble], **QUIET)
        self.start.click(
            guard(self.begin),
            {*fields, self.start},
            [self.start, self.trouble, self.started],
            **QUIET,
        )
        lists = [self.fields[name] for name in ("dataset_name", "start_from", "device")]
        lists.append(self.seen)
        self.ctx.status.change(
            guard(self.freshen, "quietly"),
            [*leading, self.fields["start_from"], self.fields["device"], self.seen],
            lists,
            queue=False,
            trigger_mode="multiple",
            **QUIET,
        )

    # ---- handlers -------------------------------------------------------------------------------

    def restate(self, data: Values) -> Updates:
        """Bring the YAML, the command and the button in line with the form.

        A YAML that is current stays as it is: somebody may be editing it.
        """
        values = self.values(data)
        shown = [data[self.fields[name]] for name in ("dataset_name", "datasets")]
        armed = form_options.armed(self.studio, *shown)
        try:
            recipe = recipe_fields.read(values)
        except StudioError as error:
            return {self.trouble: form_options.trouble_html(error), self.armed: armed}
        text = recipe.to_yaml()
        if text == data[self.restated]:
            return {self.armed: armed, self.trouble: ""}
        return {
            self.texts.yaml: text,
            self.texts.command: recipe_defaults.command(recipe),
            self.armed: armed,
            self.trouble: "",
            self.restated: text,
        }

    def estimate(self, text: str) -> tuple[str, str, Update, str]:
        """The run's cost on one line, the button's label, the run's default name, and what a
        mixture comes to.

        It takes the recipe as text because an event costs the browser time for each input.
        """
        recipe = Recipe.from_yaml(text)
        return (
            form_options.estimate_line(self.studio, recipe),
            form_options.armed(
                self.studio, recipe.dataset_name, "; ".join(map(str, recipe.datasets))
            ),
            gr.update(placeholder=form_options.free_name(self.studio, recipe.with_(name=""))),
            self.mixture.shares_of(recipe),
        )

    def freshen(
        self, objective: str, method: str, model: str, start_from: str, device: str, seen: Value
    ) -> tuple[Update, Update, Update, Value]:
        """New datasets and runs appear in the lists; nothing is sent while there are none.

        It sets no value, except for a run that is gone: the form may have been refilled since.
        """
        now = (*form_options.signature(self.studio), objective, method, model)
        if now == seen:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        offered = form_options.start_choices(self.studio, model, method, objective)
        start: dict[str, Value] = {"choices": offered, "visible": len(offered) > 1}
        if (start_from or "") not in [value for _, value in offered]:
            start["value"] = ""  # the chosen run is gone
        datasets = form_options.dataset_choices(self.studio, objective)
        card = form_options.card_update(self.studio, device)
        return gr.update(choices=datasets), gr.update(**start), card, now

    def begin(self, data: Values) -> Iterator[Updates]:
        """Queue the run, or say beside the button what is wrong.

        The press comes with what the button said: it may have been drawn for an earlier dataset.
        """
        values = self.values(data)
        label = form_options.start_label(self.studio, values["dataset_name"], values["datasets"])
        if data[self.start] != label:
            error = ConfigError(f"The dataset changed since. Press again to {label.lower()}.")
            yield {
                self.start: gr.update(value=label),
                self.trouble: form_options.trouble_html(error),
            }
            return
        yield {self.start: gr.update(value="Starting", interactive=False), self.trouble: ""}
        updates: Updates = {}
        try:
            recipe = recipe_fields.read(values)
            name = form_options.free_name(self.studio, recipe)
            updates[self.started] = self.studio.train(recipe.with_(name=name)).id
        except Exception as error:
            updates[self.trouble] = form_options.trouble_html(error)
        yield updates | {self.start: gr.update(value=label, interactive=True)}
