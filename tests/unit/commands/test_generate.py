"""`generate` and `pairs make` as functions, with models that answer at once."""

from __future__ import annotations

import json

import pytest

from studio import Commands
from studio.core.errors import ConfigError, DataError, ModelError
from studio.generation.request import Generation


def test_base_and_tuned_model_answer(do: Commands, answering, tuned, tmp_path):
    prompts = tmp_path / "questions.txt"
    prompts.write_text("Who?\nWhere?\n")
    assert do.generate(run="tuned", prompts=prompts, prompt=["Why?"], limit=2) == [
        {"prompt": "Who?", "base": "base: Who?", "tuned": "tuned: Who?"},
        {"prompt": "Where?", "base": "base: Where?", "tuned": "tuned: Where?"},
    ]


def test_several_turns_come_back_as_messages(do: Commands, answering, tuned, tmp_path):
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Ada."},
    ]
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps({"messages": turns}) + "\n")
    [row] = do.generate(run="tuned", prompts=path)
    assert row["prompt"] == turns[:2]


def test_an_answer_that_failed_is_an_error(do: Commands, monkeypatch, tuned):
    def generate(self, request):
        generation = Generation(request)
        generation.begin()
        generation.fail_column(1, "tuned has no adapter.")
        generation.end_part()
        return generation

    monkeypatch.setattr("studio.engine.studio.Studio.generate", generate)
    with pytest.raises(ModelError, match="no adapter"):
        do.generate(run="tuned", prompt=["Who?"])


def test_sampling_out_of_range_is_named(do: Commands):
    with pytest.raises(ConfigError, match="top_p cannot be 0"):
        do.generate(run="tuned", prompt=["Who?"], top_p=0)


def test_pairs_go_to_a_project_and_equal_ones_are_set_aside(do, labels, answering, tuned):
    sides = {"a": "base", "b": "tuned", "project": "first"}
    made = do.pairs_make(**sides, prompt=["Who?", "you agree"])
    assert (made["added"], made["set_aside"]) == (1, {"identical": 1})
    [item] = labels.labelled_pairs(labels.get("first").id)
    assert {item.answer_a, item.answer_b} == {"base: Who?", "tuned: Who?"}
    by_label = {source["label"]: source for source in (item.source_a, item.source_b)}
    assert by_label["tuned"]["run"] == tuned.id and by_label["tuned"]["recipe"]
    assert by_label["base"]["run"] is None
    again = do.pairs_make(**sides, prompt=["Who?"])
    assert (again["added"], again["set_aside"]) == (0, {"duplicate": 1})


def test_one_model_on_both_sides_takes_two_seeds(do, labels, answering, tuned):
    sides = {"a": "tuned", "b": "tuned", "project": "first", "prompt": ["Who?"]}
    made = do.pairs_make(**sides, temperature=0.8, seed=5)
    assert made["set_aside"] == {"identical": 1}
    with pytest.raises(ConfigError, match="temperature"):
        do.pairs_make(**sides)


def test_what_was_learned_from_is_held_out(do, taught, answering, labels):
    sides = {"a": "taught", "b": "base", "project": "next", "held_out": True}
    made = do.pairs_make(**sides, prompt=["q0", "unseen"])
    assert made["added"] == 1
    [item] = labels.labelled_pairs(made["project_id"])
    assert item.prompt[-1]["content"] == "unseen"
    with pytest.raises(DataError, match="choose others"):
        do.pairs_make(**sides, prompt=["q1"])
