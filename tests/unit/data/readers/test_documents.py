"""Documents become chunks and sheets become rows; whatever is wrong with one is a sentence."""

from __future__ import annotations

import datetime
import json
import zipfile
from pathlib import Path

import openpyxl
import pytest
import zstandard

from studio.core.errors import DataError
from studio.data import inspect
from studio.data.readers import documents
from studio.data.readers.chunks import Chunking
from studio.data.readers.files import read_file
from tests.unit.data.readers.making_documents import bomb, docx, pdf, xlsx

TEXT = "The first paragraph.\n\nThe second one."
HTML = """<html><head><title>no</title><style>p{}</style></head><body><nav>menu</nav>
<h1>Head</h1><p>A <b>bold</b> word &amp; more.<p>Next<br>line<script>bad()</script></p>
<table><tr><td>a</td><td>b</td></tr></table><pre>x = 1
  y</pre></body></html>"""


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(path: Path, notes: list[str] | None = None) -> list[str]:
    note = (lambda _: None) if notes is None else notes.append
    return [row.data["text"] for row in read_file(path, note)]


def test_every_kind_of_document_is_text(tmp_path: Path) -> None:
    assert texts(written(tmp_path / "a.txt", TEXT)) == [TEXT]
    assert texts(written(tmp_path / "a.md", f"# Head\n\n{TEXT}")) == [f"# Head\n\n{TEXT}"]
    assert texts(written(tmp_path / "a.html", HTML)) == [
        "Head\n\nA bold word & more.\n\nNext\nline\n\na b\n\nx = 1\n  y"
    ]
    assert texts(written(tmp_path / "a.pdf", pdf(["Page one.", "Page two."]))) == [
        "Page one.\n\nPage two."
    ]
    made = docx(tmp_path / "a.docx", ["One.", "", "Two."], [["a", "b"], ["c", "d"]])
    assert texts(made) == ["One.\n\nTwo.\n\na | b\nc | d"]


def test_chunks_are_language_modeling_rows_and_their_size_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "\n\n".join(f"Paragraph {n}." for n in range(100)))
    found = inspect(path, chunks=Chunking(64, 16))
    assert (found.type, found.format) == ("language_modeling", "text") and found.rows > 5
    assert any("chunks of at most 64 tokens, estimated at 4" in note for note in found.notes)


def test_a_name_may_be_wrong_where_the_bytes_tell(tmp_path: Path) -> None:
    assert texts(written(tmp_path / "a.txt", pdf(["Hello."]))) == ["Hello."]
    rows = written(tmp_path / "b.txt", '{"text": "one"}\n{"text": "two"}\n')
    assert texts(rows) == ["one", "two"]
    assert texts(written(tmp_path / "c.txt", "[note] not JSON")) == ["[note] not JSON"]
    assert texts(docx(tmp_path / "d.bin", ["Word."])) == ["Word."]


