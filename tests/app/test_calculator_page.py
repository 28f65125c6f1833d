"""The Calculator in the app: it and the Train form agree, and what is wrong is said in place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from app import build_app
from components.calculator import handlers
from components.page import calculator_sync
from components.page.calculator_sync import Agreement, SyncState
from studio.engine.studio import Studio
from tests.unit.calculator.conftest import TINY


class Forms:
    """What a browser holds of both forms, and what opening a tab does to it."""

    def __init__(self, agreement: Agreement):
        self.agreement = agreement
        self.calculator, self.train = agreement.calculator, agreement.train
        self.data: dict[Any, Any] = {
            field: field.value
            for fields in (self.calculator.choices.fields, self.train.form.fields)
            for field in fields.values()
        }
        self.data |= {self.train.form.fields["start_from"]: "", self.calculator.linked: True}
        self.data |= {agreement.met: SyncState(), self.train.opening: None}
        self.data[self.train.form.settled] = ("sft", "lora", "pocket")

    def see(self, form: str, knob: str) -> Any:
        return self.data[self.fields(form)[knob]]

    def fields(self, form: str) -> dict[str, Any]:
        return {"calculator": self.calculator.choices, "train": self.train.form}[form].fields

    def type(self, form: str, **values: Any) -> None:
        for knob, value in values.items():
            self.data[self.fields(form)[knob]] = value

    def open(self, tab: str, meanwhile: dict[str, Any] | None = None) -> None:
        """`meanwhile` is typed into that tab's form before the answer comes."""
        to_calculator, to_train, met = self.agreement.meet(self.data, tab)
        self.type(tab.lower(), **(meanwhile or {}))
        if isinstance(met, SyncState):
            self.data[self.agreement.met] = met
        if to_calculator != gr.skip():
            choices, asked = self.calculator.choices, to_calculator
            now = choices.values(self.data)
            for name, value in choices.newer(asked, now).items():
                self.data[choices.fields[name]] = value
        if to_train != gr.skip():
            self.data[self.train.opening] = to_train
            for field, update in self.train.form.changed(self.data, to_train).items():
                if isinstance(update, dict) and "value" in update:
                    self.data[field] = update["value"]
                elif not isinstance(update, dict):
                    self.data[field] = update


@pytest.fixture(scope="module")
def agreement(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agreement]:
    """The whole page's own, built once."""
    found = []
    bind = Agreement.bind
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            calculator_sync.Agreement,
            "bind",
            lambda self, place: (found.append(self), bind(self, place)),
        )
        studio = Studio(tmp_path_factory.mktemp("home"))
        build_app(studio)
    yield found[0]
    studio.close()


@pytest.fixture
def forms(agreement: Agreement) -> Forms:
    return Forms(agreement)


def test_a_run_is_called_after_what_is_chosen_until_somebody_types_a_name(forms: Forms):
    form = forms.train.form
    forms.type("train", dataset_name="places")
    restated = form.restate(forms.data)[form.restated]
    assert form.estimate(restated)[2]["placeholder"] == "pocket-sft-places"
    forms.type("train", objective="dpo", name="mine")
    updates = form.follow(forms.data)
    assert form.fields["dataset_name"] in updates and form.fields["name"] not in updates


def test_a_rank_changed_here_or_there_is_the_same(forms: Forms):
    forms.type("train", lora_r=24, max_length=96)
    forms.open("Calculator")
    assert forms.see("calculator", "lora_r") == 24 and forms.see("calculator", "max_length") == 96
    forms.type("calculator", lora_r=64)
    forms.open("Train")
    assert forms.see("train", "lora_r") == 64 and forms.see("train", "max_length") == 96
    assert "As in the Calculator: rank." in forms.data[forms.train.form.note]
    forms.open("Calculator")
    forms.type("train", lora_r=8)
    forms.open("Calculator")
    assert forms.see("calculator", "lora_r") == 8


