"""MinHash finds what exact Jaccard similarity calls near duplicates."""

import random

import numpy as np

from studio.data import inspect
from studio.data.checks.near_duplicates import (
    MIN_WORDS,
    NEAR,
    NearDuplicates,
    sign,
    similarity,
    word_pairs,
)
from tests.unit.data.making import questions, write


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


def pairs_of(texts, skip=None):
    with NearDuplicates() as near:
        for text in texts:
            near.add(text)
        marks = np.zeros(len(texts), bool) if skip is None else np.array(skip)
        return list(near.pairs(marks, texts.__getitem__))


def variations(count):
    """Texts, a third of them copies of an earlier one with 1 to 12 of about 60 words changed."""
    chance = random.Random(5)
    words = ["".join(chance.choices("aeioulmnrst", k=6)) for _ in range(900)]
    texts = []
    for n in range(count):
        if n % 3 == 2:
            changed = chance.choice(texts).split()
            for _ in range(chance.randint(1, 12)):
                changed[chance.randrange(len(changed))] = chance.choice(words)
            texts.append(" ".join(changed))
        else:
            texts.append(" ".join(chance.choices(words, k=chance.randint(40, 80))))
    return texts


def test_nearly_all_that_exact_jaccard_finds_is_found_and_nothing_else():
    texts = variations(300)
    sets = [word_pairs(text) for text in texts]
    exact = {
        at
        for at, pairs in enumerate(sets)
        if any(len(pairs & other) >= NEAR * len(pairs | other) for other in sets[:at])
    }
    found = pairs_of(texts)
    assert all(share >= NEAR and similarity(texts[a], texts[b]) == share for a, b, share in found)
    rows = {at for at, _, _ in found}
    assert len(exact) > 40 and rows <= exact
    assert len(rows) >= 0.95 * len(exact)


def test_a_template_filled_in_many_times_stays_linear():
    looked_at = []

    def text(at):
        looked_at.append(at)
        return f"Write a short and friendly letter to customer number {at} about the late order"

    count = 400
    with NearDuplicates() as near:
        for at in range(count):
            near.add(text(at))
        looked_at.clear()
        found = list(near.pairs(np.zeros(count, bool), text))
    assert len(found) > 0.9 * count and len(looked_at) <= 2 * count


def test_short_texts_have_no_signature_and_known_copies_are_skipped():
    short = " ".join("abcdefghij"[: MIN_WORDS - 1])
    assert not sign([short]).any()
    text = "the same nine words stand in both of these"
    assert pairs_of([short, short]) == []
    assert pairs_of([text, text]) == [(1, 0, 1.0)]
    assert pairs_of([text, text], skip=[False, True]) == []
