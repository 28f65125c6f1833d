"""The table of attacks names tests that there are, for every kind that was found."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs" / "security-cases.md").read_text(encoding="utf-8")


def test_every_case_names_a_test_that_there_is() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TABLE)
    assert len(named) > 50
    for path, test in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in text, (path, test)


def test_every_kind_has_its_row() -> None:
    rows = [line for line in TABLE.splitlines() if re.match(r"\| \d+ \|", line)]
    assert {int(line.split("|")[1]) for line in rows} == set(range(1, 20))
    assert all("`tests/" in line for line in rows)


def test_every_file_of_attacks_is_in_the_table() -> None:
    files = {path.name for path in (ROOT / "tests" / "security").glob("test_*.py")}
    beside = {"test_table.py", "test_chat_endpoint.py", "test_second_attack.py"}
    assert {name for name in files - beside if name not in TABLE} == set()
