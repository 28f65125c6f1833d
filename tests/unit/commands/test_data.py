"""`data inspect` and `data prepare` as functions."""

from __future__ import annotations

import json

import pytest

from studio import Commands
from studio.core.errors import ConfigError


def test_inspect_reports_what_a_file_holds(do: Commands, rows_file):
    found = do.data_inspect([str(rows_file)])
    assert (found["format"], found["type"]) == ("alpaca", "prompt_completion")
    assert (found["rows"], found["kept"]) == (4, 3)
    assert found["columns"] == ["instruction", "input", "output"]
    problem = found["problems"][0]
    assert problem["row"] == 4 and problem["kind"] and problem["message"]
    assert found["sample"][0]["completion"][0]["content"] == "Thing 0."


def test_inspect_with_a_format_and_a_mapping(do: Commands, tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text('{"q": "Why?", "a": "Because."}\n')
    found = do.data_inspect([str(path)], map={"prompt": "q", "completion": "a"})
    assert (found["type"], found["mapping"]["prompt"]) == ("prompt_completion", "q")


def test_inspect_counts_tokens_and_writes_problems(do: Commands, tmp_path):
    out = tmp_path / "long.jsonl"
    found = do.data_inspect(
        ["pocket-preference"], limit=20, model="pocket", max_length=8, problems_out=out
    )
    assert found["tokens"]["measured"] == 20 and found["tokens"]["suggested_max_length"] > 8
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(written) == found["problems_file"]["problems"] > 0
    assert "over_length" in {problem["kind"] for problem in written}


def test_tokens_are_counted_as_the_template_is_told(do: Commands, rows_file):
    def longest(*kwargs: str) -> int:
        how = {"model": "pocket", "template": "chatml", "chat_template_kwargs": list(kwargs)}
        return do.data_inspect([str(rows_file)], **how)["tokens"]["longest"]

    assert longest("enable_thinking=false") > longest() == longest("enable_thinking=true")
    with pytest.raises(ConfigError, match="cannot set 'tools'"):
        longest("tools=none")


def test_several_sources_are_a_line_each(do: Commands, rows_file, tmp_path):
    lines = do.data_inspect([str(rows_file), str(tmp_path / "none.jsonl")], table=True)
    assert [line["kept"] for line in lines] == [3, None]
    assert "none.jsonl" in lines[1]["problems"]
    with pytest.raises(ConfigError, match="single reading"):
        do.data_inspect([str(rows_file)], table=True, model="pocket")


def test_prepare_writes_rows_that_trl_reads(do: Commands, rows_file, tmp_path):
    out = tmp_path / "train.jsonl"
    made = do.data_prepare([str(rows_file)], out=out)
    assert (made["rows"], made["kept"]) == (4, 3)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 3
    assert rows[0]["prompt"][0]["role"] == "user"
    assert rows[0]["completion"][0]["role"] == "assistant"


def test_documents_are_cut_by_a_models_tokens(do: Commands, tmp_path):
    path = tmp_path / "book.md"
    path.write_text("\n\n".join(f"Paragraph {n} of the book." for n in range(60)))
    made = do.data_prepare(str(path), chunk_tokens=64, chunk_overlap=16, chunk_model="pocket")
    assert (made["type"], made["name"]) == ("language_modeling", "book")
    few = do.data_inspect([str(path)], chunk_tokens=128, model="pocket")
    assert 1 < few["rows"] < sum(made["rows"].values())
    assert do.data_inspect([str(path)], table=True)[0]["format"] == "text"
    with pytest.raises(ConfigError, match="chunk_overlap is 40"):
        do.data_inspect([str(path)], chunk_tokens=64, chunk_overlap=40)


def test_a_template_writes_prompts_and_is_saved_by_name(do: Commands, tmp_path):
    path = tmp_path / "quiz.csv"
    path.write_text("topic,reply\n" + "".join(f"town {n},It is {n}.\n" for n in range(8)))
    how = {"template": ["About {topic}?", "Tell me of {topic}."], "completion_template": "{reply}"}
    made = do.data_prepare(str(path), save_template="town", **how)
    assert made["type"] == "prompt_completion"
    assert do.data_templates()[0]["prompts"] == how["template"]
    again = do.data_prepare(str(path), template="town")
    assert again["fingerprint"] == made["fingerprint"]
    for wrong, words in (({"template": "nope"}, "no saved template"), ({}, "needs template")):
        with pytest.raises(ConfigError, match=words):
            do.data_prepare(str(path), save_template="x", **wrong)


def test_prepare_can_hold_rows_out(do: Commands, tmp_path):
    rows, out, held = (tmp_path / name for name in ("rows.jsonl", "train.jsonl", "test.jsonl"))
    rows.write_text("".join(f'{{"prompt": "q{n}", "completion": "a{n}"}}\n' for n in range(20)))
    made = do.data_prepare([str(rows)], out=out, test_out=held, test_fraction=0.25)
    assert made["splits"] == {"train": 15, "test": 5}
    assert len(held.read_text().splitlines()) == 5


def test_prepare_keeps_duplicates_only_where_asked_to(do: Commands, tmp_path):
    path = tmp_path / "twice.jsonl"
    path.write_text('{"prompt": "q", "completion": "a"}\n' * 2)
    kept = [
        sum(do.data_prepare([str(path)], name="x", keep_duplicates=keep)["rows"].values())
        for keep in (False, True)
    ]
    assert kept == [1, 2]


def test_prepare_previews_without_writing(do: Commands, tmp_path):
    path = tmp_path / "twice.jsonl"
    path.write_text('{"prompt": "q", "completion": "a"}\n' * 3)
    steps = do.data_prepare([str(path)], preview=True)
    assert {step["step"]: step["dropped"] for step in steps}["dedupe"] == 2
    assert do.data_list() == []


def test_a_file_and_a_dataset_are_not_made_at_once(do: Commands):
    with pytest.raises(ConfigError, match="give one of them"):
        do.data_prepare(["pocket-sft"], out="a.jsonl", name="b")
    with pytest.raises(ConfigError, match="test_out needs out"):
        do.data_prepare(["pocket-sft"], test_out="a.jsonl")
