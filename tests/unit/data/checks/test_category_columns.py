"""Columns with few values are found, coded, and dropped when they turn out not to be categories."""

from studio.data.checks.category_columns import MAX_GROUPS, Groups
from studio.data.formats.column_profile import profile

ROWS = [
    {"text": f"A text of its own, {n}", "topic": "abc"[n % 3], "level": n % 2, "id": n}
    for n in range(60)
]


def test_short_columns_with_few_values_are_groups():
    groups = Groups(profile(ROWS))
    for row in ROWS:
        groups.see(row)
    assert groups.columns() == {"topic": 3, "level": 2}
    assert groups.codes("topic").tolist() == [n % 3 for n in range(60)]
    assert groups.values("topic") == ["a", "b", "c"]


def test_a_column_that_later_holds_lists_or_too_many_values_is_dropped():
    groups = Groups(profile(ROWS))
    groups.see({"topic": ["a"], "level": 0})
    assert "topic" not in groups.columns()
    for n in range(MAX_GROUPS + 2):
        groups.see({"level": n})
    assert groups.columns() == {}
