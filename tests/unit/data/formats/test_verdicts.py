"""Verdicts in words and codes: read where one reading fits, asked where several do."""

import pytest

from studio.core.errors import DataError
from studio.data import inspect
from studio.data.formats.verdicts import answer_named, ways
from studio.data.types import RowError
from tests.unit.data.making import assistant, inspected, write

TWO = ["answer_a", "answer_b"]


@pytest.mark.parametrize(
    ("value", "first", "position"),
    [
        ("answer_b", "1", 1),
        ("B", "1", 1),
        (1, "0", 1),
        ("1", "1", 0),
        (2.0, "1", 1),
        (0, "1", None),
        ("tie", "1", None),
        (-1, "sign", 0),
        (-1, "-sign", 1),
        (0, "sign", None),
        ("left", "name", 0),
        ("Right", "name", 1),
        ("[[A]]", "name", 0),
        ("[[B]]", "name", 1),
        ("[[C]]", "name", None),
        ("A>B", "name", 0),
        ("B >> A", "name", 1),
        ("A<B", "name", 1),
        ("A=B", "name", None),
        ("Response A is slightly better", "name", 0),
        ("answer_b is better than answer_a", "name", 1),
        ("second", "name", 1),
        ("Both are bad", "name", "unknown"),
        ("both bad", "name", None),
        ("no preference", "name", None),
        (6, "scale4", 1),
        ("2", "scale4", 0),
        (4, "scale4", None),
        (0, "0=tie,1=1,2=2", None),
        ("2.0", "0=1,1=2,2=tie", None),
        (0, "0=a,1=b,2=tie", 0),
        ("true", "true=1,false=2", 0),
        (False, "true=1,false=2", 1),
        ("skip", "name", "open"),
        ("N/A", "name", "open"),
        ("A is worse", "name", "unknown"),
    ],
)
def test_a_verdict_names_an_answer_a_tie_or_nothing(value, first, position):
    if isinstance(position, str):
        with pytest.raises(RowError) as caught:
            answer_named(value, first, TWO, "winner")
        assert caught.value.kind == {"open": "not_judged", "unknown": "wrong_type"}[position]
    else:
        assert answer_named(value, first, TWO, "winner") == position


@pytest.mark.parametrize(
    ("values", "columns", "found"),
    [
        ([0, 1], TWO, ["0", "1=1,0=2"]),
        ([0, 1], ["answer_0", "answer_1"], ["0"]),
        ([1, 2], TWO, ["1"]),
        ([0, 1, 2], TWO, ["0=tie,1=1,2=2", "0=1,1=2,2=tie"]),
        ([0, 2], TWO, ["0=tie,1=1,2=2", "0=1,1=2,2=tie"]),
        (["0", "1", "2"], TWO, ["0=tie,1=1,2=2", "0=1,1=2,2=tie"]),
        ([1, 2, 3], TWO, ["1=1,2=2,3=tie", "1=1,2=tie,3=2"]),
        ([0, 1, 2], ["a1", "a2", "a3"], ["0"]),
        ([1, 2, 3], ["a1", "a2", "a3"], ["1"]),
        ([-1, 1], TWO, ["sign", "-sign"]),
        ([1, 5, 7], TWO, ["scale4"]),
        ([1, 2, 6], TWO, ["scale4"]),
        ([1], TWO, ["1", "0"]),
        ([1], ["response_0", "response_1"], ["0"]),
        ([1], ["response_1", "response_2"], ["1"]),
        ([0, 44], TWO, []),
        (["A", "B", "flagged", "hmm"], TWO, ["name"]),
        (["red", "green", "A"], TWO, []),
    ],
)
def test_codes_have_every_reading_that_fits(values, columns, found):
    assert [way.first for way in ways(values, columns)] == found


def rows(values, **more):
    return [
        {"prompt": f"Q{n}", "response_a": f"one {n}", "response_b": f"two {n}", **made}
        for n, value in enumerate(values)
        for made in [{key: text[n] for key, text in more.items()} | {"winner": value}]
    ]


