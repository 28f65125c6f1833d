"""The Calculator in the app: it and the Train form agree, and what is wrong is said in place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from app import build_app
from components.page import calculator_sync
from components.page.calculator_sync import RecipeSync
from components.train import tab as train_tab
from studio.engine.studio import Studio
from tests.unit.calculator.conftest import TINY


class Forms:
    """What a browser holds of both forms, and what opening a tab does to it."""

    def __init__(self, sync: RecipeSync):
        self.sync = sync
        self.calculator, self.train = sync.calculator, sync.train
        inputs = self.calculator.inputs
        fields = (inputs.fields, inputs.own, self.train.form.fields)
        self.data: dict[Any, Any] = {
            field: field.value for each in fields for field in each.values()
        }
        self.data |= {self.train.form.fields["start_from"]: "", self.calculator.linked: True}
        self.data |= {sync.met: None, inputs.base: inputs.base.value}
        self.data[self.train.form.settled] = ("sft", "lora", "pocket")

    def see(self, form: str, parameter: str) -> Any:
        return self.data[self.fields(form)[parameter]]

    def fields(self, form: str) -> dict[str, Any]:
        return {"calculator": self.calculator.inputs, "train": self.train.form}[form].fields

    def type(self, form: str, **values: Any) -> None:
        for parameter, value in values.items():
            self.data[self.fields(form)[parameter]] = value

    def choose(self, **values: Any) -> None:
        """Typed into the Calculator, with what follows."""
        inputs = self.calculator.inputs
        before = inputs.values(self.data)
        self._write(inputs.followed(before, {**before, **values}))

    def _write(self, values: dict[str, Any]) -> None:
        inputs = self.calculator.inputs
        self.data[inputs.base] = values
        self.type("calculator", **{name: values[name] for name in inputs.fields})

    def open(self, tab: str, meanwhile: dict[str, Any] | None = None) -> None:
        """`meanwhile` is typed into that tab's form before the response comes."""
        to_calculator, to_train, met = self.sync.meet(self.data, tab)
        self.type(tab.lower(), **(meanwhile or {}))
        if met != gr.skip():
            self.data[self.sync.met] = met
        if to_calculator != gr.skip():
            page, shown = self.calculator.page, self.calculator.inputs.values(self.data)
            self._write(page.newer(to_calculator, shown))
        if to_train != gr.skip():
            for field, update in self.train.form.changed(self.data, to_train).items():
                if isinstance(update, dict) and "value" in update:
                    self.data[field] = update["value"]
                elif not isinstance(update, dict):
                    self.data[field] = update


@pytest.fixture(scope="module")
def sync(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RecipeSync]:
    """The whole page's own, built once."""
    found = []
    bind = RecipeSync.bind
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            calculator_sync.RecipeSync,
            "bind",
            lambda self, place: (found.append(self), bind(self, place)),
        )
        studio = Studio(tmp_path_factory.mktemp("home"))
        build_app(studio)
    yield found[0]
    studio.close()


@pytest.fixture
def forms(sync: RecipeSync) -> Forms:
    return Forms(sync)


def test_a_run_is_called_after_what_is_chosen_until_somebody_types_a_name(forms: Forms):
    form = forms.train.form
    forms.type("train", dataset_name="places")
    restated = form.restate({**forms.data, form.restated: ""})[form.restated]
    assert form.estimate(restated)[2]["placeholder"] == "pocket-sft"
    forms.type("train", objective="dpo", name="mine")
    updates = form.follow(forms.data)
    assert form.fields["dataset_name"] in updates and form.fields["name"] not in updates


def test_a_rank_changed_here_or_there_is_the_same(forms: Forms):
    forms.type("train", lora_r=24, max_length=96)
    forms.open("calculator")
    assert forms.see("calculator", "lora_r") == 24 and forms.see("calculator", "max_length") == 96
    forms.type("calculator", lora_r=64)
    forms.open("train")
    assert forms.see("train", "lora_r") == 64 and forms.see("train", "max_length") == 96
    assert "Taken from the Calculator: LoRA rank." in forms.data[forms.train.form.note]
    forms.open("calculator")
    forms.type("train", lora_r=8)
    forms.open("calculator")
    assert forms.see("calculator", "lora_r") == 8


def test_both_are_one_recipe(forms: Forms):
    forms.open("calculator")
    forms.choose(
        model_name_or_path="TinyLlama/TinyLlama-1.1B-Chat-v1.0", method="dora", objective="dpo"
    )
    forms.type(
        "calculator",
        lora_r=4,
        lora_target_modules="q_proj, v_proj",
        load_in_4bit=True,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=4,
        max_length=128,
        activation_checkpointing=True,
        optim="paged_adamw_8bit",
        rank_pattern="q_proj=2",
        num_train_epochs="2",
    )
    forms.open("train")
    ours, theirs = (form.recipe(forms.data) for form in (forms.calculator.inputs, forms.train.form))
    assert theirs.dataset_name == "pocket-preference"  # DPO cannot learn from the calculator's
    assert theirs.with_(dataset_name=ours.dataset_name) == ours
    assert (theirs.lora_r, theirs.lora_target_modules) == (4, ("q_proj", "v_proj"))
    forms.open("calculator")
    assert forms.calculator.inputs.recipe(forms.data) == theirs


def test_fields_without_a_widget_in_the_calculator_come_along(forms: Forms):
    forms.type("train", learning_rate="3e-5", lora_alpha=7)
    forms.open("calculator")
    recipe = forms.calculator.inputs.recipe(forms.data)
    assert (recipe.learning_rate, recipe.lora_alpha) == (3e-5, 7)


