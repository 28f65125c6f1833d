"""Recipe fields: the libraries' names, and what a form needs to know of each."""

from __future__ import annotations

from typing import get_args

import pytest

from studio.runs.fields import (
    QUANTIZATION,
    Method,
    Objective,
    OptimName,
    RecipeFields,
    SchedulerName,
)
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe


def test_names_are_the_libraries_own():
    from transformers.trainer_utils import SchedulerType
    from transformers.training_args import OptimizerNames

    assert set(get_args(OptimName)) - {"auto"} <= {name.value for name in OptimizerNames}
    assert set(get_args(SchedulerName)) <= {name.value for name in SchedulerType}
    assert set(get_args(Objective)) == set(OBJECTIVES)
    assert set(get_args(Method)) == set(METHODS)


@pytest.mark.parametrize("name", RecipeFields.model_fields)
def test_every_field_has_help_a_group_and_known_objectives(name):
    field = RecipeFields.model_fields[name]
    assert field.description and field.description.endswith(".") and len(field.description) < 240
    extra = field.json_schema_extra
    assert extra["group"]
    assert extra["only"] in (None, *QUANTIZATION) or set(extra["only"].split()) <= {
        *OBJECTIVES,
        "rewarded",
        "online",
        "teacher",
        "losses",
        "embeds",
    }


def test_adapter_fields_belong_to_a_method_and_other_fields_to_none():
    grouped = {
        name
        for name, field in RecipeFields.model_fields.items()
        if field.json_schema_extra["group"] == "adapter"
    }
    assert grouped == {name for row in METHODS.values() for name in row.fields}


@pytest.mark.parametrize(
    ("field", "shown", "hidden"),
    [
        ("rope_parameters", ("sft", "lora"), None),
        ("shifted_attention", ("sft", "lora"), ("dpo", "lora")),
        ("train_embeddings_and_norms", ("sft", "lora"), ("sft", "full")),
        ("query_prompt", ("embedding", "lora"), ("sft", "lora")),
        ("matryoshka_dims", ("embedding", "full"), ("dpo", "lora")),
        ("mini_batch_size", ("embedding", "lora"), ("sft", "lora")),
    ],
)
def test_fields_of_embeddings_and_longer_contexts_stand_where_they_apply(field, shown, hidden):
    assert Recipe.applies(field, *shown)
    assert hidden is None or not Recipe.applies(field, *hidden)
