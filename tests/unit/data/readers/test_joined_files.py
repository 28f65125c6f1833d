"""Answers of several models to the same prompts are joined."""

import json
import random

import pytest

from studio.core.errors import Cancelled
from studio.data import inspect, read
from studio.data.readers.joined_files import find_join
from tests.unit.data.making import questions, said, write


def joined(folder):
    files = [folder / name for name in ("asked.jsonl", "one.jsonl", "two.jsonl")]
    for file, field in zip(files, ("question", "answer", "answer"), strict=True):
        rows = [{"question_id": at, field: f"{file.stem} says {at} here"} for at in range(1000)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return files


def threaded(folder):
    rows = [
        {
            "message_id": f"m{at}",
            "parent_id": f"m{at - 1}" if at % 2 else None,
            "text": f"Said {at}.",
            "role": "assistant" if at % 2 else "prompter",
        }
        for at in range(1000)
    ]
    return write(folder, rows)


@pytest.mark.parametrize(
    ("made", "doing"), [(joined, "Joining one.jsonl"), (threaded, "Putting messages together")]
)
def test_rows_that_are_put_together_are_counted_and_can_be_cancelled(tmp_path, made, doing):
    source, told = made(tmp_path), []
    read(source, progress=lambda done, total, what: told.append((what, done))).close()
    assert [done for what, done in told if what == doing] == [500, 1000]

    def stop(done, total, what):
        if what == doing:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        read(source, progress=stop)


@pytest.mark.parametrize("key", ["question_id", "instruction"])
def test_answers_of_two_models_are_joined(tmp_path, key):
    chance = random.Random(2)
    asked = [{"question_id": n, "instruction": f"{n} {said(chance)}"} for n in range(30)]
    files = []
    if key == "question_id":
        files.append(write(tmp_path, asked, "questions.jsonl"))
    for model in ("one", "two"):
        rows = [{key: row[key], "output": f"{model} {row['question_id']}"} for row in asked]
        chance.shuffle(rows)
        files.append(write(tmp_path, rows[: 29 if model == "two" else 30], f"{model}.jsonl"))
    found = inspect(files)
    assert (found.type, found.rows, found.kept) == ("comparison", 30, 29)
    assert found.problem_counts == {"no_partner": 1}
    for row in found.sample:
        one, two = row["answer1"].split(), row["answer2"].split()
        assert (one[0], two[0], one[1]) == ("one", "two", two[1])


def test_shards_are_not_joined(tmp_path):
    files = [
        write(
            tmp_path,
            [{"id": n, **row} for n, row in enumerate(questions(30, seed))],
            f"{seed}.jsonl",
        )
        for seed in (1, 2)
    ]
    assert (inspect(files).type, inspect(files).kept) == ("prompt_completion", 60)


def test_files_join_on_a_shared_column_with_prompts_in_one_of_them(tmp_path):
    files = tuple(joined(tmp_path))
    found = find_join("three files", files)
    assert found is not None and {part.key for part in found.parts} == {"question_id"}
    assert [part.path.stem for part in found.parts if part.prompt] == ["asked"]
    assert [part.path.stem for part in found.parts if part.answer] == ["one", "two"]
    assert find_join("answers without prompts", files[1:]) is None
    assert find_join("one file", files[:1]) is None
