"""Plain text."""

import pytest

from studio.data.formats import language_modeling
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import inspected

CASES = {
    "text": ({"text": "Once upon a time."}, "language_modeling", {"text": "Once upon a time."})
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, language_modeling, *CASES[case])


def test_finished_text_is_told_from_its_parts(tmp_path):
    rows = [
        {
            "Tweet text": f"my phone broke again {n}",
            "output": f"### Text: my phone broke again {n}\n\nno",
        }
        for n in range(4)
    ]
    seen = inspected(tmp_path, rows)
    assert (seen.type, seen.mapping) == ("language_modeling", {"text": "output"})


def test_a_guess_says_that_it_is_one(tmp_path):
    seen = inspected(tmp_path, [{"v1": "ham", "v2": "See you at the harbour at noon then"}])
    assert seen.confidence < 0.5
    assert "guess" in seen.why
    assert seen.mapping == {"text": "v2"}
