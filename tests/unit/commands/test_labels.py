"""Labeling projects and votes as functions."""

from __future__ import annotations

import json

import pytest

from studio import Commands
from studio.core.errors import ConfigError, DataError
from studio.labels import Pair


def test_projects_are_listed(do: Commands, voted):
    [listed] = do.labels_list()
    assert (listed["project"], listed["pairs"], listed["judged"]) == ("first", 3, 3)


@pytest.mark.parametrize(("format", "rows"), [("dpo", 2), ("kto", 4), ("reward", 2)])
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_votes_become_rows(do: Commands, voted, tmp_path, format, rows, suffix):
    out = tmp_path / "new" / f"labels{suffix}"
    made = do.labels_export(project="first", format=format, out=out)
    assert (made["rows"], made["items"], made["left_out"]) == (rows, 3, {"tie": 1})
    assert (made["train"], made["test"], made["test_file"]) == (rows, 0, None)
    assert do.data_inspect([str(out)])["kept"] == rows


def test_a_share_of_the_prompts_goes_into_a_test_file(do: Commands, voted, tmp_path):
    out = tmp_path / "labels.jsonl"
    made = do.labels_export(project="first", out=out, test_fraction=0.5)
    assert made["train"] == made["test"] == 1
    assert made["test_file"] == str(tmp_path / "labels.test.jsonl")


def test_a_project_goes_out_in_label_studios_format_and_comes_back(do: Commands, labels, tmp_path):
    project = labels.create_project("trees", order="given")
    labels.add_items(project.id, [Pair(f"q{n}", f"left {n}", f"right {n}") for n in range(4)])
    for annotator in ("ada", "bea"):
        for wanted in ("left", "right", "tie", "left"):
            pair = do.labels_next(project="trees", annotator=annotator)
            at = "left" if pair["left"].startswith(wanted) else "right"  # sides are shuffled
            choice = "tie" if wanted == "tie" else at
            do.labels_vote(project="trees", item=pair["item"], annotator=annotator, choice=choice)
    out = tmp_path / "tasks.json"
    made = do.labels_export(project="trees", out=out, format="label-studio")
    assert (made["rows"], made["used"]) == (4, 4)
    task = json.loads(out.read_text())[0]
    assert task["annotations"][0]["result"][0]["value"]["selected"] in ("left", "right")
    assert len(task["annotations"]) == 2
    seen = do.data_inspect([str(out)])
    rows = do.labels_export(project="trees", out=tmp_path / "rows.jsonl")
    assert (seen["type"], seen["kept"]) == ("preference", rows["rows"])
    kept = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["chosen"] for row in seen["sample"]] == [row["chosen"] for row in kept]
    with pytest.raises(ConfigError, match=r"\.json"):
        do.labels_export(project="trees", out=tmp_path / "tasks.jsonl", format="label-studio")


def test_an_export_that_cannot_be_written_is_refused(do: Commands, labels, tmp_path):
    project = labels.create_project("empty")
    labels.add_items(project.id, [Pair("q", "a", "b")])
    out = tmp_path / "labels.jsonl"
    with pytest.raises(DataError, match="label some pairs"):
        do.labels_export(project="empty", out=out)
    assert not out.exists()
    with pytest.raises(ConfigError, match=r"\.csv"):
        do.labels_export(project="empty", out=tmp_path / "labels.csv")


def test_a_project_is_made_of_prepared_pairs_and_labeled_again(do: Commands, labels, tmp_path):
    rows = [{"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(3)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    do.data_prepare([str(tmp_path / "pairs.jsonl")], name="pairs")
    made = do.labels_create(dataset="pairs", name="first", order="given", reason=["kinder"])
    assert (made["added"], made["set_aside"]) == (3, {})
    project = labels.get("first")
    assert (project.reasons, project.order) == (["kinder"], "given")
    again = do.labels_create(from_project="first")
    assert again["added"] == 3 and labels.get(again["project_id"]).provenance["again"] == project.id


@pytest.mark.parametrize(
    "given", [{}, {"dataset": "a", "from_project": "b"}, {"dataset": "a", "reward_model": "c"}]
)
def test_a_project_has_one_source(do: Commands, given):
    with pytest.raises(ConfigError, match="dataset or from_project"):
        do.labels_create(**given)


def test_a_vote_is_saved_and_undone(do: Commands, labels):
    project = labels.create_project("new", order="given")
    labels.add_items(project.id, [Pair("q", "a", "b")])
    pair = do.labels_next(project="new", annotator="ada")
    assert {pair["left"], pair["right"]} == {"a", "b"} and pair["prompt"][0]["content"] == "q"
    vote = {"project": "new", "item": pair["item"], "annotator": "ada"}
    assert do.labels_vote(**vote, choice="left")["version"] == 1
    assert do.labels_vote(**vote, choice="tie", strength=3)["version"] == 2
    assert do.labels_next(project="new", annotator="ada") is None
    assert do.labels_undo(project="new", annotator="ada") == {"item": pair["item"]}
    with pytest.raises(ConfigError, match="choice cannot be"):
        do.labels_vote(**vote, choice="a")


def test_votes_are_undone_from_the_last(do: Commands, voted):
    undo = {"project": "first", "annotator": "ada"}
    assert [do.labels_undo(**undo)["item"] for _ in range(3)] == [3, 2, 1]
    with pytest.raises(DataError, match="no vote in first"):
        do.labels_undo(**undo)


def test_a_disagreement_is_settled_and_a_broken_pair_removed(do: Commands, labels, voted):
    first, second, _ = (item.item_id for item in labels.labelled_pairs(voted.id))
    labels.vote(voted.id, first, "ben", "b")
    shown = do.labels_show(project="first", item=first)
    side = "left" if shown["left"] == "b0" else "right"
    do.labels_vote(project="first", item=first, choice=side, settle=True)
    report = do.labels_results(project="first")["report"]
    assert (report["settled"], report["disagreements"]) == (1, [])
    assert labels.export(voted.id, "dpo").rows[0]["chosen"][0]["content"] == "b0"
    do.labels_remove(project="first", item=second)
    assert second not in [item.item_id for item in labels.labelled_pairs(voted.id)]
    with pytest.raises(DataError, match="9"):
        do.labels_remove(project="first", item=9)


def test_published_votes_are_imported(do: Commands, tmp_path):
    row = {"instruction": "q", "response1": "a", "response2": "b", "annotator1": 1, "annotator2": 0}
    path = tmp_path / "published.json"
    path.write_text(json.dumps([row]))
    made = do.labels_import([path], name="theirs")
    assert (made["project"], made["pairs"], made["votes"]) == ("theirs", 1, 2)
    assert made["raters"] == ["annotator1", "annotator2"]
