"""What all format families share, and what every one of them has to offer."""

import pytest

from studio.data import TYPES
from studio.data.formats import FAMILIES
from studio.data.formats.base import listed, mapped


def test_mappings_leave_out_what_was_not_found():
    assert mapped(prompt="q", input=None) == {"prompt": "q"}


@pytest.mark.parametrize(
    ("columns", "words"),
    [(["a"], '"a"'), (["a", "b"], '"a" and "b"'), (["a", "b", "c"], '"a", "b" and "c"')],
)
def test_columns_are_listed_as_in_a_sentence(columns, words):
    assert listed(columns) == words


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_has_a_type_a_title_and_help_for_every_required_field(family):
    assert family.type in TYPES and family.title
    assert set(family.required) <= set(family.fields)
    assert all(family.fields.values())


def test_names_and_aliases_are_unique():
    names = [name for family in FAMILIES for name in (family.name, *family.aliases)]
    assert len(names) == len(set(names))
