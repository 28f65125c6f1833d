"""MinHash finds what exact Jaccard similarity calls near duplicates."""

from studio.data import inspect
from tests.unit.data.making import questions, write


def test_near_duplicates_are_found_and_nothing_else(tmp_path):
    rows = questions(400, seed=3)
    rows.append({**rows[10], "answer": rows[10]["answer"].replace(".", " indeed.")})
    rows.append({**rows[11], "question": rows[11]["question"].upper()})
    found = inspect(write(tmp_path, rows))
    near = [p for p in found.problems if p.kind == "near_duplicate"]
    assert [p.row for p in near] == [401, 402]
    assert "row 11" in near[0].message
    assert "row 12" in near[1].message
    assert found.kept == 402


def test_characters_are_compared_where_words_are_not_separated(tmp_path):
    text = "我能吞下玻璃而不伤身体因为我是一个模型并且喜欢回答问题"
    rows = [
        {"question": text, "answer": text[::-1]},
        {"question": text[:-1] + "吗", "answer": text[::-1]},
    ]
    assert inspect(write(tmp_path, rows)).problem_counts == {"near_duplicate": 1}
