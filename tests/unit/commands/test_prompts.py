"""Prompts out of any file."""

from __future__ import annotations

import json

import pytest

from studio.commands.prompts import collect_prompts, read_prompts
from studio.core.errors import ConfigError, DataError


def test_the_lines_of_a_text_file_are_prompts(tmp_path):
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


def test_those_of_a_file_come_first_and_none_at_all_is_refused(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text("Who?\nWhere?\n")
    found = collect_prompts(path, ["Why?"], 3)
    assert [turns[0]["content"] for turns in found] == ["Who?", "Where?", "Why?"]
    assert len(collect_prompts(path, ["Why?"], 1)) == 1
    with pytest.raises(ConfigError, match="no prompts"):
        collect_prompts(None, None, None)
