"""Any file of the known kinds gives numbered rows; any other gives one sentence."""

import gzip
import json
import os
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.core.errors import DataError
from studio.data import inspect
from studio.data.readers.files import read_file

ROWS = [{"question": f"Wie heißt {n}?", "answer": f"Größe {n}\nzwei"} for n in range(5)]


def read(path):
    notes = []
    rows = list(read_file(path, notes.append))
    return rows, notes


def data(path):
    return [raw.data for raw in read(path)[0]]


def as_csv(delimiter=","):
    cells = [["question", "answer"]] + [[r["question"], f'"{r["answer"]}"'] for r in ROWS]
    return "".join(delimiter.join(line) + "\r\n" for line in cells)


def write_kinds(folder):
    table = pa.Table.from_pylist(ROWS)
    (folder / "a.json").write_text(json.dumps(ROWS, indent=1))
    (folder / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "c.csv").write_text(as_csv(), newline="")
    (folder / "d.tsv").write_text(as_csv("\t"), newline="")
    pq.write_table(table, folder / "e.parquet")
    with pa.ipc.new_file(folder / "f.arrow", table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(folder / "g.arrow", table.schema) as writer:
        writer.write_table(table)
    (folder / "h.json").write_text(json.dumps({"version": 1, "data": ROWS}))
    for path in list(folder.iterdir()):
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))


def test_every_kind_and_its_gz_gives_the_same_rows(tmp_path):
    write_kinds(tmp_path)
    found = {path.name: data(path) for path in tmp_path.iterdir()}
    assert len(found) == 16
    for name, rows in found.items():
        assert rows == ROWS, name


def test_a_folder_of_shards_is_read_in_order_of_name(tmp_path):
    for n in (2, 1):
        (tmp_path / f"part-{n}.jsonl").write_text(json.dumps({"text": f"shard {n}"}) + "\n")
    (tmp_path / "README.md").write_text("not data")
    (tmp_path / "dataset_info.json").write_text("{}")
    seen = inspect(tmp_path)
    assert [row["text"] for row in seen.sample] == ["shard 1", "shard 2"]


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
        "json": json.dumps(ROWS, ensure_ascii=False),
        "jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS),
        "csv": as_csv(),
    }[kind]
    path.write_bytes(text.encode(encoding))
    rows, notes = read(path)
    assert [raw.data for raw in rows] == ROWS
    assert bool(named) == any(named in note for note in notes if named)


def test_a_stray_cp1252_byte_far_into_a_utf8_file_is_read(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"text\n" + "grün\n".encode() * 180_000 + b"caf\xe9\n")
    assert data(path)[-1] == {"text": "café"}


def test_only_line_feeds_split_rows(tmp_path):
    odd = "a\x85b\u2028c\u2029d\x0be\x0cf\x1cg"
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": odd}, ensure_ascii=False) + "\r\n", newline="")
    (tmp_path / "rows.csv").write_text(f"text,n\r\n{odd},1\r\n", newline="")
    assert data(path) == [{"text": odd}]
    assert data(tmp_path / "rows.csv") == [{"text": odd, "n": "1"}]


def test_jsonl_named_json_and_json_named_jsonl(tmp_path):
    lines = tmp_path / "rows.json"
    lines.write_text('{"text": "a"}\n{"text": "b"}\n')
    rows, notes = read(lines)
    assert len(rows) == 2
    assert "JSON Lines" in notes[0]
    whole = tmp_path / "rows.jsonl"
    whole.write_text('[\n {"text": "a"},\n {"text": "b"}\n]')
    assert data(whole) == [{"text": "a"}, {"text": "b"}]


def test_bare_lists_and_strings_become_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('[{"role": "user", "content": "a"}]\n"plain"\n17\n')
    rows, _ = read(path)
    assert rows[0].data == {"messages": [{"role": "user", "content": "a"}]}
    assert rows[1].data == {"text": "plain"}
    assert rows[2].error is not None and rows[2].error.kind == "not_a_row"


