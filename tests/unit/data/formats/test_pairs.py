"""Pairs for text encoders: what is recognized, what is asked, what is converted."""

import pytest

from studio.data.formats import pairs
from studio.data.formats.column_profile import profile
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import inspected

CASES = {
    "an anchor with a positive": (
        {"anchor": "Q", "positive": "good"},
        "embedding_pairs",
        {"anchor": "Q", "positive": "good"},
    ),
    "an anchor with a positive and a negative": (
        {"anchor": "Q", "positive": "good", "negative": "bad"},
        "embedding_pairs",
        {"anchor": "Q", "positive": "good", "negatives": ["bad"]},
    ),
    "numbered negatives, as sentence-transformers mines them": (
        {"anchor": "Q", "positive": "good", "negative_1": "bad", "negative_2": "worse"},
        "embedding_pairs",
        {"anchor": "Q", "positive": "good", "negatives": ["bad", "worse"]},
    ),
    "headings with text after them, and an empty negative": (
        {"Anchor Text": "Q", "POSITIVE": "good", "Negative": ""},
        "embedding_pairs",
        {"anchor": "Q", "positive": "good"},
    ),
    "lists of BGE": (
        {"query": "Q", "pos": ["good", "fine"], "neg": ["bad", "worse"]},
        "embedding_pairs",
        {"anchor": "Q", "positive": "good", "negatives": ["bad", "worse"]},
    ),
    "a query and its document": (
        {"query": "Q", "document": "good"},
        "embedding_pairs",
        {"anchor": "Q", "positive": "good"},
    ),
    "two sentences with a score": (
        {"sentence1": "A", "sentence2": "B", "score": 3.8},
        "scored_pairs",
        {"sentence1": "A", "sentence2": "B", "score": 3.8},
    ),
    "a score that is text": (
        {"sentence1": "A", "sentence2": "B", "score": "3.8"},
        "scored_pairs",
        {"sentence1": "A", "sentence2": "B", "score": 3.8},
    ),
    "STS-B of GLUE, whose label is a similarity": (
        {"sentence1": "A", "sentence2": "B", "label": 3.8},
        "scored_pairs",
        {"sentence1": "A", "sentence2": "B", "score": 3.8},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, pairs, *CASES[case])


@pytest.mark.parametrize(
    "row",
    [
        {"sentence1": "A", "sentence2": "B", "label": 1},  # paraphrase, or not: a class
        {"question": "Q", "passage": "P", "answer": True},  # read and answer
        {"query": "Q", "context": "C"},
    ],
)
def test_other_pairs_are_left_to_other_families(row):
    seen = profile([row, {**row}])
    assert all(family.recognise(seen) is None for family in pairs.FAMILIES)


def test_a_positive_and_a_negative_answer_to_a_question_are_asked_about(tmp_path):
    rows = [{"question": f"Q{n}", "positive": "yes", "negative": "no"} for n in range(8)]
    found = inspected(tmp_path, rows)
    assert found.type == "embedding_pairs" and found.question
    assert {one["type"] for one in found.readings} == {"embedding_pairs", "preference"}


def test_rows_without_a_side_are_refused(tmp_path):
    rows = [{"anchor": "Q", "positive": "good"}] * 9 + [{"anchor": "Q", "positive": ""}]
    found = inspected(tmp_path, rows)
    assert (found.rows, found.kept) == (10, 9)
    scored = [{"sentence1": "A", "sentence2": "B", "score": 0.5}] * 9
    found = inspected(tmp_path, [*scored, {"sentence1": "A", "sentence2": "B", "score": "high"}])
    assert found.kept == 9
    assert [one.field for one in found.problems if one.kind == "wrong_type"] == ["score"]
