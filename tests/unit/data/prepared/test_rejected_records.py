"""Records that could not be converted are kept as text, to be shown."""

from studio.data.prepared.rejected_records import MOST, Unread
from studio.data.types import RawRow


def test_records_are_kept_as_they_stand_in_the_file():
    unread = Unread()
    unread.add(RawRow(3, {}, "a.jsonl", text="{'half"), 0)
    unread.add(RawRow(9, {"é": 1}, "b.jsonl"), 1)
    unread.add(RawRow(10, {}, "b.jsonl", text="half \ud83d"), 1)
    unread.add(RawRow(11, {}, "b.jsonl", text="x" * (2 * MOST)), 1)
    assert (len(unread), list(unread.numbers), list(unread.files)) == (
        4,
        [3, 9, 10, 11],
        [0, 1, 1, 1],
    )
    assert unread.text(0) == "{'half"
    assert unread.text(1) == '{\n  "é": 1\n}'
    assert unread.text(2) == "half \\ud83d"
    assert len(unread.text(3)) == MOST
    unread.close()
