"""Length and position bias of preference pairs."""

from studio.data import inspect
from studio.data.checks.preference_bias import preference_report
from tests.unit.data.making import assistant, user, write


def test_preferences_report_length_and_place(tmp_path):
    rows = [
        {"prompt": f"q{n}", "answer_a": "a" * 30, "answer_b": "b" * 10, "winner": "ab"[n % 4 == 0]}
        for n in range(40)
    ]
    report = inspect(write(tmp_path, rows)).preference
    assert report["longer_wins"] == report["pick_longer"] == report["first_wins"] == 0.75
    assert report["length_ratio"] == 3.0


def test_only_what_the_assistant_says_counts_as_length():
    prompt = [user("Q")]
    rows = [
        {
            "prompt": prompt,
            "chosen": [assistant("abcd")],
            "rejected": [*prompt * 99, assistant("ab")],
        },
        {"prompt": prompt, "chosen": "ab", "rejected": "ab"},
    ]
    report = preference_report(rows)
    assert report is not None and report.first_wins is None
    assert (report.longer_wins, report.shorter_wins, report.pick_longer) == (0.5, 0.0, 0.75)
    assert (report.chosen_length, report.rejected_length) == (3.0, 2.0)
    assert preference_report([]) is None
