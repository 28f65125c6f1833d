"""`data` in the shell."""

from __future__ import annotations

import json

from studio.cli.data import _message, _row


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


def test_a_file_that_reads_two_ways_is_shown_both_ways_and_never_guessed(shell, tmp_path):
    path = tmp_path / "pairs.jsonl"
    pair = {"prompt": "Q", "response_a": "one", "response_b": "two"}
    path.write_text("".join(json.dumps({**pair, "winner": n}) + "\n" for n in (0, 1, 2)))
    seen = shell("data", "inspect", path)
    assert seen.code == 1
    assert "Which is right?" in seen.out
    assert "--verdicts 0=tie --verdicts 1=1 --verdicts 2=2" in seen.out
    out = tmp_path / "out.jsonl"
    refused = shell("data", "prepare", path, "--out", out).refused(1)
    assert "--verdicts 0=1" in refused and not out.exists()
    told = [part for code in ("0=1", "1=2", "2=tie") for part in ("--verdicts", code)]
    assert shell("data", "prepare", path, "--out", out, *told).code == 0
    chosen = [json.loads(line)["chosen"][0]["content"] for line in out.read_text().splitlines()]
    assert chosen == ["one", "two"]


def test_a_file_of_which_nothing_can_be_kept_is_an_error(shell, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(
        json.dumps({"messages": [{"role": "elf", "content": "Hi"}], "uid": "a b"}) + "\n"
    )
    printed = shell("data", "inspect", path)
    assert (printed.code, "No row of rows.jsonl can be kept" in printed.err) == (1, True)


def test_a_thought_beside_the_answer_is_shown_and_can_be_said_by_hand(shell, tmp_path):
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    row = {"question": "How many?", "rationale": "Two rows of three.", "answer": "Six."}
    path.write_text(json.dumps(row) + "\n")
    seen = shell("data", "inspect", path)
    assert seen.code == 1 and "Two rows of three. </think> Six." in " ".join(seen.out.split())
    told = [f"--map={said}" for said in ("prompt=question", "reasoning=rationale")]
    assert shell("data", "prepare", path, "--out", out, *told, "--map=completion=answer").code == 0
    [answer] = json.loads(out.read_text())["completion"]
    assert answer == {
        "role": "assistant", "content": "Six.", "reasoning_content": "Two rows of three.",
    }  # fmt: skip


def test_a_thought_in_a_messages_text_is_shown_once():
    said = {"role": "assistant", "content": "<think>\nSums.\n</think>\n\nFour."}
    assert _message(said) == "assistant: <think>\nSums.\n</think>\n\nFour."


def test_calls_of_a_message_are_shown():
    call = {"type": "function", "function": {"name": "look", "arguments": {"at": "sky"}}}
    (line,) = _row({"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]})
    assert line.startswith("   messages: assistant: <tool_call>") and '"at": "sky"' in line
