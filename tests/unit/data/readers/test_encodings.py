"""Encodings and line ends are detected and named."""

import json

import pytest

from tests.unit.data.making import GERMAN, as_csv, raw_data, read_raw


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("cp1252", "cp1252"),
    ],
)
@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
def test_encodings_are_found_and_named(tmp_path, encoding, named, kind):
    path = tmp_path / f"rows.{kind}"
    text = {
        "json": json.dumps(GERMAN, ensure_ascii=False),
        "jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in GERMAN),
        "csv": as_csv(),
    }[kind]
    path.write_bytes(text.encode(encoding))
    rows, notes = read_raw(path)
    assert [raw.data for raw in rows] == GERMAN
    assert bool(named) == any(named in note for note in notes if named)


def test_a_stray_cp1252_byte_far_into_a_utf8_file_is_read(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"text\n" + "grün\n".encode() * 180_000 + b"caf\xe9\n")
    assert raw_data(path)[-1] == {"text": "café"}


def test_only_line_feeds_split_rows(tmp_path):
    odd = "a\x85b\u2028c\u2029d\x0be\x0cf\x1cg"
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": odd}, ensure_ascii=False) + "\r\n", newline="")
    (tmp_path / "rows.csv").write_text(f"text,n\r\n{odd},1\r\n", newline="")
    assert raw_data(path) == [{"text": odd}]
    assert raw_data(tmp_path / "rows.csv") == [{"text": odd, "n": "1"}]
