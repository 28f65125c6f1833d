"""`data` in the shell."""

from __future__ import annotations

import json


def test_an_inspection_for_a_person_and_for_a_program(shell, rows_file):
    printed = shell("data", "inspect", rows_file)
    assert "4 rows, 3 kept" in printed.out and "row 4" in printed.out
    assert "assistant: Thing 0." in printed.out
    assert shell("data", "inspect", rows_file, "--json").json["kept"] == 3


def test_a_mapping_is_given_in_pairs(shell, tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text('{"q": "Why?", "a": "Because."}\n')
    flags = ("--map", "prompt=q", "--map", "completion=a")
    assert shell("data", "inspect", path, *flags, "--json").json["mapping"]["prompt"] == "q"


def test_several_sources_and_problems_in_a_file(shell, rows_file, tmp_path):
    table = shell("data", "inspect", rows_file, "pocket-sft", "--table").out.splitlines()
    assert len(table) == 3 and table[0].split()[0] == "source"
    out = tmp_path / "wrong.jsonl"
    assert "1 problems written" in shell("data", "inspect", rows_file, "--problems-out", out).out
    assert json.loads(out.read_text())["row"] == 4


def test_prepared_rows(shell, rows_file, tmp_path):
    out = tmp_path / "train.jsonl"
    assert f"{out}: 3 train rows" in shell("data", "prepare", rows_file, "--out", out).out
    made = shell("data", "prepare", rows_file, "--name", "things", "--json").json
    assert "things" in shell("data", "list").out
    assert "Name a thing number 0." in shell("data", "show", "things").out
    assert "rows dropped" in shell("data", "prepare", rows_file, "--preview").out
    assert f"data restore {made['id']}" in shell("data", "delete", "things").out
    assert shell("data", "restore", made["id"]).out == "things is restored.\n"


def test_what_a_row_holds_cannot_steer_the_terminal(shell, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "\x1b[2Jgone\u202e", "completion": "a"}) + "\n")
    printed = shell("data", "inspect", path)
    assert "\\u001b[2Jgone\\u202e" in printed.out
    as_json = shell("data", "inspect", path, "--json")
    assert "\x1b" not in as_json.out and "\u202e" not in as_json.out
    assert "\x1b[2Jgone\u202e" in json.dumps(as_json.json, ensure_ascii=False).replace(
        "\\u001b", "\x1b"
    )