def test_zstandard_is_unpacked_whatever_is_inside(tmp_path: Path) -> None:
    pack = zstandard.ZstdCompressor().compress
    rows = "".join(json.dumps({"text": f"row {n}"}) + "\n" for n in range(50)).encode()
    assert len(texts(written(tmp_path / "a.jsonl.zst", pack(rows)))) == 50
    two = pack(rows[: len(rows) // 2]) + pack(rows[len(rows) // 2 :])
    assert len(texts(written(tmp_path / "b.jsonl.zst", two))) == 50
    assert texts(written(tmp_path / "c.pdf.zst", pack(pdf(["In."])))) == ["In."]
    with pytest.raises(DataError, match=r"read to its end|does not unpack"):
        texts(written(tmp_path / "d.jsonl.zst", pack(rows * 5000)[:-40]))
    with pytest.raises(DataError, match="does not unpack"):
        texts(written(tmp_path / "e.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 40))


def test_sheets_are_tables(tmp_path: Path) -> None:
    day = datetime.datetime(2024, 5, 1)
    head = ["question", "answer", "when"]
    path = xlsx(
        tmp_path / "a.xlsx",
        first=[head, ["Why?", "Because.", day], [None, None, None], ["How?", 3, None]],
        more=[head, ["Who?", "Uma.", None]],
        other=[["x"], ["y"]],
    )
    notes: list[str] = []
    rows = [row.data for row in read_file(path, notes.append)]
    assert rows == [
        {"question": "Why?", "answer": "Because.", "when": "2024-05-01T00:00:00"},
        {"question": "How?", "answer": 3, "when": None},
        {"question": "Who?", "answer": "Uma.", "when": None},
    ]
    assert any("other columns are left out (other)" in note for note in notes)
    assert inspect(path).type == "prompt_completion"
    plain = xlsx(tmp_path / "b.xlsx", s=[["1", "2"], ["3", "4"]])
    assert next(iter(read_file(plain))).data == {"column_1": "1", "column_2": "2"}


def test_a_workbook_without_a_sheet_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as shell:
        shell.writestr("[Content_Types].xml", "<Types/>")
        shell.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(DataError, match=r"a\.xlsx is an Excel file without a sheet in it\. Save"):
        texts(tmp_path / "a.xlsx")


def test_titles_above_a_table_hidden_sheets_and_unsaved_formulas(tmp_path: Path) -> None:
    head, rows = ["question", "answer"], [[f"Who is {n}?", f"Uma {n}."] for n in range(3)]
    path = xlsx(tmp_path / "a.xlsx", s=[["Export of May"], [], head, *rows])
    assert [row.data for row in read_file(path)] == [dict(zip(head, r, strict=True)) for r in rows]
    one = xlsx(tmp_path / "b.xlsx", s=[["text"], ["first"], ["second"]])  # a table of one column
    assert [row.data for row in read_file(one)] == [{"text": "first"}, {"text": "second"}]

    book = openpyxl.Workbook()
    book.active.append(head)
    book.active.append(["Who?", '="Uma " & A2'])
    book.active.append(["Why?", "So."])
    secret = book.create_sheet("secret")
    secret.append(head)
    secret.append(["Hidden?", "Yes."])
    secret.sheet_state = "hidden"
    book.save(tmp_path / "c.xlsx")
    notes: list[str] = []
    found = [row.data for row in read_file(tmp_path / "c.xlsx", notes.append)]
    assert found == [{"question": "Who?", "answer": None}, {"question": "Why?", "answer": "So."}]
    assert any("1 formula without a saved value, read as empty" in note for note in notes)
    assert any("hidden sheets are left out (secret)" in note for note in notes)


def test_a_scan_says_so_and_a_page_without_text_is_counted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 pages and no text: it is a scan.*OCR"):
        texts(written(tmp_path / "a.pdf", pdf(["", ""])))
    notes: list[str] = []
    assert texts(written(tmp_path / "b.pdf", pdf(["Text.", ""])), notes) == ["Text."]
    assert any("1 of 2 pages of b.pdf have no text" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pdf", b"%PDF-1.4\nnothing", "is damaged, or no PDF"),
        ("a.pdf", b"no pdf", "does not start like one"),
        ("a.docx", b"PK\x03\x04garbage", "is damaged, or no Word file"),
        ("a.xlsx", b"PK\x03\x04garbage", "is damaged, or no Excel file"),
        ("a.xlsx", "a,b\n1,2", "does not start like one"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"Save it as \.docx or \.xlsx"),
        ("a.html", "<p> </p>", "holds no text"),
        ("a.txt", " \n ", "is empty"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, content, words: str) -> None:
    with pytest.raises(DataError, match=words):
        texts(written(tmp_path / name, content))


def test_what_would_unpack_to_much_more_is_refused_unopened(tmp_path: Path, monkeypatch) -> None:
    for name, member in (("a.docx", "word/document.xml"), ("a.xlsx", "xl/workbook.xml")):
        with pytest.raises(DataError, match="would unpack from"):
            texts(bomb(tmp_path / name, member, 8 << 20))
    monkeypatch.setattr(documents, "MAX_DOCUMENT", 100)
    monkeypatch.setattr(documents, "MAX_PAGES", 2)
    with pytest.raises(DataError, match=r"longer than|larger than"):
        texts(written(tmp_path / "a.txt", "word " * 100))
    with pytest.raises(DataError, match="larger than"):
        texts(written(tmp_path / "a.pdf", pdf(["Text."])))
    monkeypatch.setattr(documents, "MAX_DOCUMENT", 1 << 20)
    with pytest.raises(DataError, match="has 3 pages; at most 2"):
        texts(written(tmp_path / "b.pdf", pdf(["a", "b", "c"])))


def test_a_sheet_may_not_be_a_matrix(tmp_path: Path) -> None:
    wide = xlsx(tmp_path / "a.xlsx", s=[[f"c{n}" for n in range(1001)]])
    with pytest.raises(DataError, match="1,001 columns"):
        list(read_file(wide))


def test_beside_rows_a_text_in_a_folder_is_a_readme(tmp_path: Path) -> None:
    written(tmp_path / "README.md", "# About")
    assert inspect(tmp_path).rows == 1
    written(tmp_path / "rows.jsonl", '{"text": "one"}\n{"text": "two"}\n')
    assert inspect(tmp_path).rows == 2


CODE = "def f(x):\n    if x:\n\treturn  x\n\n    return 0"


@pytest.mark.parametrize(
    "page",
    [
        f"<p>Try  this:</p><pre>{CODE}</pre>",
        f"<p>Try this:</p><pre><code class='py'>\n{CODE}\n</code></pre>",
        f"<p>Try this:</p><textarea>{CODE}</textarea>",
        "<p>Try this:</p><pre>"
        + "\n".join(f"<span class='line'>{line}</span>" for line in CODE.split("\n"))
        + "</pre>",
    ],
    ids=["pre", "code in pre", "textarea", "a span a line"],
)
def test_code_of_a_page_keeps_its_indentation(tmp_path, page):
    (found,) = texts(written(tmp_path / "a.html", page))
    assert found == "Try this:\n\n" + CODE.expandtabs(8)


def test_code_of_markdown_keeps_its_lines_where_it_is_cut(tmp_path):
    lines = [f"    line {n} = {n}" for n in range(400)]
    path = written(tmp_path / "a.md", "```py\n" + "\n".join(lines) + "\n```\n")
    chunks = texts(path)
    assert len(chunks) > 1
    kept = [line for chunk in chunks for line in chunk.split("\n") if "line" in line]
    assert kept == lines


def test_an_indented_block_keeps_its_first_line_too(tmp_path):
    text = "Run:\n\n    make\n    make install\n\nDone."
    assert texts(written(tmp_path / "a.md", text)) == [text]
