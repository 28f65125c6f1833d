"""AlpacaEval's annotations come in with the votes and the figures that they hold."""

from __future__ import annotations

import json

import pytest

from studio.core.errors import ConfigError, DataError
from studio.labels.import_published import bring_in, read_published


def row(number, preference, first="x" * 40, second="y" * 80, annotator="gpt4", **more):
    return {
        "dataset": "helpful_base",
        "instruction": f"Ask {number}",
        "output_1": first,
        "generator_1": "davinci",
        "output_2": second,
        "generator_2": "tuned",
        "annotator": annotator,
        "preference": preference,
        **more,
    }


def read(tmp_path, rows, scale=""):
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return read_published([path], scale)


@pytest.mark.parametrize(
    ("preferences", "scale", "choices", "win_rate"),
    [
        ([1.0, 2.0, 2.0, None], "", "abb", 2 / 3),
        ([1, 2, 0, 1.5, float("nan")], "", ["a", "b", "tie", "tie"], 0.5),
        ([1.02, 1.98, 1.6], "", "abb", (0.02 + 0.98 + 0.6) / 3),
        ([0.0, 1.0, 0.7, None], "", "abb", 1.7 / 3),
        (["1.0", "2.0", ""], "", "ab", 0.5),
        ([1.0, 1.0, 0.0], "1-2", ["a", "a", "tie"], 0.5 / 3),
        ([1.0, 1.0, 0.0], "0-1", "bba", 2 / 3),
    ],
)
def test_preferences_are_votes_for_a_side(tmp_path, preferences, scale, choices, win_rate):
    rows = [row(number, said) for number, said in enumerate(preferences)]
    found = read(tmp_path, rows, scale)
    assert [given["gpt4"][0] for given in found.votes if given] == list(choices)
    assert len(found.items) == len(rows), "an unread reply stays a row without a vote"
    [rate] = found.rates
    assert (rate["model"], rate["baseline"]) == ("tuned", "davinci")
    assert rate["win_rate"]["value"] == pytest.approx(win_rate)


def test_weights_are_strengths_and_a_judge_without_them_has_one(tmp_path):
    weighted = read(tmp_path, [row(0, 1.999), row(1, 1.45), row(2, 2.0)])
    assert [given["gpt4"] for given in weighted.votes] == [("b", 4), ("a", 1), ("b", 4)]
    plain = read(tmp_path, [row(0, 2.0), row(1, 1.0)])
    assert [given["gpt4"] for given in plain.votes] == [("b", 2), ("a", 2)]


def test_the_length_controlled_rate_takes_length_out(tmp_path):
    # output_2 wins exactly where it is the longer one
    rows = [
        row(n, 2.0 if n % 4 else 1.0, "x" * 50, "y" * (80 + n if n % 4 else 20 + n))
        for n in range(40)
    ]
    [rate] = read(tmp_path, rows).rates
    assert rate["win_rate"]["value"] == pytest.approx(0.75)
    assert rate["length_controlled"]["value"] < 0.65
    assert rate["length_controlled"]["count"] == 40


def test_several_annotators_vote_on_one_pair_and_narrow_nothing(store, tmp_path):
    preferences = [1.0, 2.0, 2.0, 1.0, 2.0]
    once = read(tmp_path, [row(n, said) for n, said in enumerate(preferences)])
    often = read(
        tmp_path,
        [
            row(n, said, annotator=name)
            for name in ("gpt4", "claude", "ann")
            for n, said in enumerate(preferences)
        ],
    )
    assert (len(often.items), often.raters) == (5, ["ann", "claude", "gpt4"])
    assert often.rates == once.rates
    project = bring_in(store, often)
    assert (project.items, project.done) == (5, 15)
    assert project.provenance["rates"] == often.rates
    [rate] = store.results(project.id)
    assert (rate.a, rate.wins, rate.losses) == ("davinci", 2, 3)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([row(0, 1.0), row(1, 0.0)], ConfigError, "says two things.*--scale 1-2.*--scale 0-1"),
        ([row(0, 2.0), row(1, 2.5)], DataError, r"row 2: preference is 0 or 1.5 .*, not 2.5"),
        ([row(0, 2.0), row(1, 0.3)], DataError, "row 2: preference is 0 or 1.5 .*, not 0.3"),
        ([row(0, "output_1")], DataError, "row 1: preference is a number or null, not 'output_1'"),
        ([row(0, True)], DataError, "row 1: preference is a number or null, not True"),
        ([row(0, None)], DataError, "holds no vote"),
        ([row(0, 2.0, instruction="")], DataError, "row 1: there is no instruction"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(tmp_path, rows, error, message):
    with pytest.raises(error, match=message):
        read(tmp_path, rows)


def test_difficulties_come_from_the_other_models_of_the_file(tmp_path):
    rows = [
        row(number, 1.0 + (number % 2 if model == "tuned" else number % 3 == 0),
            second="z" * (20 + number), generator_2=model)
        for model in ("tuned", "mid", "old")
        for number in range(20)
    ]  # fmt: skip
    rates = {rate["model"]: rate for rate in read(tmp_path, rows).rates}
    assert {rate["difficulty_from"] for rate in rates.values()} == {2}
    alone = read(tmp_path, rows[:20]).rates[0]
    assert alone["difficulty_from"] == 0
    assert alone["win_rate"] == rates["tuned"]["win_rate"]
    assert alone["length_controlled"] != rates["tuned"]["length_controlled"]
