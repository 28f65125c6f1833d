"""`train` and `runs` as functions. (Real training: tests/test_readme.py.)"""

from __future__ import annotations

import pytest

from studio import Commands
from studio.commands.runs import recipe_with
from studio.core.errors import ConfigError
from studio.runs.recipe import Recipe


@pytest.fixture
def queued(monkeypatch, store):
    """Runs that are queued and never begun."""
    monkeypatch.setattr(
        "studio.engine.studio.Studio.train",
        lambda self, recipe, provenance=None: store.create(recipe, provenance),
    )


def test_train_queues_a_run_and_records_who_asked(do: Commands, queued, store):
    made = do.train("pocket-sft", set={"lora_r": 4}, name="mine")
    run = store.get("mine")
    assert (made["run_id"], made["state"], made["result"]) == (run.id, "queued", None)
    assert (run.recipe.lora_r, run.provenance["door"]) == (4, "python")


def test_pocket_on_other_rows_is_warned_of(do: Commands, queued, studio):
    assert "advice" not in do.train("pocket-sft")
    made = do.train("pocket-sft", dataset=["mine.jsonl"])
    assert "gibberish" in made["advice"] and "models suggest" in made["advice"]
    swept = do.train("pocket-sft", dataset=["mine.jsonl"], sweep={"lora_r": [4, 8]})
    assert all("gibberish" in one["advice"] for one in swept)
    assert "advice" not in do.train("pocket-sft", dataset=["mine.jsonl"], model="org/other")


def test_a_sweep_is_a_run_per_value(do: Commands, queued, store):
    made = do.train("pocket-sft", sweep={"lora_r": [4, 8], "learning_rate": [1e-4]})
    assert [one["name"] for one in made] == [
        "pocket-sft lora_r 4, learning_rate 0.0001",
        "pocket-sft lora_r 8, learning_rate 0.0001",
    ]
    runs = store.list()
    assert {run.recipe.lora_r for run in runs} == {4, 8}
    assert len({run.provenance["sweep"] for run in runs}) == 1
    with pytest.raises(ConfigError, match="cannot be swept"):
        do.train("pocket-sft", sweep={"name": ["a", "b"]})


def test_changes_are_put_in_and_options_come_last():
    changes = {"learning_rate": 5e-7, "lora_target_modules": ["q_proj", "v_proj"], "name": "a"}
    recipe = recipe_with("pocket-sft", changes, name="b", start_from=None)
    assert recipe.learning_rate == 5e-7
    assert recipe.lora_target_modules == ("q_proj", "v_proj")
    assert (recipe.name, recipe.dataset_name) == ("b", "pocket-sft")
    with pytest.raises(ConfigError):
        recipe_with("pocket-sft", {"max_steps": "soon"})


def test_a_recipe_may_be_a_file_or_text(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("objective: dpo\nmethod: lora\n")
    assert recipe_with(str(path)) == recipe_with(path.read_text()) == Recipe.defaults("dpo")


def test_list_show_and_rename(do: Commands, store):
    assert do.runs_list() == []
    run = store.create(Recipe.defaults(name="first", lora_r=4))
    store.update(run.id, state="failed", step=7, metrics={"loss": float("inf")})
    [listed] = do.runs_list()
    assert (listed["run_id"], listed["state"], listed["metrics"]) == (
        run.id,
        "failed",
        {"loss": None},
    )
    shown = do.runs_show("first")
    assert (shown["step"], shown["recipe"]["lora_r"]) == (7, 4)
    assert do.runs_rename("first", "second")["name"] == "second"
    assert do.runs_show("second")["run_id"] == run.id


def test_stop_reaches_a_run_of_another_process(do: Commands, store):
    run = store.create(Recipe.defaults(name="first"))
    store.update(run.id, state="running")
    with store.lock(run):
        assert do.runs_stop("first")["state"] == "stopping"
        assert store.stop_asked(run) == "step"
        do.runs_stop("first", now=True)
        assert store.stop_asked(run) == "now"
    store.clear_stop(run)
    with pytest.raises(ConfigError, match="interrupted"):
        do.runs_stop("first")


def test_resume_refuses_what_is_done(do: Commands, tuned):
    with pytest.raises(ConfigError, match="finished"):
        do.runs_resume("tuned")


def test_several_datasets_are_a_mixture_and_one_replaces_it():
    recipe = recipe_with("pocket-sft", datasets=["mine", "general:0.1"])
    assert [(one.path, one.fraction) for one in recipe.datasets] == [
        ("mine", 0.9),
        ("general", 0.1),
    ]
    assert (recipe.dataset_name, recipe.name) == ("mine", "")
    again = recipe_with(recipe.to_yaml(), datasets=["other"])
    assert (again.dataset_name, again.datasets) == ("other", ())
    assert recipe_with(recipe.to_yaml(), {"dataset_name": "other"}) == again
