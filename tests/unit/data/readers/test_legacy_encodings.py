# ruff: noqa: RUF001
"""Text in the encodings of before UTF-8 is read as written, in every kind of text file."""

import json

import pytest

from studio.core.errors import DataError
from studio.data import inspect
from studio.data.readers.legacy_encodings import checked_encoding, guessed
from tests.unit.data.making import put, raw_data, read_raw

TEXTS = {
    "gb18030": ("什么是橡树，它长在哪里", "橡树是一种常见的树木，长在山上"),
    "gbk": ("什么是橡树，它长在哪里", "橡树是一种常见的树木，长在山上"),
    "big5": ("什麼是橡樹，它長在哪裡", "橡樹是一種常見的樹木，長在山上"),
    "shift_jis": ("樫の木とは何ですか", "丘の上に生えている大きな木です"),
    "euc_jp": ("樫の木とは何ですか", "丘の上に生えている大きな木です"),
    "euc_kr": ("참나무는 무엇입니까", "언덕 위에서 자라는 큰 나무입니다"),
    "cp1251": ("Где растёт старый дуб?", "Он растёт на холме, у самой реки."),
    "koi8_r": ("Где растёт старый дуб?", "Он растёт на холме, у самой реки."),
    "cp1250": ("Gdzie rośnie dąb?", "Na wzgórzu, za żółtą łąką nad rzeką."),
    "cp1252": ("Où pousse le chêne ?", "À côté du ruisseau, derrière la forêt."),
    "mac_roman": ("Où pousse le chêne ?", "À côté du ruisseau, derrière la forêt."),
    "cp1253": ("Πού μεγαλώνει η βελανιδιά;", "Στον λόφο, δίπλα στο ποτάμι."),
    "cp1254": ("Meşe ağacı nerede büyür?", "Tepenin üstünde, ırmağın yanında büyür."),
    "cp1255": ("היכן גדל האלון הזקן?", "האלון גדל על הגבעה, ליד הנהר."),
    "cp1256": ("أين تنمو شجرة البلوط؟", "تنمو شجرة البلوط على التل قرب النهر."),
    "cp874": ("ต้นโอ๊กอยู่ที่ไหน", "ต้นโอ๊กอยู่บนเนินเขาใกล้แม่น้ำ"),
}


def content(kind, rows):
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if kind == "json":
        return json.dumps(rows, ensure_ascii=False)
    mark = "\t" if kind == "tsv" else ","
    lines = [list(rows[0]), *(row.values() for row in rows)]
    return "".join(mark.join(f'"{cell}"' for cell in line) + "\r\n" for line in lines)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1254", "Hangi gemi ilkbaharda oak taşıdı? Şişhane gemisi oak taşıdı."),
        ("cp1252", "Hvaða skip flutti eikina? Þetta skip bar hana til hafnar í vor."),
        ("cp1252", "Où pousse le chêne ? À côté du ruisseau, derrière la forêt."),
    ],
)
def test_turkish_is_told_from_its_western_neighbour(encoding, text):
    raw = "".join(f"{text} {n}\n" for n in range(6)).encode(encoding)
    assert raw.decode(guessed(raw).encoding) == raw.decode(encoding)


@pytest.mark.parametrize("encoding", TEXTS)
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json"])
def test_text_is_read_as_it_was_written(tmp_path, encoding, kind):
    question, answer = TEXTS[encoding]
    rows = [{"question": f"{question} {n}", "answer": answer} for n in range(8)]
    path = put(tmp_path, f"rows.{kind}", content(kind, rows).encode(encoding))
    found, notes = read_raw(path)
    assert [raw.data for raw in found] == rows
    assert any("not UTF-8" in note for note in notes)


def test_a_person_may_name_the_encoding_where_it_cannot_be_told(tmp_path):
    text = "ë"  # one byte beyond ASCII tells nothing
    raw = content("csv", [{"question": text, "answer": "x"}] * 3).encode("cp850")
    path = put(tmp_path, "rows.csv", raw)
    assert inspect(path, encoding="cp850").sample[0]["prompt"][0]["content"] == text


def test_encodings_that_fit_as_well_are_named(tmp_path):
    question, answer = TEXTS["shift_jis"]
    raw = content("csv", [{"question": question, "answer": answer}] * 3).encode("shift_jis")
    others = guessed(raw).others
    _, notes = read_raw(put(tmp_path, "rows.csv", raw))
    assert bool(others) == any("--encoding" in note for note in notes)


@pytest.mark.parametrize(
    "text", ["It costs £5 – or £10", "naïve café", "it’s fine", "Größe", "n° 5 at 20 °C © 2020"]
)
def test_a_few_bytes_beyond_ascii_are_windows_western(tmp_path, text):
    raw = f"text,n\n{text},1\nplain,2\n".encode("cp1252")
    assert raw_data(put(tmp_path, "rows.csv", raw))[0]["text"] == text


def test_lines_that_are_not_utf8_in_a_utf8_file_stay_strays(tmp_path):
    lines = [f'{{"text": "Größe {n}"}}\n'.encode() for n in range(5)]
    raw = b"".join(lines) + '{"text": "Straße"}\n'.encode("cp1252")
    assert raw_data(put(tmp_path, "rows.jsonl", raw))[-1] == {"text": "Straße"}


def test_an_unknown_encoding_is_refused():
    assert checked_encoding("GB2312") == "gb2312"
    with pytest.raises(DataError, match='Did you mean "cp1251"'):
        checked_encoding("cp1251x")
