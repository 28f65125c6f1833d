"""Odd files of many kinds: other languages, nested columns, orders in words, served rows."""

import json

import pytest

from studio.data import inspect
from tests.unit.data.making import assistant, inspected, put, user

ONE, TWO, THREE = "On the hill {n}.", "By the sea {n}.", "No idea {n}."
ASKED = "Where is oak {n}?"


def rows(row, changes=({},), count=6):
    """A row several times, taking turns with changes, `{n}` being its number."""
    made = [{**row, **changes[n % len(changes)]} for n in range(count)]
    texts = [json.dumps(one, ensure_ascii=False) for one in made]
    return [json.loads(text.replace("{n}", str(n))) for n, text in enumerate(texts)]


SIDES = {"response_a": TWO, "response_b": ONE, "response_c": THREE}
PAIRS = {
    "an order in signs": {"prompt": ASKED, **SIDES, "ranking": "B > A > C"},
    "an order with equals": {"prompt": ASKED, **SIDES, "order": "B > A = C"},
    "an order as a list": {"prompt": ASKED, **SIDES, "best_to_worst": ["B", "A", "C"]},
    "an order of column names": {
        "prompt": ASKED,
        **SIDES,
        "ranking": "response_b > response_a > response_c",
    },
    "letters beside a list": {
        "prompt": ASKED,
        "responses": [TWO, ONE, THREE],
        "ranking": ["B", "A", "C"],
    },
    "signs beside a list": {
        "prompt": ASKED,
        "responses": [TWO, ONE, THREE],
        "preference": "2 > 1 > 3",
    },
    "weights beside a list": {"prompt": ASKED, "responses": [THREE, ONE], "preference": [0.2, 0.8]},
    "scores out of ten after a model's letter": {
        "instruction": ASKED,
        "model_a_response": THREE,
        "model_b_response": ONE,
        "model_a_score": "3/10",
        "model_b_score": "8/10",
    },
    "raters in objects": {
        "prompt": ASKED,
        "response_a": THREE,
        "response_b": ONE,
        "annotations": [
            {"annotator": "x", "preference": "response_b"},
            {"annotator": "y", "preference": "response_a"},
            {"annotator": "z", "preference": "response_b"},
        ],
    },
    "Chinese": {"问题": ASKED, "好回答": ONE, "坏回答": THREE},
    "Japanese": {"質問": ASKED, "良い回答": ONE, "悪い回答": THREE},
    "Korean": {"질문": ASKED, "좋은 답변": ONE, "나쁜 답변": THREE},
    "German": {"Frage": ASKED, "gute Antwort": ONE, "schlechte Antwort": THREE},
    "French": {"question": ASKED, "réponse_choisie": ONE, "réponse_rejetée": THREE},
    "Spanish": {"pregunta": ASKED, "respuesta_buena": ONE, "respuesta_mala": THREE},
    "Russian": {"вопрос": ASKED, "хороший_ответ": ONE, "плохой_ответ": THREE},
}


@pytest.mark.parametrize("row", PAIRS.values(), ids=PAIRS)
def test_the_better_answer_is_chosen(tmp_path, row):
    found = inspected(tmp_path, rows(row))
    assert (found.type, found.kept, found.question) == ("preference", 6, None)
    assert found.sample[0]["prompt"] == [user("Where is oak 0?")]
    assert found.sample[0]["chosen"] == [assistant("On the hill 0.")]
    worse = found.sample[0]["rejected"][0]["content"]
    assert worse == ("By the sea 0." if row.get("order") else "No idea 0.")


def test_a_verdict_that_repeats_the_better_text(tmp_path):
    row = {"prompt": ASKED, "output_a": ONE, "output_b": TWO}
    found = inspected(tmp_path, rows(row, ({"winner": ONE}, {"winner": TWO})))
    assert [one["chosen"][0]["content"][:2] for one in found.sample[:2]] == ["On", "By"]
    found = inspected(
        tmp_path,
        [*rows(row, ({"winner": ONE}, {"winner": TWO}), 300), {**row, "winner": "Nowhere."}],
        near=False,
    )
    assert found.problem_counts["wrong_type"] == 1


def test_chances_in_per_cent_are_asked_about(tmp_path):
    row = {"prompt": ASKED, "response_1": ONE, "response_2": TWO}
    found = inspected(tmp_path, rows(row, ({"preference": "70%"}, {"preference": "15%"})))
    assert len(found.readings) == 2


