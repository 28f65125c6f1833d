"""Verdicts, scores and ranks turn several answers into a pair."""

import pytest

from studio.data.formats import comparison
from studio.data.formats.ranking import pair_from_list, pair_from_scores
from studio.data.types import RowError
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, inspected, user

CASES = {
    "answers with their own ranks after a transcript": (
        {
            "prompt": "\n\nHuman: Q\n\nAssistant: ",
            "answers": [{"answer": "bad", "rank": 2.0}, {"answer": "good", "rank": 1.0}],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "two whole conversations and a winner": (
        {
            "question_id": "x7",
            "model_a": "m",
            "model_b": "n",
            "winner": "model_b",
            "conversation_a": [user("Q"), assistant("bad")],
            "conversation_b": [user("Q"), assistant("good")],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "index of the better answer": (
        {"prompt": "Q", "response_0": "bad", "response_1": "good", "better_response_id": 1},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "winner by name": (
        {"prompt": "Q", "response_a": "bad", "response_b": "good", "winner": "model_b"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a score an answer": (
        {"question": "Q", "answer_0": "good", "answer_1": "bad", "score_0": 0.5, "score_1": -0.5},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a list of scored answers": (
        {
            "instruction": "Q",
            "completions": [{"response": "bad", "score": 1}, {"response": "good", "score": 9}],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a list of ranks beside numbered answers": (
        {"prompt": "Q", "answer1": "mid", "answer2": "good", "answer3": "bad", "ranks": [2, 1, 3]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a list of scores beside lettered answers": (
        {"prompt": "Q", "answer_a": "bad", "answer_b": "good", "scores": [0.1, 0.9]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "ranks": (
        {"prompt": "Q", "responses": ["mid", "good", "bad"], "rank": [2, 1, 3]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "summaries and the index of the better": (
        {
            "info": {"post": "Q", "id": "x"},
            "summaries": [{"text": "bad"}, {"text": "good"}],
            "choice": 1,
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "answers with their scores and a nested question": (
        {
            "question": {"full_text": "Q", "id": "x"},
            "answer_0": "bad",
            "answer_1": "good",
            "score_0": -1.0,
            "score_1": 1.0,
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "one verdict column an answer": (
        {
            "prompt": "Q",
            "response_a": "bad",
            "response_b": "good",
            "winner_model_a": 0,
            "winner_model_b": 1,
            "winner_tie": 0,
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "ratings written as texts": (
        {"instruction": "Q", "generations": ["bad", "good"], "ratings": ["1", "5"]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a score for each model's answer": (
        {
            "prompt": "Q",
            "gpt4_answer": "good",
            "llama_answer": "bad",
            "gpt4_score": 5,
            "llama_score": 2,
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a verdict in words": (
        {"question": "Q", "assistant_a": "bad", "assistant_b": "good", "verdict": "B is better"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, comparison, *CASES[case])


def test_scores_that_tie_are_set_aside(tmp_path):
    rows = [
        {"prompt": "Q", "response_a": "x", "response_b": "y", "winner": w} for w in ("a", "tie")
    ]
    seen = inspected(tmp_path, rows)
    assert (seen.type, seen.kept, seen.problem_counts) == ("preference", 1, {"tie": 1})


def test_the_best_and_the_worst_make_the_pair():
    scores = {"a": 3, "b": "1.5", "c": 9}
    assert pair_from_scores(scores, {"score1": "a", "score2": "b", "score3": "c"}, 3) == (2, 1)
    assert pair_from_scores(scores, {"rank1": "a", "rank2": "b", "rank3": "c"}, 3) == (1, 2)
    listed = [{"text": "x", "score": 1}, {"text": "y", "score": 4}]
    better, worse = pair_from_list(listed, None, None, None, "answers")
    assert (better, worse) == ([assistant("y")], [assistant("x")])
    with pytest.raises(RowError, match="same score"):
        pair_from_list(["x", "y"], [2, 2], None, "scores", "answers")


def test_numbers_beside_answers_that_may_be_places_or_an_order_are_asked_about(tmp_path):
    row = {"prompt": "Q", "answer1": "one", "answer2": "two", "answer3": "three"}
    seen = inspected(tmp_path, [{**row, "ranking": order} for order in ([2, 3, 1], [3, 1, 2])])
    assert [way["row"]["chosen"] for way in seen.readings] == [
        [assistant("three")],
        [assistant("two")],
    ]
    assert all("rank_form" in way["mapping"] for way in seen.readings)
