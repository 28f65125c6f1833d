"""Length and position bias of preference pairs."""

from studio.data import inspect
from tests.unit.data.making import write


def test_preferences_report_length_and_place(tmp_path):
    rows = [
        {"prompt": f"q{n}", "answer_a": "a" * 30, "answer_b": "b" * 10, "winner": "ab"[n % 4 == 0]}
        for n in range(40)
    ]
    report = inspect(write(tmp_path, rows)).preference
    assert report["longer_wins"] == report["pick_longer"] == report["first_wins"] == 0.75
    assert report["length_ratio"] == 3.0
