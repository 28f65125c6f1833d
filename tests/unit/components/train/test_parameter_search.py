"""Finding a parameter: by label, by what it does, and by its name in TRL."""

from __future__ import annotations

import pytest

from components.train import parameter_search
from components.ui.recipe_fields import GROUPS, parameters


def found(text: str) -> set[str]:
    words = text.lower().split()
    return {row["id"] for row in parameter_search.index() if all(w in row["words"] for w in words)}


@pytest.mark.parametrize(
    ("typed", "identifier"),
    [
        ("per_device_train_batch_size", "parameter-per-device-train-batch-size"),
        ("clipped norm", "parameter-max-grad-norm"),
        ("paged_adamw", "parameter-optim"),
        ("DoRA", "parameter-method"),
        ("start_from", "train-start-from"),
    ],
)
def test_a_parameter_is_found(typed: str, identifier: str):
    assert identifier in found(typed)


def test_every_parameter_can_be_found_and_names_a_fold_of_the_form():
    rows = parameter_search.index()
    assert len(rows) == len(parameters()) == len({row["id"] for row in rows})
    assert {row["fold"] for row in rows} <= {"", *GROUPS}
    assert not found("quaternion")
    assert f"Find one of {len(rows)} parameters" in parameter_search.html()
