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
