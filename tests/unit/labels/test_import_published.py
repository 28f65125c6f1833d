"""Published votes come in whole, and their figures are those of a few independent lines."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from studio.core.errors import DataError
from studio.labels.annotator_report import report
from studio.labels.import_published import bring_in, read_published

DATABASES = ["sqlite", "postgresql"]


def write(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def row(first, second, *votes, models="one_two"):
    said = {f"annotator{n}": vote for n, vote in enumerate(votes, 1)}
    return {
        "instruction": "Ask",
        "input": "this",
        "response1": first,
        "response2": second,
        "cmp_key": models,
        **said,
    }


def test_a_table_of_votes_becomes_a_finished_project(store, tmp_path):
    rows = [row("x", "y", 1, 1, 2), row("x", "y", 2, 2, 2), row(True, "", 0, 0, 0)]
    project = bring_in(store, read_published([write(tmp_path / "votes.jsonl", rows)]), "votes")
    assert (project.items, project.done, project.overlap) == (3, 9, 3)
    judged = list(store.labelled_pairs(project.id))
    assert [[vote.choice for vote in item.votes] for item in judged][2] == ["tie"] * 3
    assert judged[2].answer_a == "true" and judged[0].prompt[0]["content"] == "Ask\n\nthis"
    (rate,) = store.results(project.id)
    assert (rate.a, rate.wins, rate.ties, rate.losses) == ("one", 1, 1, 1)
    assert store.next_item(project.id, "ada") is None, "as many people as it needs have judged it"
    store.vote(project.id, judged[0].item_id, "annotator1", "b")
    assert [vote.version for vote in store.history(project.id, "annotator1")].count(2) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"prompt": "x", "answer1": "a", "answer2": "b"}], "no two answers with raters' votes"),
        ([row("x", "y", 3)], r"votes.jsonl, row 1: annotator1 is 1, 2 or 0 \(tie\), not 3"),
        ([1, 2], "not a list of rows"),
        ([row("x", "y", None)], "votes.jsonl holds no vote"),
    ],
)
def test_what_is_no_table_of_votes_gets_a_sentence(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_published([write(tmp_path / "votes.jsonl", rows)])


def test_pandalm_says_what_was_published(store, real_data):
    path = real_data / "pandalm" / "testset-v1.json"
    project = bring_in(store, read_published([path]))
    judged = list(store.labelled_pairs(project.id))
    found = report(judged, [])
    rows = json.loads(path.read_text())
    votes = [[row[f"annotator{n}"] for n in (1, 2, 3)] for row in rows]
    assert found["agreement"]["unanimous"] == sum(len(set(v)) == 1 for v in votes) == 879
    assert found["agreement"]["shared"] == len(rows) == 999
    pairs = [v[i] == v[j] for v in votes for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found["agreement"]["raw"] == pytest.approx(sum(pairs) / len(pairs))
    uses, total = Counter(label for v in votes for label in v), 3 * len(votes)
    by_chance = 1 - sum(n * (n - 1) for n in uses.values()) / (total * (total - 1))
    alpha = 1 - (1 - sum(pairs) / len(pairs)) / by_chance
    assert found["agreement"]["alpha"] == pytest.approx(alpha)

    def majority(v):
        label, count = Counter(v).most_common(1)[0]
        return label if count > 1 else 0

    for rate in store.results(project.id):
        won = Counter()
        for row, v in zip(rows, votes, strict=True):
            first, second = row["cmp_key"].split("_")
            if {first, second} == {rate.a, rate.b}:
                won[{1: first, 2: second, 0: "tie"}[majority(v)]] += 1
        assert (rate.wins, rate.ties, rate.losses) == (won[rate.a], won["tie"], won[rate.b])


def test_vicunas_reviews_say_what_was_published(store, real_data):
    folder = real_data / "vicuna_blog_eval"
    project = bring_in(store, read_published([folder]))
    lines = (folder / "review_alpaca-13b_vicuna-13b.jsonl").read_text().splitlines()
    scores = [json.loads(line)["score"] for line in lines]
    (rate,) = store.results(project.id)
    assert (rate.a, rate.wins) == ("alpaca-13b:v1", sum(a > b for a, b in scores))
    assert (rate.ties, rate.losses) == (
        sum(a == b for a, b in scores),
        sum(a < b for a, b in scores),
    )
    assert project.items == project.done == len(scores) == 80
