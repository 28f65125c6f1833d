"""Health of an encoder: vectors all alike, and negatives that may be right."""

from __future__ import annotations

from studio.training.health import findings


def kinds(*events: dict) -> list[str]:
    return [one.kind for one in findings(events, {"objective": "embedding"})]


def retrieval(step: int, cosine: float) -> dict:
    similarity = {"unrelated": {"mean": cosine, "counts": []}}
    return {"kind": "retrieval", "step": step, "figures": {}, "similarity": similarity}


def test_vectors_that_are_all_alike_are_a_collapse() -> None:
    assert kinds(retrieval(0, 0.99), retrieval(9, 0.4)) == []  # the base is often so
    assert kinds(retrieval(0, 0.4), retrieval(9, 0.99)) == ["alike"]


def test_mined_negatives_that_may_be_right() -> None:
    mined = {"kind": "mined", "pairs": 100, "kept": 100, "above": 10}
    assert kinds(mined) == []
    assert kinds({**mined, "above": 60}) == ["mined_above"]
    assert kinds({**mined, "kept": 80}) == ["mined_few"]


def test_negatives_that_are_positives_or_missing() -> None:
    wrong = {"kind": "false_negatives", "count": 3, "anchor": "Who?", "negative": "Ida."}
    found = findings([wrong], {"objective": "embedding"})[0]
    assert found.level == "warn" and "3 negatives" in found.title and "Ida." in found.means
    uneven = {"kind": "negatives", "used": 1, "most": 3, "rows": 8, "given": 10}
    assert kinds(uneven) == ["no_negative", "negatives"]


def test_batches_that_hold_fewer_rows() -> None:
    few = {"kind": "few_texts", "side": "positive", "texts": 3, "batch": 32}
    found = findings([few], {"objective": "embedding"})[0]
    assert found.level == "warn" and found.title.startswith("3 different positives")