def test_an_order_that_names_an_answer_twice_is_its_rows_problem(tmp_path):
    row = {"prompt": ASKED, **SIDES, "ranking": "B > A > C"}
    several = [*rows(row, count=300), *rows({**row, "ranking": "B > B > C"}, count=2)]
    found = inspected(tmp_path, several, near=False)
    assert found.problem_counts["wrong_type"] == 2
    several = rows(row, ({}, {"ranking": "B = A > C"}))
    assert inspected(tmp_path, several).type == "preference"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Bewertung", ("gut", "schlecht")),
        ("оценка", ("хорошо", "плохо")),
        ("评价", ("好", "坏")),
        ("评分", ("正确", "错误")),
    ],
)
def test_verdicts_in_other_languages_are_labels(tmp_path, name, words):
    row = {"question": ASKED, "answer": ONE}
    found = inspected(tmp_path, rows(row, [{name: word} for word in words]))
    assert found.type == "unpaired_preference"
    assert [row["label"] for row in found.sample[:2]] == [True, False]


def test_several_raters_of_one_answer_are_named(tmp_path):
    row = {"prompt": ASKED, "response": ONE, "annotator_1": 1, "annotator_2": 0}
    assert '"annotator_1" and "annotator_2" rate the answers' in inspected(tmp_path, rows(row)).why


@pytest.mark.parametrize("text", ["不知道。", "모르겠다.", "わからない。"])
def test_short_texts_in_dense_scripts_are_named(tmp_path, text):
    row = {"question": ASKED, "answer": ONE, "remarks": text}
    assert 'Left out: "remarks"' in inspected(tmp_path, rows(row)).why


@pytest.mark.parametrize(
    ("asks", "answers"),
    [
        ("Benutzer", "Assistent"),
        ("пользователь", "ассистент"),
        ("用户", "助手"),
        ("usuario", "asistente"),
    ],
)
def test_roles_in_other_languages_are_roles(tmp_path, asks, answers):
    turns = [{"role": asks, "content": ASKED}, {"role": answers, "content": ONE}]
    found = inspected(tmp_path, rows({"messages": turns}))
    assert (found.question, found.kept) == (None, 6)
    assert found.sample[0]["messages"] == [user("Where is oak 0?"), assistant("On the hill 0.")]


@pytest.mark.parametrize("name", ["Note", "Bewertung", "оценка", "评分", "puntuación", "評価"])
def test_ratings_in_other_languages_are_named(tmp_path, name):
    row = {"question": ASKED, "answer": ONE}
    found = inspected(tmp_path, rows(row, [{name: number} for number in (1, 4, 5)]))
    assert f'"{name}" rates the answers and is not read' in found.why
    assert found.confidence <= 0.75


@pytest.mark.parametrize(
    "row",
    [
        {"sample": {"input": {"text": ASKED}, "output": {"text": ONE}}},
        {"data": {"example": {"question": ASKED, "answer": ONE}}, "id": 3},
        {"a": {"b": {"c": {"prompt": ASKED, "response": ONE}}}},
    ],
)
def test_columns_within_objects_are_found(tmp_path, row):
    found = inspected(tmp_path, rows(row))
    assert found.sample[0] == {
        "prompt": [user("Where is oak 0?")],
        "completion": [assistant("On the hill 0.")],
    }


def test_rows_of_the_dataset_viewer_are_taken_out(tmp_path):
    served = [
        {"row_idx": n, "row": row, "truncated_cells": []}
        for n, row in enumerate(rows({"question": ASKED, "answer": ONE}))
    ]
    text = json.dumps({"features": [{"name": "question"}], "rows": served})
    found = inspect(put(tmp_path, "rows.json", text))
    assert (found.kept, found.format) == (6, "question-answer")


def test_a_call_without_arguments_has_none(tmp_path):
    call = {"type": "function", "function": {"name": "now", "arguments": None}}
    turns = [user("Time?"), {**assistant(""), "tool_calls": [call]}]
    result = {"role": "tool", "content": {"time": "noon"}}
    found = inspected(tmp_path, [{"messages": [*turns, result, assistant("Noon.")]}])
    said = found.sample[0]["messages"]
    assert said[1]["tool_calls"][0]["function"]["arguments"] == {}
    assert said[2]["content"] == '{"time": "noon"}'
    assert found.problem_counts == {}
