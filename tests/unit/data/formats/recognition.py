"""How the tests of the format families check one hand-written row."""

from studio.data import TYPES, read
from tests.unit.data.making import write


def check_case(folder, module, row, type, expected):
    """The row is recognized by a family of `module` and becomes `expected`, texts unchanged."""
    with read(write(folder, [row])) as reading:
        families = {family.convert for family in module.FAMILIES}
        assert reading.stream.format.convert in families
        seen = reading.inspection()
    assert (seen.type, seen.rows, seen.kept) == (type, 1, 1)
    assert seen.sample == [expected]
    assert seen.type in TYPES
    assert seen.confidence > 0.5
    assert seen.why
