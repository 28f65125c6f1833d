"""Errors: one root, standard types beside it, and the closest name."""

from __future__ import annotations

import pytest

from studio.core import errors


@pytest.mark.parametrize(
    ("kind", "standard"),
    [
        (errors.DataError, ValueError),
        (errors.ConfigError, ValueError),
        (errors.ModelError, RuntimeError),
        (errors.TrainingError, RuntimeError),
        (errors.WorkspaceError, OSError),
        (errors.Cancelled, RuntimeError),
    ],
)
def test_every_error_is_ours_and_a_standard_one(kind, standard):
    problem = kind("The disk is full.", "Free some space.")
    assert isinstance(problem, errors.StudioError) and isinstance(problem, standard)
    assert str(problem) == "The disk is full. Free some space."


def test_the_closest_name_is_suggested_and_a_far_one_is_not():
    assert errors.did_you_mean("lora_rank", ["lora_r", "beta"]) == ' Did you mean "lora_r"?'
    assert errors.did_you_mean("zzz", ["lora_r", "beta"]) == ""
