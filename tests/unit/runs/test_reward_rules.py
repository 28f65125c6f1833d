"""What a recipe's rewards, group size, and beta must satisfy."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError
from studio.runs import reward_rules
from studio.runs.recipe import Recipe


def errors(objective: str, **changes: object) -> list[str]:
    """What the rules say of a recipe that was not checked as a whole."""
    values = Recipe.defaults(objective).model_copy(update=changes)
    return list(reward_rules.validation_errors(values))


def test_good_recipes_pass():
    assert errors("dpo") == []
    assert errors("grpo", reward_funcs=("exact",)) == []


@pytest.mark.parametrize(
    ("objective", "changes", "words"),
    [
        ("dpo", {"beta": 0.0}, "beta must be above 0"),
        ("grpo", {"reward_funcs": ("nonsense",)}, "nonsense"),
        ("grpo", {"accelerate_config": "multi_gpu"}, "one process"),
        ("rloo", {"num_generations": 3}, "no multiple of num_generations 3"),
    ],
)
def test_what_cannot_work_is_named(objective, changes, words):
    (found,) = errors(objective, **changes)
    assert words in found and not found.endswith(".")


def test_grpo_may_do_without_a_reference():
    assert errors("grpo", beta=0.0) == []


@pytest.mark.parametrize(
    ("objective", "changes", "words"),
    [
        ("grpo", {"importance_sampling_level": "sequence"}, "set loss_type: grpo, as GSPO does"),
        ("grpo", {"loss_type": "luspo"}, "set importance_sampling_level: sequence"),
        ("grpo", {"epsilon_high": 0.1}, "cannot be below epsilon"),
        ("distillation", {"beta": 1.5}, "beta is between 0"),
        ("distillation", {"accelerate_config": "multi_cpu"}, "in one process"),
        ("distillation", {"method": "prompt_tuning"}, "virtual tokens"),
    ],
)
def test_variants_that_do_not_fit(objective, changes, words):
    with pytest.raises(ConfigError) as refused:
        Recipe.defaults(objective, **changes)
    assert words in str(refused.value)


def test_gspo_and_a_teacher_are_told_to_trl():
    from studio.training.trainers import settings

    gspo = {"importance_sampling_level": "sequence", "loss_type": "grpo", "epsilon_high": 0.28}
    found = settings(Recipe.defaults("grpo", mask_truncated_completions=True, **gspo), 64, False)
    assert (found["loss_type"], found["importance_sampling_level"]) == ("grpo", "sequence")
    assert found["mask_truncated_completions"] is True and found["epsilon_high"] == 0.28
    told = settings(Recipe.defaults("distillation", teacher_model_name_or_path="pocket"), 64, False)
    assert told["beta"] == 1.0 and "num_generations" not in told
    assert "teacher_model_name_or_path" not in told  # it comes loaded


VLLM = {"use_vllm": True}


@pytest.mark.parametrize(
    ("objective", "changes", "words"),
    [
        ("grpo", VLLM | {"use_transformers_continuous_batching": True}, "not both"),
        ("rloo", VLLM | {"method": "prefix_tuning"}, "choose lora or full"),
        ("grpo", VLLM | {"method": "qlora"}, "not exact"),
        ("grpo", VLLM | {"vllm_mode": "server"}, "needs vllm_server_base_url"),
        ("gmpo", VLLM | {"rope_parameters": {"rope_type": "yarn", "factor": 2}}, "own RoPE"),
        (
            "grpo",
            {"use_transformers_continuous_batching": True, "method": "prompt_tuning"},
            "no virtual tokens",
        ),
    ],
)
def test_who_samples_and_what_it_cannot_take(objective, changes, words):
    with pytest.raises(ConfigError) as refused:
        Recipe.defaults(objective, **changes)
    assert words in str(refused.value)


def test_who_samples_is_told_to_trl():
    from studio.training.trainers import settings

    plain = settings(Recipe.defaults("grpo"), 64, False)
    assert plain["use_vllm"] is False and plain["use_transformers_continuous_batching"] is False
    server = {"vllm_mode": "server", "vllm_server_base_url": "http://localhost:8000"}
    told = settings(Recipe.defaults("rloo", **VLLM, **server), 64, False)
    assert told["use_vllm"] and told["vllm_server_base_url"] == "http://localhost:8000"
    assert told["vllm_enable_sleep_mode"] is True
    batched = settings(
        Recipe.defaults("grpo", use_transformers_continuous_batching=True), 64, False
    )
    assert batched["use_transformers_continuous_batching"] is True


def test_vllm_is_refused_where_it_is_not_installed(monkeypatch):
    from studio.training import online_rl

    recipe = Recipe.defaults("grpo", **VLLM)
    monkeypatch.setattr(online_rl, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="not installed here"):
        online_rl.check_vllm(recipe)
    online_rl.check_vllm(Recipe.defaults("sft", **VLLM))  # the field is not for it
    monkeypatch.setattr(online_rl, "find_spec", lambda name: object())
    online_rl.check_vllm(recipe)


def test_only_what_merges_to_sample_needs_a_base_of_its_own():
    assert Recipe.defaults("grpo", **VLLM).merges_to_sample
    for other in (
        Recipe.defaults("grpo"),
        Recipe.defaults("sft", **VLLM),
        Recipe.defaults("grpo", method="full", **VLLM),
    ):
        assert not other.merges_to_sample