def test_a_late_answer_takes_nothing_back(forms: Forms):
    forms.type("train", lora_r=24, max_length=96)
    forms.open("calculator", meanwhile={"lora_r": 5})
    assert forms.see("calculator", "lora_r") == 5 and forms.see("calculator", "max_length") == 96
    forms.type("calculator", max_length=64)
    forms.open("train", meanwhile={"max_length": 100})
    assert forms.see("train", "max_length") == 100 and forms.see("train", "lora_r") == 5


def test_a_form_filled_from_elsewhere_since_is_the_newest_word(forms: Forms):
    forms.open("calculator")
    forms.type("calculator", lora_r=64)
    forms.type("train", num_train_epochs="9")  # another tab filled the Train form
    forms.open("train")
    assert forms.see("train", "lora_r") == 16
    forms.type("train", max_length=80)
    forms.open("calculator")
    assert forms.see("calculator", "lora_r") == 16


def test_what_was_typed_stays_where_it_means_the_same_and_undo_brings_the_rest_back(forms: Forms):
    form = forms.train.form
    forms.type("train", max_steps=20, learning_rate="5e-5")

    def filled(**wanted: str) -> tuple[dict[str, Any], str]:
        updates = train_tab.filled(form.studio, form, train_tab.ask(**wanted), forms.data)
        return {name: updates[form.fields[name]] for name in form.fields}, updates[form.note]

    fields, note = filled(model="tiny/other")
    assert fields["max_steps"]["value"] == 20 and fields["learning_rate"]["value"] == "5e-5"
    assert "Kept as you set them: max steps, learning rate" in note or "learning rate, max" in note
    fields, note = filled(objective="dpo")
    assert fields["max_steps"]["value"] == 20 and fields["learning_rate"]["value"] != "5e-5"
    assert "learning rate" not in note.partition("Kept")[2]

    forms.type("train", objective="dpo")
    updates = form.follow(forms.data)
    assert updates[form.undo]["visible"] is True
    back = form.take_back(updates[form.before])
    assert back[form.fields["objective"]]["value"] == "sft"
    assert back[form.fields["learning_rate"]]["value"] == "5e-5"
    assert back[form.undo]["visible"] is False and form.take_back("") == {}


def test_it_can_be_let_go(forms: Forms):
    forms.open("calculator")
    forms.data[forms.calculator.linked] = False
    forms.type("calculator", lora_r=64)
    forms.open("train")
    assert forms.see("train", "lora_r") == 16


def test_a_form_that_cannot_be_read_changes_nothing(forms: Forms):
    forms.open("calculator")
    forms.type("train", lora_r="many")
    forms.open("calculator")
    assert forms.see("calculator", "lora_r") == 16


CUT = json.dumps(TINY)[:-20]
MISSPELT = json.dumps(TINY | {"model_type": "lama"})
REMOTE = json.dumps(TINY | {"model_type": "evil", "auto_map": {"AutoModelForCausalLM": "e.E"}})


@pytest.mark.parametrize(
    ("values", "place", "words"),
    [
        (
            {"model_name_or_path": json.dumps(TINY | {"model_type": "lama"})},
            1,
            "Did you mean &quot;llama&quot;",
        ),
        ({"model_name_or_path": CUT}, 1, "ends too early; paste all of it"),
        ({"model_name_or_path": REMOTE}, 1, "does not run code that comes with a model"),
        ({"lora_r": 0}, 2, "lora_r cannot be 0"),
        ({"lora_target_modules": "qproj"}, 2, "Did you mean &quot;q_proj&quot;"),
    ],
)
def test_what_is_wrong_is_one_sentence_beside_it(
    forms: Forms, values: dict[str, Any], place: int, words: str
):
    page, inputs = forms.calculator.page, forms.calculator.inputs
    found = page.figures_for(inputs.values(forms.data) | values, forms.data)
    problem = found[place]
    assert problem["visible"] and words in problem["value"]
    assert problem["value"].count("notice") == 2
    assert found[3] == () and found[4]["interactive"] is False


def test_remote_code_that_is_not_needed_is_not_run(forms: Forms):
    config = TINY | {"auto_map": {"AutoModelForCausalLM": "modeling_evil.Evil"}}
    values = forms.calculator.inputs.values(forms.data)
    values["model_name_or_path"] = json.dumps(config)
    html, *_ = forms.calculator.page.figures_for(values, forms.data)
    assert "remote code, which was not run" in html and "Trainable" in html


def test_a_click_sets_fields_and_figures_in_one_response(forms: Forms):
    import types

    page, inputs = forms.calculator.page, forms.calculator.inputs
    forms.data |= {page.drawn: None, page.offered: ((("method", "qlora"), ("load_in_4bit", True)),)}
    for clicked, name, value in [
        ({"rank": "64"}, "lora_r", 64),
        ({"pick": "q_proj,v_proj"}, "lora_target_modules", "q_proj, v_proj"),
        ({"change": "0"}, "method", "qlora"),
        ({"method": "full"}, "method", "full"),
    ]:
        updates = page.apply(forms.data, types.SimpleNamespace(_data=clicked))
        base, *fields = updates[: len(inputs.written)]
        assert base[name] == value
        assert dict(zip(inputs.fields, fields, strict=True))[name]["value"] == value
    assert page.apply(forms.data, types.SimpleNamespace(_data={"rank": "x"}))[0] == inputs.values(
        forms.data
    )
