"""`data inspect`, `data prepare`, and reading prompts from any file."""

from __future__ import annotations

import json

import pytest

from studio.cli.prompts import read_prompts
from studio.core.errors import DataError


def test_inspect_says_what_a_file_holds(shell, rows_file):
    said = shell("data", "inspect", rows_file, "--json")
    assert said.code == 0
    found = said.json
    assert (found["format"], found["type"]) == ("alpaca", "prompt_completion")
    assert (found["rows"], found["kept"]) == (4, 3)
    assert found["columns"] == ["instruction", "input", "output"]
    problem = found["problems"][0]
    assert problem["row"] == 4 and problem["kind"] and problem["message"]
    assert found["sample"][0]["completion"][0]["content"] == "Thing 0."


def test_inspect_for_a_person(shell, rows_file):
    said = shell("data", "inspect", rows_file)
    assert "4 rows, 3 kept" in said.out
    assert "row 4" in said.out
    assert "assistant: Thing 0." in said.out


def test_inspect_with_a_format_and_a_mapping(shell, tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text('{"q": "Why?", "a": "Because."}\n')
    said = shell("data", "inspect", path, "--map", "prompt=q", "--map", "completion=a", "--json")
    assert said.json["type"] == "prompt_completion"
    assert said.json["mapping"]["prompt"] == "q"


def test_prepare_writes_rows_that_trl_reads(shell, rows_file, tmp_path):
    out = tmp_path / "train.jsonl"
    said = shell("data", "prepare", rows_file, "--out", out, "--json")
    assert said.code == 0
    assert (said.json["rows"], said.json["kept"]) == (4, 3)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 3
    assert rows[0]["prompt"][0]["role"] == "user"
    assert rows[0]["completion"][0]["role"] == "assistant"


def test_prepare_can_hold_rows_out(shell, tmp_path):
    rows, out, held = (tmp_path / name for name in ("rows.jsonl", "train.jsonl", "test.jsonl"))
    rows.write_text("".join(f'{{"prompt": "q{n}", "completion": "a{n}"}}\n' for n in range(20)))
    said = shell("data", "prepare", rows, "--out", out, "--test-out", held, "--test-fraction", 0.25)
    assert said.code == 0
    assert "15 train, 5 test" in said.out
    assert len(held.read_text().splitlines()) == 5


def test_prepare_without_a_file_makes_a_dataset(shell, rows_file):
    said = shell("data", "prepare", rows_file, "--name", "things", "--json")
    assert said.json["name"] == "things"
    assert sum(said.json["rows"].values()) == 3


# --- prompts


def test_prompts_are_the_lines_of_a_text_file(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text("\ufeffWho?\n\n  Where?  \n", encoding="utf-8")
    assert [turns[0]["content"] for turns in read_prompts(path)] == ["Who?", "Where?"]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Who?"},
        {"instruction": "Who?", "input": "", "output": "Ada."},
        {"prompt": "Who?", "chosen": "Ada.", "rejected": "Nobody."},
        {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "A."}]},
    ],
)
def test_prompts_come_out_of_any_rows(tmp_path, row):
    path = tmp_path / "rows.jsonl"
    path.write_text((json.dumps(row) + "\n") * 2)
    assert read_prompts(path) == [[{"role": "user", "content": "Who?"}]] * 2


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\x00x"])
def test_a_text_file_without_prompts_is_refused(tmp_path, content):
    path = tmp_path / "questions.txt"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_prompts(path)
