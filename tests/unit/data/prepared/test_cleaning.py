"""Cleaning steps and splits: what each drops, previewed and recorded."""

import pytest

from studio.core.errors import DataError
from studio.data import PrepareOptions, read
from studio.data.prepared.cleaning import preview
from tests.unit.data.making import numbered, questions, write


def test_steps_are_previewed_done_and_recorded_alike(tmp_path, store):
    rows = questions(90)
    rows += [{**rows[5], "answer": rows[5]["answer"] + " yes"}, rows[6]]
    rows.append({"question": "new?", "answer": "word " * 60, "kind": "a"})
    options = PrepareOptions(max_words=50, drop_near=True, balance="kind", test_fraction=0)
    with read(write(tmp_path, rows)) as reading:
        steps = preview(reading, options)
        made = store.prepare(reading, "clean", options)
    seen = {step.step: step.dropped for step in steps}
    assert seen == {"drop_empty": 0, "max_words": 1, "dedupe": 1, "drop_near": 1, "balance": 0}
    assert {s["step"]: s["dropped"] for s in made.steps if "dropped" in s} == {"convert": 0, **seen}
    shown = next(step for step in steps if step.step == "drop_near").examples
    assert (shown[0]["row"], shown[0]["file"]) == (91, "rows.jsonl")
    assert made.rows == {"train": 90}
    assert made.provenance["options"]["balance"] == "kind"


def test_contradictions_are_dropped_when_asked(tmp_path, store):
    rows = [{"prompt": f"q{n}", "chosen": "yes it is", "rejected": "no"} for n in range(5)]
    rows.append({"prompt": "q1", "chosen": "no", "rejected": "yes it is"})
    path = write(tmp_path, rows)
    assert store.prepare(path).rows == {"train": 6}
    assert store.prepare(path, options=PrepareOptions(drop_contradictions=True)).rows == {
        "train": 5
    }


def test_groups_become_equally_large(tmp_path, store):
    rows = [row for row in questions(90) if row["kind"] != "c" or row["answer"].endswith("5.")]
    with read(write(tmp_path, rows)) as reading:
        assert reading.groups.columns() == {"kind": 3}
        made = store.prepare(reading, options=PrepareOptions(balance="kind", test_fraction=0))
        smallest = sum(row["kind"] == "c" for row in rows)
        assert made.rows == {"train": 3 * smallest}
        with pytest.raises(DataError, match='Did you mean "kind"'):
            preview(reading, PrepareOptions(balance="kinds"))


@pytest.mark.parametrize("same", [1, 2, 7])
def test_no_prompt_is_on_both_sides_of_the_split(tmp_path, store, same):
    prepared = store.prepare(
        write(tmp_path, numbered(140, same)), options=PrepareOptions(test_fraction=0.2)
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
    assert store.prepare(write(tmp_path, numbered(count)), options=options).rows == splits


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
    path = write(tmp_path, numbered(60))

    def texts(**options):
        made = store.prepare(path, options=PrepareOptions(test_fraction=0, **options))
        return [row["prompt"][0]["content"] for row in made.load()]

    assert texts(sample=10) == texts(sample=10) != texts(sample=10, seed=1)
    assert len(texts(sample=10)) == 10
    assert texts(shuffle=True) == texts(shuffle=True) != texts()
    assert sorted(texts(shuffle=True)) == sorted(texts())


def test_no_row_left_is_said_with_the_first_reason(tmp_path, store):
    path = write(
        tmp_path, [{"instruction": "a", "output": True}, {"instruction": "b", "output": ""}]
    )
    with pytest.raises(DataError, match=r"No row of rows\.jsonl is left"):
        store.prepare(
            path, options=PrepareOptions(mapping={"prompt": "instruction", "completion": "output"})
        )
    assert list(store.workspace.datasets.iterdir()) == []
