"""Launch configurations: a step's rows split among processes, and what is refused."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError
from studio.runs import launch_configs
from studio.runs.recipe import Recipe


def share(processes: int, batch: int, accumulation: int, objective: str = "sft") -> tuple[int, int]:
    recipe = Recipe.defaults(
        objective, per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation
    )
    found = launch_configs.share(recipe, processes)
    return found["per_device_train_batch_size"], found["gradient_accumulation_steps"]


def test_accumulation_is_divided_before_the_batch():
    assert share(2, 8, 4) == (8, 2)
    assert share(4, 8, 2) == (4, 1)
    assert share(1, 8, 2) == (8, 2)


def test_rows_that_cannot_be_split_are_refused():
    with pytest.raises(ConfigError, match="cannot be split among 3 processes"):
        share(3, 8, 1)
    with pytest.raises(ConfigError, match="KTO needs at least two rows"):
        share(2, 2, 1, "kto")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_processes": 2}, "needs an accelerate_config"),
        ({"accelerate_config": "fsdp2", "method": "pissa"}, "shards the weights"),
        ({"accelerate_config": "zero3", "method": "qlora"}, "does not allow"),
        ({"accelerate_config": "multi_cpu", "num_processes": 3}, "cannot be split"),
    ],
)
def test_what_cannot_be_launched_is_refused_by_the_recipe(values, words):
    with pytest.raises(ConfigError, match=words):
        Recipe.of(values)


def test_every_config_has_a_file_with_its_number_of_processes():
    for name in launch_configs.LAUNCH_CONFIGS:
        if name != launch_configs.SINGLE:
            assert launch_configs.usual_count(name) >= 1
