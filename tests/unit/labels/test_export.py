from __future__ import annotations

import json

import pytest

from studio.core.errors import ConfigError
from studio.core.model_names import resolve
from studio.core.version import __version__
from studio.labels import Rule, split_by_prompt, vote_writes
from studio.labels.export import write_file

PROVENANCE = {"item", "voters", "agreement", "strength", "edited", "studio_version"}


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
        "not labeled yet": 1,
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


def test_rows_name_the_versions_of_the_studio_that_recorded_their_votes(
    store, project, monkeypatch
):
    first, second = (item.item_id for item in store.upcoming(project.id, "ada", 2))
    store.vote(project.id, first, "ada", "a")
    store.vote(project.id, second, "ada", "b")
    monkeypatch.setattr(vote_writes, "__version__", "9.9")
    store.vote(project.id, first, "ben", "a")
    assert [vote.studio_version for vote in store.history(project.id, "ben")] == ["9.9"]
    assert store.versions(project.id, first)[0]["studio_version"] == __version__
    named = [row["studio_version"] for row in store.export(project.id, "dpo").rows]
    assert named == [f"{__version__}, 9.9", __version__]
    each = [row["studio_version"] for row in store.export(project.id, "kto", Rule("each")).rows]
    assert each == [__version__] * 2 + ["9.9"] * 2 + [__version__] * 2


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
    assert export.summary.left_out == {"edited into the rejected answer": 1, "not labeled yet": 3}


def test_unknown_formats_are_refused_with_the_nearest(store, project):
    with pytest.raises(ConfigError, match='Did you mean "reward"'):
        store.export(project.id, "rewards")


@pytest.fixture
def debated(store, make_items):
    """Three items, three people: all for a, two for a and one for b, one a beside two ties."""
    project = store.create_project("debated", order="given", seed=1)
    store.add_items(project.id, make_items(3))
    ids = [item.item_id for item in store.upcoming(project.id, "ada", 3)]
    for name, choices in {"ada": "aaa", "ben": "aat", "cleo": "abt"}.items():
        for item_id, choice in zip(ids, choices, strict=True):
            store.vote(project.id, item_id, name, "tie" if choice == "t" else choice, 2)
    return project


@pytest.mark.parametrize(
    ("rule", "rows", "left_out"),
    [
        (Rule(), 2, {"tie": 1}),
        (Rule("unanimous"), 1, {"not unanimous": 2}),
        (Rule("each"), 7, {"tie": 2}),
        (Rule(min_strength=3), 0, {"too weak": 2, "tie": 1}),
    ],
)
def test_the_rule_decides_which_votes_make_rows(store, debated, rule, rows, left_out):
    export = store.export(debated.id, "dpo", rule)
    assert (len(export.rows), export.summary.left_out) == (rows, left_out)
    assert export.summary.rule == rule.sentence()


def test_edits_can_be_left_aside_and_a_flag_leaves_an_item_out(store, project):
    first = store.next_item(project.id, "ada")
    store.vote(project.id, first.item_id, "ada", "a", edited="by hand")
    (row,) = store.export(project.id, "dpo", Rule(edits=False)).rows
    assert row["chosen"][0]["content"] == "base answer 0"
    store.vote(project.id, first.item_id, "ben", "broken")
    for rule in (Rule(), Rule("each")):
        export = store.export(project.id, "dpo", rule)
        assert export.rows == [] and export.summary.left_out["flagged as broken"] == 1


@pytest.mark.parametrize("change", [{"name": "most"}, {"min_strength": 5}])
def test_what_cannot_be_a_rule_is_refused(change):
    with pytest.raises(ConfigError, match=r"The rule is|The minimum strength"):
        Rule(**change)


def test_a_split_keeps_every_prompt_on_one_side():
    rows = [{"prompt": [{"role": "user", "content": f"q{n % 40}"}], "n": n} for n in range(120)]
    parts = split_by_prompt(rows, 0.25)
    asked = [{row["prompt"][0]["content"] for row in parts[name]} for name in ("train", "test")]
    assert not asked[0] & asked[1] and len(asked[1]) > 3
    assert sorted(row["n"] for part in parts.values() for row in part) == list(range(120))
    assert split_by_prompt(rows, 0)["test"] == []
    with pytest.raises(ConfigError, match="test's share"):
        split_by_prompt(rows, 1.0)


@pytest.mark.slow
def test_the_files_train_in_stock_trl_trainers(store, labelled, tmp_path):
    """One step each on the built-in model, from the file that `labels export` writes."""
    from datasets import load_dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, RewardConfig, RewardTrainer

    pocket = resolve("pocket").location
    tokenizer = AutoTokenizer.from_pretrained(pocket)
    common = {
        "output_dir": str(tmp_path / "out"),
        "max_steps": 1,
        "per_device_train_batch_size": 2,
        "report_to": "none",
        "save_strategy": "no",
        "use_cpu": True,
        "disable_tqdm": True,
    }
    for format, trainer, config in (
        ("dpo", DPOTrainer, DPOConfig),
        ("kto", KTOTrainer, KTOConfig),
        ("reward", RewardTrainer, RewardConfig),
    ):
        path = tmp_path / f"{format}.jsonl"
        write_file(store.export(labelled.id, format).rows, path)
        rows = load_dataset(
            "json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
        )
        model = pocket
        if format == "reward":
            model = AutoModelForSequenceClassification.from_pretrained(pocket, num_labels=1)
        made = trainer(
            model=model, args=config(**common), train_dataset=rows, processing_class=tokenizer
        )
        assert made.train().training_loss > 0