def test_nested_root_and_table_of_columns(tmp_path):
    nested = tmp_path / "nested.json"
    nested.write_text(json.dumps({"Data": [{"Question": "Q"}], "Version": 1.0}))
    assert data(nested) == [{"Question": "Q"}]
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"q": ["a", "b"], "n": [1, 2]}))
    assert data(table) == [{"q": "a", "n": 1}, {"q": "b", "n": 2}]
    single = tmp_path / "single.json"
    single.write_text(json.dumps({"messages": [{"role": "user", "content": "hi"}]}))
    assert data(single) == [{"messages": [{"role": "user", "content": "hi"}]}]


def test_malformed_lines_are_problems_and_the_rest_is_kept(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": oops}\n\n{"text": "d"}\n')
    seen = inspect(path)
    assert (seen.rows, seen.kept) == (3, 2)
    assert [(p.row, p.kind, p.file) for p in seen.problems] == [(2, "malformed_json", "rows.jsonl")]


def test_a_list_that_breaks_off_keeps_what_came_before(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(ROWS)[:-40])
    rows, _ = read(path)
    assert [raw.error is None for raw in rows] == [True, True, True, True, False]


def test_a_list_longer_than_the_window_is_read_whole(tmp_path):
    rows = [{"text": "x" * (n % 7) * 100_000, "n": n} for n in range(30)]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    assert data(path) == rows


def test_csv_without_header_with_unnamed_columns_and_with_loose_quotes(tmp_path):
    bare = tmp_path / "bare.csv"
    bare.write_text("1,It rained all day.\n2,It was dry.\n")
    rows, notes = read(bare)
    assert rows[0].data == {"column_1": "1", "column_2": "It rained all day."}
    assert "no header" in notes[0]
    unnamed = tmp_path / "unnamed.csv"
    unnamed.write_text("v1,v2,,\nham,hello,more,\n")
    rows, notes = read(unnamed)
    assert rows[0].data == {"v1": "ham", "v2": "hello", "column_3": "more"}
    assert "2 unnamed columns" in notes[0]
    loose = tmp_path / "loose.tsv"
    loose.write_text('a\tb\n1\t" opened only\n2\tplain\n3\the said "yes" then\n')
    assert [raw.data["b"] for raw in read(loose)[0]] == [
        '" opened only',
        "plain",
        'he said "yes" then',
    ]


def test_csv_rows_that_are_too_wide_are_problems(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("q,a\nx,y\nx,y,z\nx\n")
    rows, _ = read(path)
    assert [raw.error.kind if raw.error else raw.data["a"] for raw in rows] == [
        "y",
        "extra_cells",
        None,
    ]


def test_a_very_long_cell_is_read(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(f'text,n\n"{"long " * 100_000}",1\n')
    assert len(data(path)[0]["text"]) == 500_000


def write_bad(folder):
    (folder / "empty.json").write_bytes(b"")
    (folder / "blank.csv").write_bytes(b"\n\n")
    (folder / "prose.json").write_text("This is no JSON at all.")
    (folder / "noise.json").write_bytes(os.urandom(1 << 20))
    (folder / "torn.json").write_text('{"a": [1, 2')
    (folder / "no_rows.json").write_text("[]")
    (folder / "wide.csv").write_text(",".join(f"c{n}" for n in range(10_000)) + "\n")
    (folder / "fake.parquet").write_text("not parquet")
    (folder / "cut.parquet").write_bytes(b"PAR1 cut off")
    (folder / "cut.json.gz").write_bytes(gzip.compress(b'[{"a": 1}]' * 9999)[:60])
    (folder / "letters.xyz").write_text("abc")
    with zipfile.ZipFile(folder / "packed.zip", "w") as packed:
        packed.writestr("rows.json", "[]")
    os.rename(folder / "packed.zip", folder / "packed.json")


def test_files_that_cannot_be_read_give_one_sentence(tmp_path):
    write_bad(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(DataError) as caught:
            inspect(path)
        sentence = str(caught.value)
        assert path.name.split(".")[0] in sentence, path.name
        assert "\n" not in sentence and len(sentence) < 400, sentence


def test_an_endless_line_is_a_problem_and_not_a_crash(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.data.readers.json_files.MAX_RECORD", 5000)
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": "' + "x" * 9000 + '"}\n{"text": "c"}\n')
    seen = inspect(path)
    assert (seen.rows, seen.kept) == (3, 2)
    assert "64 MB" in seen.problems[0].message
