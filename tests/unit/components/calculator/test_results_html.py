"""The right column: a recipe's figures, the changes on offer, what is wrong with the data."""

from __future__ import annotations

import json

import pytest

from components.calculator import results_html
from components.calculator.inputs import EXAMPLE, Asked
from studio import Studio
from studio.core.errors import ConfigError, ModelError
from studio.runs.recipe import Recipe
from tests.unit.calculator.conftest import MISTRAL, TINY


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    here = Studio(tmp_path_factory.mktemp("home"))
    yield here
    here.close()


def view(studio, gpu="T4 16 GB", rows=None, mean_tokens=None, per_hour=None, **changes):
    """The right column for the workshop's example with changes; a dataset unknown unless named."""
    values = EXAMPLE | {"dataset_name": "unknown"} | changes
    asked = Asked(gpu, rows, mean_tokens, per_hour)
    return results_html.model_view(studio, Recipe.of(values), asked)


def test_the_workshops_example(studio):
    html, offered = view(studio)
    assert "1.53 M" in html and "0.139 %" in html and "13.91 %" in html
    assert "1,531,904 of 1,101,580,288 parameters (0.1391 %)" in html
    assert offered == ()


def test_changes_offered_are_the_recipes_fields_behind_the_buttons(studio):
    html, offered = view(studio, model_name_or_path=MISTRAL)
    assert 'data-change="0"' in html
    assert dict(offered[0])["activation_checkpointing"] is True
    assert all(name in Recipe.model_fields for change in offered for name, _ in change)


def test_methods_are_compared_or_said_to_be_refused(studio):
    html, _ = view(studio, packing=True)
    assert 'data-method="full"' in html and 'data-method="qlora"' in html
    assert "set packing: false" in html  # prompt tuning beside it


def test_data_of_another_kind_gives_no_time(studio):
    html, _ = view(studio, objective="dpo", dataset_name="pocket-sft", model_name_or_path="pocket")
    assert "DPO cannot learn from rows of type conversational, so there is no time" in html
    assert "choose a dataset or enter rows" in html
    html, _ = view(studio, rows=10, objective="dpo", dataset_name="pocket-sft")
    assert "cannot learn" not in html


def test_time_cost_and_data_are_shown(studio):
    html, _ = view(studio, gpu="L4 24 GB", dataset_name="pocket-sft", model_name_or_path="pocket")
    assert "steps" in html and "at 0.8 per hour" in html
    assert "tokens per row" in html and "own tokenizer" in html
    html, _ = view(studio, rows=1000, mean_tokens=100, per_hour=3, num_train_epochs=3)
    assert "375 steps" in html and "at 3 per hour" in html


def test_errors_reach_the_page_as_they_are(studio):
    with pytest.raises(ModelError, match="not a Hub ID"):
        view(studio, model_name_or_path="no such folder/at all/here")
    with pytest.raises(ConfigError, match="called nope"):
        view(studio, lora_target_modules=["nope"])
    assert "rank is 0" in results_html.matrix_or_words(6, 7, 0)


def test_names_from_a_config_are_escaped(studio):
    config = {"_name_or_path": "<script>alert(1)</script>"} | TINY
    html, _ = view(studio, model_name_or_path=json.dumps(config))
    assert "<script>" not in html and "&lt;script&gt;" in html
