"""What annotators wrote, ranked and picked, in exports of Label Studio and Argilla."""

import json

import pytest

from studio.data import inspect
from studio.data.formats.annotators_said import Said
from tests.unit.data.making import inspected, put

ITEMS = [{"id": "a", "title": "A", "body": "Dunno."}, {"id": "b", "title": "B", "body": "Ada."}]


def exported(folder, results, data=None, count=4):
    """An export whose records have `results(n)` of one annotator, or of several in lists."""
    rows = []
    for n in range(count):
        given = results(n)
        given = given if isinstance(given[0], list) else [given]
        rows.append(
            {
                "id": n,
                "data": {"prompt": f"Who built {n}?", **(data or {})},
                "annotations": [{"result": each} for each in given],
            }
        )
    return inspect(put(folder, "export.json", json.dumps(rows)))


def result(kind, value, name="said", to="prompt"):
    return {"type": kind, "from_name": name, "to_name": to, "value": value}


def wrote(text, name="answer"):
    return result("textarea", {"text": [text]}, name)


def ranked(*ids):
    return result("ranker", {"ranker": {"rank": list(ids)}}, to="answers")


def test_a_written_answer_is_learned(tmp_path):
    found = exported(tmp_path, lambda n: [wrote(f"Ada {n}.")])
    assert found.sample[0]["completion"][0]["content"] == "Ada 0."
    assert found.kept == 4


def test_a_text_that_edits_a_field_is_preferred_over_it(tmp_path):
    found = exported(tmp_path, lambda n: [wrote("Ada.")], {"answer": "Dunno."})
    assert found.sample[0]["chosen"][0]["content"] == "Ada."
    assert found.sample[0]["rejected"][0]["content"] == "Dunno."


def test_several_annotators_texts_are_asked_about(tmp_path):
    found = exported(tmp_path, lambda n: [[wrote(f"Ada {n}.")], [wrote(f"Eve {n}.")]])
    assert [one["mapping"]["take"] for one in found.readings] == ["first", "each"]
    assert any('"answer" holds several texts in 4 records' in note for note in found.notes)


def test_a_remark_beside_a_vote_is_named(tmp_path):
    picked = result("pairwise", {"selected": "right"}, "best", "answer1,answer2")
    sides = {"answer1": "Dunno.", "answer2": "Ada."}
    found = exported(tmp_path, lambda n: [picked, wrote("It is not polite at all.", "why")], sides)
    assert found.sample[0]["chosen"][0]["content"] == "Ada."
    assert 'Left out: "why"' in found.why


def test_what_cannot_be_read_is_named_and_counted(tmp_path):
    span = result("labels", {"start": 0, "end": 3, "text": "Who", "labels": ["WORD"]}, "marks")
    several = result("choices", {"choices": ["a", "b"]}, "topics")
    found = exported(tmp_path, lambda n: [wrote(f"Ada {n}."), span, span, several])
    assert "What annotators said in marks (labels) is not read, in 4 records." in found.notes
    assert "What annotators said in topics (choices) is not read, in 4 records." in found.notes


def test_a_models_predictions_are_named(tmp_path):
    predicted = [{"result": [wrote("Ada.")]}]
    rows = [
        {"data": {"prompt": f"Who built {n}?"}, "annotations": [], "predictions": predicted}
        for n in range(4)
    ]
    found = inspect(put(tmp_path, "export.json", json.dumps(rows)))
    assert any("predictions (of a model) is not read, in 4 records" in n for n in found.notes)


def test_two_questions_of_classes_are_not_mixed(tmp_path):
    def both(n):
        mood = result("choices", {"choices": [["sad", "glad"][n % 2]]}, "sentiment")
        return [mood, result("choices", {"choices": [["sea", "land"][n % 2]]}, "topic")]

    found = exported(tmp_path, both, {"text": "The ship sank."}, count=8)
    assert found.sample[1]["completion"][0]["content"] == "glad"


@pytest.mark.parametrize("orders", [[("b", "a")], [("b", "a"), ("b", "a"), ("a", "b")]])
def test_a_ranked_list_makes_pairs_by_the_mean_of_its_places(tmp_path, orders):
    found = exported(tmp_path, lambda n: [[ranked(*each)] for each in orders], {"answers": ITEMS})
    assert (found.type, found.kept) == ("preference", 4)
    assert found.sample[0]["prompt"][0]["content"] == "Who built 0?"
    assert found.sample[0]["chosen"][0]["content"] == "Ada."
    assert found.sample[0]["rejected"][0]["content"] == "Dunno."


def test_a_ranked_list_under_any_name_and_ranked_fields(tmp_path):
    found = exported(tmp_path, lambda n: [ranked("b", "a")], {"items": ITEMS})
    assert found.sample[0]["chosen"][0]["content"] == "Ada."
    sides = {"answer1": "Dunno.", "answer2": "Ada."}
    found = exported(tmp_path, lambda n: [ranked("answer2", "answer1")], sides)
    assert found.sample[0]["chosen"][0]["content"] == "Ada."


