"""Cleaning steps: what each drops, previewed as it is done, and recorded."""

import random

import pytest

from studio.core.errors import ConfigError, DataError
from studio.core.workspace import Workspace
from studio.data import DatasetStore, PrepareOptions, preview, read
from studio.data.checks.rouge_novelty import repeated
from studio.metrics.rouge import rouge_l
from tests.unit.data.making import questions, said, write


@pytest.fixture
def store(tmp_path):
    return DatasetStore(Workspace(tmp_path / "home"))


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


def test_rows_of_an_evaluation_set_are_dropped(tmp_path, store):
    rows = questions(60)
    held = [{"prompt": rows[1]["question"].upper()}, {"prompt": rows[2]["question"] + " now"}]
    other = write(tmp_path, held, "held.jsonl")
    made = store.prepare(
        write(tmp_path, rows), options=PrepareOptions(held_out=str(other), test_fraction=0)
    )
    assert made.rows == {"train": 58}
    with pytest.raises(DataError, match="evaluation set cannot be read"):
        store.prepare(tmp_path / "rows.jsonl", options=PrepareOptions(held_out="./nothing.jsonl"))


def naive(words, other):
    table = [[0] * (len(other) + 1) for _ in range(len(words) + 1)]
    for i, one in enumerate(words):
        for j, two in enumerate(other):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if one == two else max(table[i][j + 1], table[i + 1][j])
            )
    return 2 * table[-1][-1] / max(1, len(words) + len(other))


def test_novelty_is_rouge_l_against_every_prompt_kept_before():
    chance = random.Random(4)
    texts = [said(chance, chance.randint(1, 9)) for _ in range(250)]
    found = repeated([{"prompt": text} for text in texts], 0.7)
    kept, expected = [], []
    for text in texts:
        words = text.split()
        assert all(rouge_l(words, other) == naive(words, other) for other in kept[:5])
        again = any(naive(words, other) >= 0.7 for other in kept)
        expected.append(again)
        if not again:
            kept.append(words)
    assert found.tolist() == expected
    assert 20 < sum(expected) < 230


@pytest.mark.parametrize(
    "wrong", [{"max_words": -1}, {"novelty": 2.0}, {"min_words": 9, "max_words": 3}]
)
def test_options_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(reversed(wrong))):
        PrepareOptions(**wrong)
