from __future__ import annotations

import json

import pytest

from studio.errors import ConfigError

PROVENANCE = {"item", "voters", "agreement", "strength", "edited"}


@pytest.fixture
def labelled(store, make_items):
    """Eight items: a, b, b with an edit, tie, both bad, skipped, no majority, never seen."""
    project = store.create_project("labelled", order="given", seed=1)
    store.add_items(project.id, make_items(8))
    ids = [item.item_id for item in store.upcoming(project.id, "ada", 8)]
    choices = ["a", "b", "b", "tie", "both_bad", "skip", "a"]
    for item_id, choice in zip(ids, choices, strict=False):
        edited = "a better answer 2" if item_id == ids[2] else ""
        store.vote(project.id, item_id, "ada", choice, 4, edited=edited)
    store.vote(project.id, ids[6], "ben", "b")
    return project


def test_dpo_rows_follow_the_stated_rule(store, labelled):
    export = store.export(labelled.id, "dpo")
    assert [
        (row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in export.rows
    ] == [
        ("base answer 0", "tuned answer 0"),
        ("tuned answer 1", "base answer 1"),
        ("a better answer 2", "base answer 2"),
    ]
    row = export.rows[1]
    assert row["prompt"] == [{"role": "user", "content": "question 1"}]
    assert row["chosen_source"] == "tuned" and row["chosen_run"] == "run-1"
    assert set(row) >= PROVENANCE and row["strength"] == 4
    summary = export.summary
    assert (summary.rows, summary.items, summary.used, summary.edited) == (3, 8, 3, 1)
    assert summary.left_out == {
        "tie": 1,
        "both bad": 1,
        "skipped": 1,
        "no majority": 1,
        "not labelled yet": 1,
    }
    assert export.type == "preference" and "majority" in summary.rule
    json.dumps(summary.as_dict())


def test_kto_gets_two_negatives_for_both_bad(store, labelled):
    export = store.export(labelled.id, "kto")
    labels = [(row["completion"][0]["content"], row["label"]) for row in export.rows]
    assert labels[:4] == [
        ("base answer 0", True),
        ("tuned answer 0", False),
        ("tuned answer 1", True),
        ("base answer 1", False),
    ]
    assert labels[6:] == [("base answer 4", False), ("tuned answer 4", False)]
    assert export.rows[2]["source"] == "tuned"
    assert export.type == "unpaired_preference"


def test_reward_rows_carry_a_margin(store, labelled):
    export = store.export(labelled.id, "reward")
    assert [row["margin"] for row in export.rows] == [1.0, 1.0, 1.0]
    assert {"prompt", "chosen", "rejected", "margin"} <= set(export.rows[0])


def test_an_undone_vote_and_a_pointless_edit_are_left_out(store, project):
    first = store.next_item(project.id, "ada")
    store.vote(project.id, first.item_id, "ada", "a", edited="tuned  answer 0")
    second = store.next_item(project.id, "ada")
    store.vote(project.id, second.item_id, "ada", "a")
    store.undo(project.id, "ada")
    export = store.export(project.id)
    assert export.rows == []
    assert export.summary.left_out == {
        "edited into the rejected answer": 1,
        "not labelled yet": 3,
    }


def test_unknown_formats_are_refused_with_the_nearest(store, project):
    with pytest.raises(ConfigError, match='Did you mean "reward"'):
        store.export(project.id, "rewards")


def test_rows_are_what_trl_calls_conversational(store, labelled, tmp_path):
    datasets = pytest.importorskip("datasets")
    from trl.data_utils import is_conversational

    columns = {
        "dpo": ["prompt", "chosen", "rejected"],
        "kto": ["prompt", "completion", "label"],
        "reward": ["prompt", "chosen", "rejected", "margin"],
    }
    for format, wanted in columns.items():
        path = tmp_path / f"{format}.jsonl"
        rows = store.export(labelled.id, format).rows
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        dataset = datasets.load_dataset(
            "json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
        )
        assert set(wanted) <= set(dataset.column_names)
        assert all(is_conversational(row) for row in dataset)
