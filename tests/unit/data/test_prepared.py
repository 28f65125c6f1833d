"""Prepared datasets: cleaned, split, stored, found again, loadable by stock libraries."""

import json

import pyarrow.parquet as pq
import pytest

from studio.core.errors import Cancelled, ConfigError, DataError
from studio.core.workspace import Workspace
from studio.data import DatasetStore, PrepareOptions, inspect, prepare_to_file


@pytest.fixture
def store(tmp_path):
    return DatasetStore(Workspace(tmp_path / "home"))


def write(tmp_path, rows, name="rows.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def questions(count, same=1):
    return [
        {"question": f"Question {n // same}?", "answer": f"Answer {n} it is"} for n in range(count)
    ]


def test_prepare_keeps_what_inspect_shows(tmp_path, store):
    path = write(tmp_path, questions(100))
    prepared = store.prepare(path)
    assert prepared.rows == {"train": 95, "test": 5}
    assert (prepared.name, prepared.type) == ("rows", "prompt_completion")
    assert prepared.head(1) == inspect(path).sample[:1]
    assert prepared.load()[0] == prepared.head(1)[0]
    assert prepared.load("test").num_rows == 5
    assert [step["step"] for step in prepared.steps][:2] == ["read", "convert"]


def test_the_same_rows_in_another_file_have_the_same_fingerprint(tmp_path, store):
    rows = questions(30)
    first = store.prepare(write(tmp_path, rows))
    second = (tmp_path / "again.json").write_text(json.dumps(rows)) and store.prepare(
        tmp_path / "again.json"
    )
    other = store.prepare(write(tmp_path, rows[:-1], "other.jsonl"))
    assert first.fingerprint == second.fingerprint != other.fingerprint


@pytest.mark.parametrize("same", [1, 2, 7])
def test_no_prompt_is_on_both_sides_of_the_split(tmp_path, store, same):
    prepared = store.prepare(
        write(tmp_path, questions(140, same)), options=PrepareOptions(test_fraction=0.2)
    )
    sides = {
        split: {row["prompt"][0]["content"] for row in prepared.load(split)}
        for split in prepared.rows
    }
    assert sides["train"] and sides["test"]
    assert not sides["train"] & sides["test"]
    assert sum(prepared.rows.values()) == 140
    assert 20 <= prepared.rows["test"] <= 42


@pytest.mark.parametrize(
    ("count", "fraction", "splits"),
    [
        (20, 0.05, {"train": 19, "test": 1}),
        (20, 0.001, {"train": 19, "test": 1}),
        (19, 0.05, {"train": 19}),
        (50, 0.0, {"train": 50}),
    ],
)
def test_split_sizes(tmp_path, store, count, fraction, splits):
    options = PrepareOptions(test_fraction=fraction)
    assert store.prepare(write(tmp_path, questions(count)), options=options).rows == splits


def test_every_cleaning_step_is_counted(tmp_path, store):
    good = {"prompt": "Q", "chosen": "a b c", "rejected": "d e f"}
    rows = [
        good,
        good,
        {**good, "chosen": ""},
        {**good, "chosen": "same", "rejected": "same"},
        {**good, "rejected": "short"},
        {**good, "rejected": 5},
    ]
    prepared = store.prepare(write(tmp_path, rows), options=PrepareOptions(min_words=2))
    dropped = {step["step"]: step["dropped"] for step in prepared.steps if "dropped" in step}
    assert dropped == {"convert": 1, "drop_empty": 1, "drop_equal": 1, "min_words": 1, "dedupe": 1}
    assert prepared.rows == {"train": 1}
    assert prepared.steps[0] == {"step": "read", "rows": 6}
    untouched = PrepareOptions(drop_empty=False, drop_equal=False, dedupe=False)
    assert store.prepare(write(tmp_path, rows), options=untouched).rows == {"train": 5}


def test_sample_and_shuffle_follow_the_seed(tmp_path, store):
    path = write(tmp_path, questions(60))

    def texts(**options):
        made = store.prepare(path, options=PrepareOptions(test_fraction=0, **options))
        return [row["prompt"][0]["content"] for row in made.load()]

    assert texts(sample=10) == texts(sample=10) != texts(sample=10, seed=1)
    assert len(texts(sample=10)) == 10
    assert texts(shuffle=True) == texts(shuffle=True) != texts()
    assert sorted(texts(shuffle=True)) == sorted(texts())


def test_store_lists_finds_names_and_deletes(tmp_path, store):
    first = store.prepare(write(tmp_path, questions(3)), "letters")
    second = store.prepare(write(tmp_path, questions(4)), "letters")
    assert second.name == "letters 2"
    assert [d.id for d in store.list()] == [second.id, first.id]
    assert store.get("letters") == store.get(first.id) == first
    with pytest.raises(DataError, match='Did you mean "letters"'):
        store.get("leters")
    store.delete(first.id)
    assert [d.id for d in store.list()] == [second.id]
    with pytest.raises(DataError, match="no split"):
        second.path("test")


def test_a_shipped_sample_is_prepared_on_first_use_only(store):
    first = store.get("pocket-preference")
    assert first.type == "preference"
    assert store.get("pocket-preference").id == first.id
    assert len(store.list()) == 1


def test_rows_given_by_a_program_become_a_dataset(store):
    rows = [
        {
            "prompt": [{"role": "user", "content": f"Q{n}"}],
            "chosen": [{"role": "assistant", "content": "a"}],
            "rejected": [{"role": "assistant", "content": "b"}],
        }
        for n in range(4)
    ]
    made = store.from_rows(rows, "preference", "My votes", {"project": "p1"})
    assert (made.rows, made.provenance) == ({"train": 4}, {"project": "p1"})
    assert made.head(9) == rows
    with pytest.raises(DataError, match="No row of x is left"):
        store.from_rows([{"prompt": "Q"}], "preference", "x")
    with pytest.raises(DataError, match="Did you mean"):
        store.from_rows(rows, "preferences", "x")


def test_cancelling_leaves_nothing_behind(tmp_path, store):
    def stop(done, total, what):
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        store.prepare(write(tmp_path, questions(2000)), progress=stop)
    assert list(store.workspace.datasets.iterdir()) == []


def test_no_row_left_is_said_with_the_first_reason(tmp_path, store):
    path = write(tmp_path, [{"instruction": "a", "output": 5}, {"instruction": "b", "output": ""}])
    with pytest.raises(DataError, match=r"No row of rows\.jsonl is left"):
        store.prepare(
            path, options=PrepareOptions(mapping={"prompt": "instruction", "completion": "output"})
        )
    assert list(store.workspace.datasets.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"test_fraction": 1.0}, {"min_words": -1}, {"sample": 0}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PrepareOptions(**wrong)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_prepare_to_file_writes_all_rows_that_stock_datasets_reads(tmp_path, suffix):
    from datasets import load_dataset

    out = tmp_path / f"out.{suffix}"
    summary = prepare_to_file(write(tmp_path, questions(40)), out)
    assert (summary["rows"], summary["kept"], summary["type"]) == (40, 40, "prompt_completion")
    kind = "json" if suffix == "jsonl" else "parquet"
    loaded = load_dataset(kind, data_files=str(out), split="train", cache_dir=str(tmp_path / "c"))
    assert loaded.num_rows == 40
    assert loaded[0]["prompt"][0]["content"] == "Question 0?"
    assert inspect(out).kept == 40


def test_prepare_to_file_refuses_what_it_cannot_write(tmp_path):
    path = write(tmp_path, questions(3))
    with pytest.raises(DataError, match=r"name it \.jsonl or \.parquet"):
        prepare_to_file(path, tmp_path / "out.xlsx")
    with pytest.raises(DataError, match="no folder"):
        prepare_to_file(path, tmp_path / "nowhere" / "out.jsonl")


def test_tools_and_calls_of_any_shape_survive_storing(tmp_path, store):
    def row(arguments, tools=None):
        call = {"function": {"name": "f", "arguments": arguments}}
        turns = [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "done", "name": "f"},
            {"role": "assistant", "content": "there"},
        ]
        return {"messages": turns, **({"tools": tools} if tools else {})}

    rows = [row({"a": 1}, [{"name": "f"}]), row({"b": ["x", {"c": None}]}), row({})]
    made = store.prepare(write(tmp_path, rows))
    calls = [r["messages"][1]["tool_calls"][0]["function"]["arguments"] for r in made.load()]
    assert calls == [{"a": 1}, {"b": ["x", {"c": None}]}, {}]
    assert made.head(3)[1]["messages"][1]["tool_calls"][0]["function"]["arguments"] == {
        "b": ["x", {"c": None}]
    }
    assert json.loads(made.load()[0]["tools"])[0]["function"]["name"] == "f"
    assert made.load()[1]["tools"] is None
    assert pq.read_table(made.path()).num_rows == 3
