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
        ({"accelerate_config": "zero3", "method": "qlora"}, "a 4-bit base does not allow"),
        ({"accelerate_config": "fsdp2", "method": "vera"}, "FSDP cannot shard what VeRA trains"),
        ({"accelerate_config": "fsdp2", "optim": "adamw_8bit"}, "choose adamw_torch_fused"),
        ({"accelerate_config": "fsdp2", "method": "loftq"}, "LoftQ changes does not allow"),
        ({"accelerate_config": "fsdp2", "load_in_8bit": True}, "an 8-bit base does not allow"),
        (
            {"accelerate_config": "fsdp2", "objective": "dpo", "precompute_ref_log_probs": True},
            "the whole model in each process",
        ),
        ({"accelerate_config": "multi_cpu", "num_processes": 3}, "cannot be split"),
    ],
)
def test_what_cannot_be_launched_is_refused_by_the_recipe(values, words):
    with pytest.raises(ConfigError, match=words):
        Recipe.of(values)


TWO = {
    "accelerate_config": "multi_gpu",
    "num_machines": 2,
    "machine_rank": 1,
    "main_process_ip": "10.0.0.1",
    "main_process_port": 29501,
    "num_processes": 4,
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"machine_rank": 2}, "machine_rank is 2, and the machines are numbered from 0 to 1"),
        ({"num_machines": 1, "machine_rank": 1}, "machine_rank is 1, and the machines are num"),
        ({"num_machines": 1, "machine_rank": 0}, "main_process_ip is for several machines"),
        ({"main_process_ip": None}, "main_process_ip is missing: name machine 0"),
        ({"main_process_ip": "a; rm -r ."}, "give a host name or an IP"),
        ({"main_process_port": 70000}, "less than or equal to 65535"),
        ({"accelerate_config": "single", "num_processes": None}, "num_machines needs an accel"),
        ({"accelerate_config": "zero3"}, "DeepSpeed keeps a share of every checkpoint"),
        ({"num_processes": 3}, "3 processes cannot be divided evenly among 2 machines"),
    ],
)
def test_machines_that_do_not_fit_together_are_refused(changes, words):
    assert Recipe.of(TWO).num_machines == 2
    with pytest.raises(ConfigError, match=words):
        Recipe.of({**TWO, **changes})


def test_every_config_has_a_file_with_its_number_of_processes():
    for name in launch_configs.LAUNCH_CONFIGS:
        if name != launch_configs.SINGLE:
            assert launch_configs.usual_count(name) >= 1
