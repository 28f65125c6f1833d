"""What a run starts from: the adapter it continues, and what is refused."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError, TrainingError
from studio.core.workspace import Workspace
from studio.runs.lineage import merged_parent, parent_adapter
from studio.runs.recipe import Recipe
from studio.runs.store import Run, RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace(tmp_path))


def finished(store: RunStore, **changes: object) -> Run:
    run = store.create(Recipe.defaults(**{"name": "parent", **changes}))
    (run.folder / "adapter").mkdir()
    (run.folder / "adapter" / "adapter_config.json").write_text("{}")
    return store.update(run.id, state="finished")


def test_a_run_on_its_own_starts_from_nothing(store):
    assert parent_adapter(Recipe.defaults("sft"), store) is None
    assert merged_parent(Recipe.defaults("sft"), store) is None


def test_a_continued_run_gets_its_parents_adapter(store):
    parent = finished(store)
    recipe = Recipe.defaults("dpo", start_from=parent.id)
    assert parent_adapter(recipe, store) == parent.adapter
    assert merged_parent(recipe, store) is None


def test_a_merged_parent_is_found_through_continued_runs(store):
    root = finished(store)
    middle = finished(store, name="middle", start_from=root.id, start_as="merge")
    recipe = Recipe.defaults("dpo", start_from=middle.id)
    found = merged_parent(recipe, store)
    assert found is not None and found.id == root.id
    merging = Recipe.defaults("dpo", start_from=root.id, start_as="merge")
    assert parent_adapter(merging, store) is None


@pytest.mark.parametrize(
    ("parent", "child", "words"),
    [
        ({}, {"model_name_or_path": "other/model"}, "needs model_name_or_path: pocket"),
        ({"objective": "reward"}, {}, "is a reward model"),
        ({"method": "vera"}, {}, "has a VeRA adapter"),
        ({"method": "prefix_tuning"}, {"start_as": "merge"}, "changes no weights"),
    ],
)
def test_parents_that_do_not_fit_are_refused(store, parent, child, words):
    run = finished(store, **parent)
    with pytest.raises(ConfigError, match=words):
        parent_adapter(Recipe.defaults("sft", start_from=run.id, **child), store)


def test_a_parent_without_a_result_is_refused(store):
    run = store.create(Recipe.defaults(name="parent"))
    for start_as in ("continue", "merge"):
        with pytest.raises(TrainingError, match="queued"):
            parent_adapter(Recipe.defaults("sft", start_from=run.id, start_as=start_as), store)