CASES = {
    "left and right": (["left", "right", "left"], {}, ["one 0", "two 1", "one 2"]),
    "brackets": (["[[A]]", "[[B]]", "[[C]]"], {}, ["one 0", "two 1"]),
    "signs": (["A>B", "B>A", "A=B"], {}, ["one 0", "two 1"]),
    "a seven-point scale": ([1, 4, 7], {}, ["one 0", "two 2"]),
    "words that decide nothing": (["A", "skip", "B"], {}, ["one 0", "two 2"]),
    "names of models": (
        ["vega", "rigel", "vega"],
        {"model_a": ["vega", "vega", "rigel"], "model_b": ["rigel", "rigel", "vega"]},
        ["one 0", "two 1", "two 2"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_verdicts_rank_the_answers(tmp_path, case):
    values, more, chosen = CASES[case]
    seen = inspected(tmp_path, rows(values, **more))
    assert (seen.type, seen.question) == ("preference", None)
    assert [row["chosen"] for row in seen.sample] == [[assistant(text)] for text in chosen]


def test_codes_that_read_two_ways_are_asked_with_a_row_read_both_ways(tmp_path):
    path = write(tmp_path, rows([0, 1, 2, 1]))
    seen = inspect(path)
    assert seen.question and seen.confidence <= 0.5
    first, second = seen.readings
    assert first["row"] != second["row"]
    assert first["flags"] == ["--verdicts", "0=tie", "--verdicts", "1=1", "--verdicts", "2=2"]
    told = inspect(path, mapping={"better_first": "0=1,1=2,2=tie"})
    assert told.question is None and told.kept == 3
    assert [row["chosen"] for row in told.sample] == [
        [assistant("one 0")],
        [assistant("two 1")],
        [assistant("two 3")],
    ]


def test_rows_with_equal_answers_tell_which_code_is_a_tie(tmp_path):
    made = rows([0, 1, 2, 2])
    made[2]["response_a"] = made[2]["response_b"]
    seen = inspected(tmp_path, made)
    assert seen.question is None
    assert seen.mapping["better_first"] == "0=1,1=2,2=tie"


def test_verdicts_for_rows_without_any_are_refused(tmp_path):
    with pytest.raises(DataError, match="better_first says nothing"):
        inspected(tmp_path, [{"question": "Q", "answer": "A"}], mapping={"better_first": "0=1,1=2"})


def between(column, numbers, **more):
    """Rows of two answers with a number beside them."""
    return [
        {
            "instruction": f"Who built {n}?",
            "output_1": f"Ada {n}.",
            "output_2": f"Eve {n}.",
            column: number,
            **more,
        }
        for n, number in enumerate(numbers)
    ]


@pytest.mark.parametrize(
    ("numbers", "first"),
    [
        ([1.0, 2.0, 2.0, 1.0], "Ada 0."),
        ([1.0003, 1.9998, 1.5, 2.0], "Ada 0."),
        ([1.0003, 1.9998, 0.0, 2.0], "Ada 0."),
        ([1.73, 1.02, None, float("nan")], "Eve 0."),
        (["1.0", "2.0", "1.5", ""], "Ada 0."),
    ],
    ids=["whole", "weighted", "0 is a draw too", "missing", "as text"],
)
def test_alpaca_evals_preferences_count_from_the_first_to_the_second(tmp_path, numbers, first):
    found = inspected(tmp_path, between("preference", numbers, generator_1="m", generator_2="n"))
    assert (found.type, found.question) == ("preference", None)
    assert found.sample[0]["chosen"][0]["content"] == first
    undecided = sum(number in (None, 1.5, 0.0, "1.5", "") or number != number for number in numbers)
    assert found.kept == 4 - undecided


@pytest.mark.parametrize("column", ["margin", "score_diff", "reward margin", "preference", "delta"])
@pytest.mark.parametrize("numbers", [[-0.8, 1.3, 0.0, 2.4], [-2, 1, 3, -1]])
def test_signed_numbers_are_asked_about(tmp_path, column, numbers):
    found = inspected(tmp_path, between(column, numbers))
    assert len(found.readings) == 2
    chosen = [one["row"]["chosen"][0]["content"] for one in found.readings]
    assert set(chosen) == {"Ada 0.", "Eve 0."}
    told = inspected(tmp_path, between(column, numbers), mapping={"better_first": "-sign"})
    assert told.sample[0]["chosen"][0]["content"] == "Eve 0."


def test_chances_are_asked_about(tmp_path):
    found = inspected(tmp_path, between("preference", [0.1, 0.9, 0.5, 0.7]))
    assert [one["mapping"]["better_first"] for one in found.readings] == ["-scale0.5", "scale0.5"]


@pytest.mark.parametrize(
    ("column", "first"), [("p_1_better", "Eve 0."), ("prob_2_preferred", "Ada 0.")]
)
def test_chances_of_a_named_answer_are_not_asked_about(tmp_path, column, first):
    found = inspected(tmp_path, between(column, [0.1, 0.9, 0.4, 0.7]))
    assert (found.type, found.question) == ("preference", None)
    assert found.sample[0]["chosen"][0]["content"] == first


def test_scores_say_what_their_margin_means(tmp_path):
    rows = [
        {**row, "score_1": 2.0, "score_2": 3.5}
        for row in between("margin", [-1.5, 1.5, -1.5, -1.5])
    ]
    found = inspected(tmp_path, rows)
    assert found.question is None
    assert found.sample[0]["chosen"][0]["content"] == "Eve 0."


@pytest.mark.parametrize("column", ["length_diff", "token_delta", "time_difference"])
def test_differences_of_something_else_choose_nothing(tmp_path, column):
    assert inspected(tmp_path, between(column, [-8, 13, 2, -5])).type == "comparison"
