"""`labels export` and `pairs make`, with votes and answers made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.core.workspace import Workspace
from studio.generation.request import Generation
from studio.labels import LabelStore, Pair
from studio.runs.recipe import Recipe
from studio.runs.store import RunStore


@pytest.fixture
def labels(home: Path):
    store = LabelStore(Workspace(home).votes_url)
    yield store
    store.close()


@pytest.fixture
def voted(labels):
    """Three pairs: one won by a, one by b, one a tie."""
    project = labels.create_project("first", order="given")
    labels.add_items(project.id, [Pair(f"q{n}", f"a{n}", f"b{n}") for n in range(3)])
    for choice in ("a", "b", "tie"):
        shown = labels.next_item(project.id, "ada")
        assert shown is not None
        labels.vote(project.id, shown.item_id, "ada", choice)
    return project


@pytest.mark.parametrize(("format", "rows"), [("dpo", 2), ("kto", 4), ("reward", 2)])
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_votes_become_rows(shell, voted, tmp_path, format, rows, suffix):
    out = tmp_path / "new" / f"labels{suffix}"
    said = shell(
        "labels", "export", "--project", "first", "--format", format, "--out", out, "--json"
    )
    assert said.code == 0, said.err
    assert (said.json["rows"], said.json["items"]) == (rows, 3)
    assert said.json["left_out"] == {"tie": 1}
    assert shell("data", "inspect", out, "--json").json["kept"] == rows


def test_no_votes_yet_is_said(shell, labels, tmp_path):
    project = labels.create_project("empty")
    labels.add_items(project.id, [Pair("q", "a", "b")])
    out = tmp_path / "labels.jsonl"
    sentence = shell("labels", "export", "--project", "empty", "--out", out).refused(1)
    assert "label some pairs" in sentence
    assert not out.exists()


def test_results_say_what_they_are_worth(shell, voted):
    said = shell("labels", "results", "--project", "first", "--json").json
    [duel] = said["results"]
    assert (duel["wins"], duel["ties"], duel["losses"], duel["further"]) == (1, 1, 1, None)
    assert duel["half_win"]["value"] == duel["length_controlled"]["value"] == 0.5
    assert said["strengths"] == [] and said["report"]["longer"]["count"] == 0
    assert "same length" in shell("labels", "results", "--project", "first").out
    undo = ("labels", "undo", "--project", "first", "--annotator", "ada", "--json")
    assert [shell(*undo).json["item"] for _ in range(3)] == [3, 2, 1]
    assert "no verdict in first" in shell(*undo).refused(1)


def test_a_project_is_made_of_prepared_pairs_and_judged_again(shell, labels, tmp_path):
    rows = [{"prompt": f"q{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(3)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prepared = shell("data", "prepare", tmp_path / "pairs.jsonl", "--name", "pairs", "--json")
    assert prepared.code == 0, prepared.err
    made = shell(
        "labels",
        "create",
        "--dataset",
        "pairs",
        "--name",
        "first",
        "--order",
        "given",
        "--reason",
        "kinder",
        "--json",
    )
    assert (made.json["added"], made.json["set_aside"]) == (3, {})
    project = labels.get("first")
    assert (project.reasons, project.order) == (["kinder"], "given")
    again = shell("labels", "create", "--again", "first", "--json").json
    assert again["added"] == 3 and labels.get(again["project_id"]).provenance["again"] == project.id
    assert "--dataset" in shell("labels", "create", "--name", "x").refused(2)


def test_a_disagreement_is_settled_and_a_broken_pair_taken_out(shell, labels, voted):
    first, second, _ = (item.item_id for item in labels.labelled_pairs(voted.id))
    labels.vote(voted.id, first, "ben", "b")
    seen = shell("labels", "show", "--project", "first", "--item", first, "--json").json
    side = "left" if seen["left"] == "b0" else "right"
    settled = shell(
        "labels", "vote", "--project", "first", "--item", first, "--choice", side, "--settle"
    )
    assert settled.code == 0, settled.err
    report = shell("labels", "results", "--project", "first", "--json").json["report"]
    assert (report["settled"], report["disagreements"]) == (1, [])
    assert labels.export(voted.id, "dpo").rows[0]["chosen"][0]["content"] == "b0"
    assert shell("labels", "retire", "--project", "first", "--item", second).code == 0
    assert second not in [item.item_id for item in labels.labelled_pairs(voted.id)]
    assert "9" in shell("labels", "retire", "--project", "first", "--item", 9).refused(1)


@pytest.fixture
def taught(home: Path, labels, voted):
    """Two runs, the second of which learned from the votes and has won a duel against the first."""
    store = RunStore(Workspace(home))
    first = store.create(Recipe.defaults(name="start"))
    second = store.create(Recipe.defaults("dpo", name="taught", start_from=first.id))
    votes = {"project": voted.id, "project_name": "first", "votes": 3, "people": 1}
    store.update(first.id, state="finished")
    store.update(second.id, state="finished", data={"votes": votes})
    duel = labels.create_project("duel", order="given")
    sides = {"label": "taught", "run": second.id}, {"label": "start", "run": first.id}
    labels.add_items(duel.id, [Pair("new", "better", "worse", *sides)])
    labels.vote(duel.id, labels.next_item(duel.id, "ada").item_id, "ada", "a")
    return first, second


def test_rounds_are_told(shell, taught):
    first, second = taught
    [line] = shell("labels", "rounds", "--json").json
    [told] = line["rounds"]
    assert (line["start"], told["run_id"], told["votes"]["votes"]) == (first.id, second.id, 3)
    [duel] = told["duels"]
    assert (duel["project"], duel["opponent"], duel["share"]["value"]) == ("duel", first.id, 1.0)
    text = shell("labels", "rounds").out
    assert text.splitlines()[-1].split() == ["start", "1", "taught", "3", "duel", "1", "100", "%"]


def test_no_round_yet_is_said(shell, labels):
    assert "No run has learned" in shell("labels", "rounds").out
    assert shell("labels", "rounds", "--json").json == []


def test_what_was_learned_from_is_held_out(shell, taught, answering, labels):
    arguments = ("pairs", "make", "--a", "taught", "--b", "base", "--project", "next")
    said = shell(*arguments, "--held-out", "--prompt", "q0", "--prompt", "unseen", "--json")
    assert said.json["added"] == 1, said.err
    [item] = labels.labelled_pairs(said.json["project_id"])
    assert item.prompt[-1]["content"] == "unseen"
    assert "choose others" in shell(*arguments, "--held-out", "--prompt", "q1").refused(1)


def test_a_judge_model_is_kept_apart_from_people(shell, voted, monkeypatch):
    def generate(self, request):
        generation = Generation(request)
        generation.begin()
        for at in range(len(request.prompts)):  # always for what is shown first
            generation.put(0, at, text="A", ended="stop")
        generation.end_part()
        return generation

    monkeypatch.setattr("studio.engine.studio.Studio.generate", generate)
    said = shell("labels", "judge", "--project", "first", "--judge", "base:pocket", "--json")
    [duel] = said.json["duels"]
    assert (duel["ties"], duel["flips"]["value"], duel["first"]["value"]) == (3, 1.0, 1.0)
    people = shell("labels", "results", "--project", "first", "--json").json["results"]
    assert (people[0]["wins"], people[0]["losses"]) == (1, 1)
    text = shell("labels", "judge", "--project", "first", "--judge", "base:pocket").out
    assert "3 pairs asked in both orders, 100 % changed with the order" in text
    wrong = shell("labels", "judge", "--project", "first", "--judge", "nobody")
    assert "nobody" in wrong.refused(wrong.code)


@pytest.fixture
def answering(monkeypatch):
    """Models that answer at once: their label and the question, except one they agree on."""

    def generate(self, request):
        generation = Generation(request)
        generation.begin()
        for column, asked in enumerate(request.columns):
            for number, prompt in enumerate(request.prompts):
                text = prompt[-1]["content"]
                said = "same" if "agree" in text else f"{asked.label}: {text}"
                generation.put(column, number, text=said, tokens=3, ended="stop")
        generation.end_part()
        return generation

    monkeypatch.setattr("studio.engine.studio.Studio.generate", generate)


@pytest.fixture
def run(home: Path):
    store = RunStore(Workspace(home))
    made = store.create(Recipe.defaults(name="tuned"))
    return store.update(made.id, state="finished")


def test_pairs_go_to_a_project_and_equal_ones_are_set_aside(shell, labels, answering, run):
    arguments = ("pairs", "make", "--a", "base", "--b", "tuned", "--project", "first")
    said = shell(*arguments, "--prompt", "Who?", "--prompt", "you agree", "--json")
    assert said.code == 0, said.err
    assert (said.json["added"], said.json["set_aside"]) == (1, {"identical": 1})
    project = labels.get("first")
    assert project.items == 1
    (item,) = labels.labelled_pairs(project.id)
    assert {item.answer_a, item.answer_b} == {"base: Who?", "tuned: Who?"}
    by_label = {source["label"]: source for source in (item.source_a, item.source_b)}
    assert by_label["tuned"]["run"] == run.id and by_label["tuned"]["recipe"]
    assert by_label["base"]["run"] is None
    again = shell(*arguments, "--prompt", "Who?", "--json")
    assert (again.json["added"], again.json["set_aside"]) == (0, {"duplicate": 1})


def test_one_model_on_both_sides_takes_two_seeds(shell, labels, answering, run):
    said = shell(
        "pairs",
        "make",
        "--a",
        "tuned",
        "--b",
        "tuned",
        "--project",
        "first",
        "--prompt",
        "Who?",
        "--temperature",
        "0.8",
        "--seed",
        "5",
        "--json",
    )
    assert said.json["set_aside"] == {"identical": 1}


def test_generate_prints_both_answers(shell, answering, run, tmp_path):
    prompts = tmp_path / "questions.txt"
    prompts.write_text("Who?\nWhere?\n")
    said = shell("generate", "--run", "tuned", "--prompts", prompts, "--json")
    assert said.json == [
        {"prompt": "Who?", "base": "base: Who?", "tuned": "tuned: Who?"},
        {"prompt": "Where?", "base": "base: Where?", "tuned": "tuned: Where?"},
    ]
    assert "tuned   tuned: Who?" in shell("generate", "--run", "tuned", "--prompts", prompts).out
    assert len(shell("generate", "--run", "tuned", "--prompts", prompts, "--limit", 1).out) < 60


def test_several_turns_come_back_as_messages(shell, answering, run, tmp_path):
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Ada."},
    ]
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps({"messages": turns}) + "\n")
    (row,) = shell("generate", "--run", "tuned", "--prompts", path, "--json").json
    assert row["prompt"] == turns[:2]


def test_an_answer_that_failed_fails_the_command(shell, monkeypatch, run):
    def generate(self, request):
        generation = Generation(request)
        generation.begin()
        generation.fail_column(1, "tuned has no adapter.")
        generation.end_part()
        return generation

    monkeypatch.setattr("studio.engine.studio.Studio.generate", generate)
    said = shell("generate", "--run", "tuned", "--prompt", "Who?")
    assert "no adapter" in said.refused(1)
