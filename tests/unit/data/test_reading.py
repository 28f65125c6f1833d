"""One reading: any row at once, every problem on disk, first sight early, later rows heard."""

import json
import random

import pytest

from studio.core.errors import Cancelled, DataError
from studio.data import inspect, read
from tests.unit.data.making import questions, said, write


def test_any_row_can_be_shown_before_preparing(tmp_path):
    rows = questions(1500)
    rows[3]["answer"] = ""
    with read(write(tmp_path, rows)) as reading:
        assert (reading.rows, reading.kept) == (1500, 1499)
        assert reading.row(1400)["prompt"][0]["content"] == rows[1401]["question"]
        assert reading.place(1400) == ("rows.jsonl", 1402)
        assert reading.find(1402) == 1400
        assert reading.find(4) is None
        assert [r["completion"][0]["content"] for r in reading.page(2, 2)] == [
            rows[2]["answer"],
            rows[4]["answer"],
        ]
        assert next(reading.search(rows[900]["question"].upper())) == 899
        with pytest.raises(DataError, match="There is no row 1500"):
            reading.row(1499)


def test_every_problem_is_paged_filtered_and_written(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.data.checks.problems.MAX_LISTED", 5)
    rows = questions(300)
    for row in rows[:40]:
        row["answer"] = ""
    rows[50]["answer"] = 7
    with read(write(tmp_path, rows)) as reading:
        problems = reading.problems
        assert (problems.total(), problems.total("empty_field")) == (41, 40)
        assert [p.row for p in problems.page("empty_field", 30, 3)] == [31, 32, 33]
        assert [p.kind for p in problems.page(start=39, count=5)] == ["empty_field", "wrong_type"]
        assert problems.write(tmp_path / "bad.jsonl") == 41
        assert problems.write(tmp_path / "one.jsonl", "wrong_type") == 1
        with pytest.raises(DataError, match='Did you mean "wrong_type"'):
            problems.page("wrong_typ")
    line = json.loads((tmp_path / "one.jsonl").read_text())
    assert (line["file"], line["row"], line["kind"]) == ("rows.jsonl", 51, "wrong_type")


def test_the_first_rows_are_shown_before_the_file_is_read_and_counts_follow(tmp_path):
    events = []
    path = write(tmp_path, questions(3000))
    with read(
        path,
        first=lambda found: events.append(("first", found.rows, found.sample[0])),
        progress=lambda done, total, what: events.append((what, done, total)),
    ) as reading:
        assert events[0][0] == "first"
        assert events[0][2] == reading.row(0)
    counted = [(done, total) for what, done, total in events[1:] if what == "Reading rows"]
    assert [done for done, _ in counted] == [500, 1000, 1500, 2000, 2500, 3000]
    assert all(total is not None and total >= done for done, total in counted)
    assert events[-1][1:] == (3000, 3000)


def test_cancelling_stops_the_reading(tmp_path):
    def stop(done, total, what):
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        read(write(tmp_path, questions(2000)), progress=stop)


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


def test_later_rows_are_heard_where_the_first_ones_mislead(tmp_path):
    chance = random.Random(1)
    head = [{"prompt": f"{n} {said(chance)}", "completion": said(chance)} for n in range(300)]
    tail = [
        {
            "messages": [
                {"role": "user", "content": f"{n} {said(chance)}"},
                {"role": "assistant", "content": said(chance)},
            ]
        }
        for n in range(2000)
    ]
    found = inspect(write(tmp_path, head + tail))
    assert (found.type, found.kept) == ("conversational", 2000)
    assert any("say otherwise" in note for note in found.notes)
    assert any("300 of 2,300 rows" in note for note in found.notes)


def test_a_verdict_that_counts_from_one_is_known_from_any_row(tmp_path):
    chance = random.Random(1)
    rows = [
        {"prompt": f"{n} {said(chance)}", "answer1": said(chance), "answer2": said(chance)}
        for n in range(1200)
    ]
    for n, row in enumerate(rows):
        row["better"] = n % 2 if n < 600 else n % 3
    with read(write(tmp_path, rows)) as reading:
        assert reading.stream.format.mapping["better_first"] == "1"
        at = reading.find(601 + 1)  # better: 1 -> the first answer
        assert reading.row(at)["chosen"][0]["content"] == rows[601]["answer1"]


def test_rows_are_not_read_without_their_answers_because_more_of_them_load(tmp_path):
    rows = [{"instruction": f"Do {n}", "output": f"Done {n}"} for n in range(400)]
    rows += [{"instruction": f"Do {n}", "response": f"Done {n}"} for n in range(300)]
    found = inspect(write(tmp_path, rows))
    assert (found.type, found.kept) == ("prompt_completion", 400)
    assert any('"instruction" and "response"' in note for note in found.notes)


def test_near_duplicates_are_found_and_nothing_else(tmp_path):
    rows = questions(400, seed=3)
    rows.append({**rows[10], "answer": rows[10]["answer"].replace(".", " indeed.")})
    rows.append({**rows[11], "question": rows[11]["question"].upper()})
    found = inspect(write(tmp_path, rows))
    near = [p for p in found.problems if p.kind == "near_duplicate"]
    assert [p.row for p in near] == [401, 402]
    assert "row 11" in near[0].message
    assert "row 12" in near[1].message
    assert found.kept == 402


def test_characters_are_compared_where_words_are_not_separated(tmp_path):
    text = "我能吞下玻璃而不伤身体因为我是一个模型并且喜欢回答问题"
    rows = [
        {"question": text, "answer": text[::-1]},
        {"question": text[:-1] + "吗", "answer": text[::-1]},
    ]
    assert inspect(write(tmp_path, rows)).problem_counts == {"near_duplicate": 1}


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


def test_preferences_report_length_and_place(tmp_path):
    rows = [
        {"prompt": f"q{n}", "answer_a": "a" * 30, "answer_b": "b" * 10, "winner": "ab"[n % 4 == 0]}
        for n in range(40)
    ]
    report = inspect(write(tmp_path, rows)).preference
    assert report["longer_wins"] == report["pick_longer"] == report["first_wins"] == 0.75
    assert report["length_ratio"] == 3.0
