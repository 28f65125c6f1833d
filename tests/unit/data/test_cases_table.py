"""The table of cases names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_case_names_a_test_that_there_is():
    table = (ROOT / "docs" / "cases.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", table)
    assert len(named) > 40
    for path, test in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in text, (path, test)
