"""Encodings and line ends are detected and named."""

import json

import pytest

from studio.core.errors import DataError
from studio.data.readers.encodings import data_suffix, judge, text_encoding
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


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("grün".encode(), "utf-8"),
        ("grün".encode("utf-8-sig"), "utf-8-sig"),
        ("grün".encode("utf-16"), "utf-16"),
        ("text".encode("utf-16-be"), "utf-16-be"),
        ("grün".encode("cp1252"), "cp1252"),
        (bytes(range(32)) * 9, None),
    ],
)
def test_a_bom_then_zero_bytes_then_utf8_decide(head, encoding):
    assert text_encoding(head) == encoding


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JSONL.gz", "jsonl"),
        ("a.b.csv", "csv"),
        ("a.feather", "arrow"),
        ("a.txt", "text"),
        ("a.jsonl.zst", "jsonl"),
        ("a.docx", "docx"),
        ("a.log", None),
        ("a", None),
    ],
)
def test_the_suffix_is_read_through_gz(tmp_path, name, kind):
    assert data_suffix(tmp_path / name) == kind


def test_the_bytes_overrule_the_name(tmp_path):
    assert judge(tmp_path / "rows.csv", b"PAR1....") == "parquet"
    assert judge(tmp_path / "rows", b' [{"a": 1}]') == "json"
    with pytest.raises(DataError, match="a pickle"):
        judge(tmp_path / "rows.jsonl", b"\x80\x04...")
