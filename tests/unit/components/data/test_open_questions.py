"""What the Data tab asks: readings on a row, escaped, and encodings."""

from components.data import open_questions
from studio.data import inspect
from tests.unit.data.making import inspected, put

ROWS = [
    {"prompt": "<b>Q</b>", "response_a": "one", "response_b": "two", "winner": n} for n in (0, 1, 2)
]


def test_each_reading_is_shown_on_a_row_and_can_be_chosen(tmp_path):
    found = inspected(tmp_path, ROWS)
    shown = open_questions.readings_html(found)
    assert shown.count('class="row-card"') == 2
    assert "&lt;b&gt;Q" in shown and "<b>Q" not in shown
    choice = open_questions.reading_choice(found)
    assert choice["visible"] and len(choice["choices"]) == 2
    how = open_questions.told(found, "1")
    assert how["mapping"]["better_first"] == "0=1,1=2,2=tie"


def test_nothing_is_asked_where_one_reading_fits(tmp_path):
    found = inspected(tmp_path, [{"question": "Q", "answer": "A"}])
    assert open_questions.readings_html(found) == ""
    assert not open_questions.reading_choice(found)["visible"]
    assert not open_questions.encoding_choice(found, {})["visible"]


def test_encodings_are_offered_for_files_that_are_not_utf8(tmp_path):
    text = "question,answer\nOù pousse le chêne ?,À côté du ruisseau derrière la forêt\n"
    found = inspect(put(tmp_path, "rows.csv", text.encode("cp1252")))
    assert open_questions.encoding_choice(found, {})["value"] == "cp1252"
    assert open_questions.encoding_choice(found, {"encoding": "cp850"})["value"] == "cp850"