def test_every_shared_knob_travels(forms: Forms):
    forms.open("Calculator")
    forms.type(
        "calculator",
        model="TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        method="dora",
        lora_r=4,
        lora_target_modules=["q_proj", "v_proj"],
        quantization="4bit",
        per_device_train_batch_size=2,
        gradient_accumulation_steps=4,
        max_length=128,
        activation_checkpointing=True,
        optim="paged_adamw_8bit",
        rank_pattern="q_proj=2",
        objective="dpo",
        num_train_epochs=2,
    )
    forms.open("Train")
    recipe = forms.train.form.recipe(forms.data)
    assert (recipe.objective, recipe.method, recipe.lora_r) == ("dpo", "dora", 4)
    assert recipe.model_name_or_path.startswith("TinyLlama/")
    assert recipe.lora_target_modules == ("q_proj", "v_proj") and recipe.load_in_4bit
    assert recipe.rank_pattern == {"q_proj": 2} and recipe.num_train_epochs == 2
    batch = recipe.per_device_train_batch_size, recipe.gradient_accumulation_steps
    assert (*batch, recipe.max_length, recipe.optim) == (2, 4, 128, "paged_adamw_8bit")
    forms.open("Calculator")
    settings = handlers.settings_of(recipe)
    given = forms.calculator.choices.given(settings)
    now = forms.calculator.choices.values(forms.data)
    assert {name: now[name] for name in given} == given


def test_a_late_answer_takes_nothing_back(forms: Forms):
    forms.type("train", lora_r=24, max_length=96)
    forms.open("Calculator", meanwhile={"lora_r": 5})
    assert forms.see("calculator", "lora_r") == 5 and forms.see("calculator", "max_length") == 96
    forms.type("calculator", max_length=64)
    forms.open("Train", meanwhile={"max_length": 100})
    assert forms.see("train", "max_length") == 100 and forms.see("train", "lora_r") == 5


def test_a_form_filled_from_elsewhere_since_is_the_newest_word(forms: Forms):
    forms.open("Calculator")
    forms.type("calculator", lora_r=64)
    forms.data[forms.train.opening] = {"asked": 7.0}  # another tab filled the Train form
    forms.open("Train")
    assert forms.see("train", "lora_r") == 16
    forms.type("train", max_length=80)
    forms.open("Calculator")
    assert forms.see("calculator", "lora_r") == 16


def test_it_can_be_let_go(forms: Forms):
    forms.open("Calculator")
    forms.data[forms.calculator.linked] = False
    forms.type("calculator", lora_r=64)
    forms.open("Train")
    assert forms.see("train", "lora_r") == 16


def test_a_form_that_cannot_be_read_changes_nothing(forms: Forms):
    forms.open("Calculator")
    forms.type("train", lora_r="many")
    forms.open("Calculator")
    assert forms.see("calculator", "lora_r") == 16


CUT = json.dumps(TINY)[:-20]
REMOTE = json.dumps(TINY | {"model_type": "evil", "auto_map": {"AutoModelForCausalLM": "e.E"}})


@pytest.mark.parametrize(
    ("values", "place", "words"),
    [
        ({"model": json.dumps(TINY | {"model_type": "lama"})}, 1, "Did you mean &quot;llama&quot;"),
        ({"model": CUT}, 1, "ends too early; paste all of it"),
        ({"model": REMOTE}, 1, "does not run code that comes with a model"),
        ({"lora_r": 0}, 2, "lora_r is 0; give a whole number from 1"),
        ({"lora_target_modules": ["qproj"]}, 2, "Did you mean &quot;q_proj&quot;"),
    ],
)
def test_what_is_wrong_is_one_sentence_beside_it(
    forms: Forms, values: dict[str, Any], place: int, words: str
):
    page = forms.calculator.page
    now = forms.calculator.choices.values(forms.data) | values
    found = page.figures_for(now, {})
    said = found[place]
    assert said["visible"] and words in said["value"] and said["value"].count("notice") == 2
    assert found[3] is None and found[5]["interactive"] is False


def test_remote_code_that_is_not_needed_is_not_run(forms: Forms):
    config = TINY | {"auto_map": {"AutoModelForCausalLM": "modeling_evil.Evil"}}
    now = forms.calculator.choices.values(forms.data) | {"model": json.dumps(config)}
    html, *_ = forms.calculator.page.figures_for(now, {})
    assert "remote code, which was not run" in html and "Trainable" in html