def test_buckets_are_named(tmp_path):
    value = result("ranker", {"ranker": {"good": ["b"], "bad": ["a"]}}, "sorted")
    found = exported(tmp_path, lambda n: [value, wrote(f"Ada {n}.")], {"items": ITEMS})
    assert "What annotators said in sorted (ranker) is not read, in 4 records." in found.notes


# ---- Argilla ------------------------------------------------------------------------------------


def flat(value, more=None, question="preference"):
    return [
        {
            "prompt": f"Who built {n}?",
            "response_a": f"Dunno {n}.",
            "response_b": f"Ada {n}.",
            f"{question}.responses": value,
            **(more or {}),
        }
        for n in range(5)
    ]


@pytest.mark.parametrize(
    ("value", "more"),
    [
        (["response_b", "response_b", "response_a"], {}),
        (["response_b"], {"preference.responses.users": ["u"], "preference.suggestion": "x"}),
        ('["response_b"]', {"preference.responses.status": '["submitted"]'}),
        ([["response_b", "response_a"]], {"preference.responses.users": ["u"]}),
        ([{"value": "response_b", "rank": 1}], {}),
    ],
    ids=["values alone", "with users", "as CSV keeps them", "a ranking of names", "ranked"],
)
def test_flat_columns_of_responses_are_votes(tmp_path, value, more):
    if value == [{"value": "response_b", "rank": 1}]:
        value = [value]
    found = inspected(tmp_path, flat(value, more))
    assert (found.type, found.kept) == ("preference", 5)
    assert found.sample[0]["chosen"][0]["content"] == "Ada 0."


def test_a_rating_between_two_answers_is_a_scale(tmp_path):
    rows = [
        {**row, "preference.responses": [[7, 6], [1, 1], [4], [2], [7]][n]}
        for n, row in enumerate(flat([]))
    ]
    found = inspected(tmp_path, rows)
    assert found.sample[0]["chosen"][0]["content"] == "Ada 0."
    assert found.sample[1]["chosen"][0]["content"] == "Dunno 1."
    assert found.problem_counts == {"tie": 1}


def test_a_text_of_ones_own_is_no_class(tmp_path):
    texts = ["Ada built it, with her sister, in May.", "Ada.", "Eve.", "Ada, as everybody knows."]
    rows = [
        {"fields": {"prompt": f"Who built {n}?"}, "responses": {"answer": [{"value": text}]}}
        for n, text in enumerate(texts)
    ]
    found = inspected(tmp_path, rows)
    answers = [row["completion"][0]["content"] for row in found.sample]
    assert answers == texts


def test_several_labels_are_named(tmp_path):
    rows = [
        {"text": f"Ship {n} sank", "mood.responses": ["sad"], "topics.responses": [["sea", "war"]]}
        for n in range(5)
    ]
    found = inspected(tmp_path, rows)
    assert any('said in "topics" (several labels) is not read' in note for note in found.notes)


THREE = {"response1": "Dunno.", "response2": "Ada.", "response3": "Eve, I think."}


def test_a_record_of_argillas_client_is_read_with_all_its_places(tmp_path):
    places = {"response1": 3, "response2": 1, "response3": 2}
    value = [{"value": name, "rank": rank} for name, rank in places.items()]
    person = {"user_id": "u", "status": "submitted", "values": {"order": {"value": value}}}
    draft = {**person, "status": "draft"}
    rows = [
        {"fields": {"prompt": f"Who built {n}?", **THREE}, "responses": [person, draft]}
        for n in range(4)
    ]
    found = inspected(tmp_path, rows)
    assert (found.type, found.kept) == ("preference", 4)
    assert found.sample[0]["chosen"][0]["content"] == "Ada."
    assert found.sample[0]["rejected"][0]["content"] == "Dunno."


def test_three_ranked_fields_of_label_studio_make_the_first_and_the_last_a_pair(tmp_path):
    order = ("response2", "response3", "response1")
    found = exported(tmp_path, lambda n: [ranked(*order)], THREE)
    assert found.sample[0]["chosen"][0]["content"] == "Ada."
    assert found.sample[0]["rejected"][0]["content"] == "Dunno."


def test_a_field_that_says_what_a_ranked_answer_says_stays():
    said = Said({"prompt": "Dunno.", **THREE})
    assert said.ranks_fields({"response1": 2, "response2": 1, "response3": 3})
    row = said.row()
    assert (row["prompt"], row["ranks"]) == ("Dunno.", [2, 1, 3]) and "response1" not in row


def test_places_are_averaged():
    said = Said({}, ranked=["x", "y", "z"], places=[[2, 3, 1], [3, 2, 1]])
    assert said.row() == {"answers": ["x", "y", "z"], "ranks": [2.5, 2.5, 1.0]}
