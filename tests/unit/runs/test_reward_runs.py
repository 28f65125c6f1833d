"""Reward models named in a recipe: found, waited for, refused."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError
from studio.core.workspace import Workspace
from studio.runs.recipe import Recipe
from studio.runs.reward_runs import check_rewards, resolve_reward_runs
from studio.runs.store import RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace(tmp_path))


def finished(store: RunStore, objective: str = "reward") -> str:
    run = store.create(Recipe.defaults(objective, name="judge"))
    (run.folder / "adapter").mkdir()
    (run.folder / "adapter" / "adapter_config.json").write_text("{}")
    return store.update(run.id, state="finished").id


def test_a_name_becomes_an_id_and_rules_stay(store):
    run = finished(store)
    assert resolve_reward_runs(["exact", "model:judge"], store) == ("exact", f"model:{run}")


def test_a_run_with_another_objective_is_refused(store):
    finished(store, "sft")
    with pytest.raises(ConfigError, match="only a reward model scores"):
        resolve_reward_runs(["model:judge"], store)


def test_a_queued_reward_model_can_be_waited_for(store):
    run = store.create(Recipe.defaults("reward", name="judge"))
    with pytest.raises(ConfigError, match="finish it first"):
        resolve_reward_runs(["model:judge"], store)
    recipe = Recipe.defaults("grpo", reward_funcs=("model:judge",))
    assert check_rewards(recipe, store).reward_funcs == (f"model:{run.id}",)


def test_rewards_are_needed_where_they_are_learned_from(store):
    with pytest.raises(ConfigError, match="reward_funcs is empty"):
        check_rewards(Recipe.defaults("rloo"), store)
    assert check_rewards(Recipe.defaults("dpo"), store) == Recipe.defaults("dpo")
