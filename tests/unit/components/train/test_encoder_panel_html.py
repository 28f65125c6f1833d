"""The panel of an embedding run: figures, histograms, mined negatives, all of it escaped."""

from __future__ import annotations

from components.train import encoder_panel_html
from components.train.run_history import History

SIMILARITY = {"right": {"mean": 0.5, "counts": [0] * 30 + [4] + [0] * 9}}


def event(step: int, value: float) -> dict:
    figures = {"recall@1": {"value": value, "low": value - 0.1, "high": value + 0.1, "count": 4}}
    return {"kind": "retrieval", "step": step, "queries": 4, "documents": 90,
            "figures": figures, "similarity": SIMILARITY}  # fmt: skip


MINED = {"kind": "mined", "pairs": 9, "kept": 9, "each": 2, "positive": 0.3, "negative": 0.6,
         "above": 1, "examples": [{"anchor": "<b>Who?</b>", "positive": "Ida.",
                                   "negative": "Leo."}]}  # fmt: skip


def test_before_and_after_with_intervals() -> None:
    html = encoder_panel_html.found([event(0, 0.25), event(3, 0.5), event(9, 0.75)], MINED)
    assert "4 held-out queries among 90 documents" in html
    assert "step 0" in html and "step 9" in html and "step 3" not in html
    assert "<b>0.250</b> <small>0.150 to 0.350" in html and "<b>0.750</b>" in html
    assert html.count("<rect") == 2 and "A query and its document: mean 0.50" in html
    assert "&lt;b&gt;Who?" in html and "2 for each of 9 pairs" in html
    alone = encoder_panel_html.found([event(0, 0.25)], None)
    assert alone.count("<b>") == 1 and "Hard negatives" not in alone
    assert encoder_panel_html.found([], None) == ""


def test_a_history_keeps_what_was_found_and_forgets_it_when_a_run_goes_back() -> None:
    history = History()
    history.add([MINED, event(0, 0.2), event(3, 0.4), {"kind": "resume", "step": 2}])
    assert [each["step"] for each in history.retrieval] == [0] and history.mined == MINED
