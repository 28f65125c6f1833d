"""Scores and votes as markup: intervals are shown, labels are escaped."""

from __future__ import annotations

from types import SimpleNamespace

from components.compare import evaluation_html
from studio.evaluation import benchmarks as reports
from studio.generation.request import Answer
from studio.labels import llm_judge

EVIL = "<img src=x onerror=alert(1)>"


def test_scores_are_told_with_their_intervals():
    figure = {"value": 1.5, "low": 1.25, "high": 1.75, "count": 4}
    found = {
        "data": EVIL,
        "rows": 4,
        "columns": [
            {"label": EVIL, "error": None, "metrics": {"loss": figure}},
            {"label": "gone", "error": EVIL, "metrics": {}},
        ],
        "differences": [{"a": EVIL, "b": "base", "metrics": {"loss": figure}}],
    }
    markup = evaluation_html.result(found)
    assert "<img" not in markup and "1.25 to 1.75" in markup and 'class="forest"' in markup


def test_shares_are_in_per_cent_and_their_differences_in_points():
    share, loss = ({"value": v, "low": v - 0.05, "high": v + 0.05, "count": 4} for v in (0.175, 2))
    metrics = {"exact_match": share, "loss": loss}
    columns = [{"label": name, "error": None, "metrics": metrics} for name in ("base", "first")]
    difference = {"a": "first", "b": "base", "metrics": metrics}
    markup = evaluation_html.result(
        {"data": "d", "rows": 4, "columns": columns, "differences": [difference]}
    )
    assert "<td>17.5 %<span>12.5 to 22.5 %</span></td>" in markup
    assert "<b>+17.5 points</b> (+12.5 to +22.5)" in markup
    assert "<td>2<span>1.95 to 2.05</span></td>" in markup and "<b>+2</b> (+1.95 to" in markup


def test_metrics_have_their_makers_names_and_those_that_are_0_for_all_share_a_line():
    none = {"value": 0.0, "low": 0.0, "high": 0.0, "count": 4}
    some = {"value": 0.5, "low": 0.25, "high": 0.75, "count": 4}
    metrics = {"rouge_l": some, "repeated_4grams": none, "empty_rate": none}
    columns = [{"label": name, "error": None, "metrics": metrics} for name in ("base", "first")]
    difference = {"a": "first", "b": "base", "metrics": {"rouge_l": some, "empty_rate": none}}
    found = {"data": "d", "rows": 4, "columns": columns, "differences": [difference]}
    markup = evaluation_html.result(found)
    assert "ROUGE-L" in markup and markup.count("empty rate") == 1
    assert "0 for every model: repeated 4-grams, empty rate." in markup


def test_a_judges_votes_are_drawn_and_escaped():
    pairs = [
        llm_judge.TextPair([{"role": "user", "content": f"q{n}"}], "x", "longer") for n in range(4)
    ]
    cells = [Answer(said) for said in ("B", "A", "B", "A", "A", "A", "no", "A")]
    snapshot = SimpleNamespace(answers=[cells], error=None)
    markup = evaluation_html.judged(llm_judge.result(snapshot, pairs, EVIL, "base", EVIL))
    assert "<img" not in markup and "33.3 % of its votes changed with the order" in markup
    assert "1 without a readable vote" in markup and markup.count('class="dot"') == 3


def test_benchmarks_say_what_was_gained_and_lost() -> None:
    made = [
        {
            name: [{"row": f"{name} {at}", "filter": "none", "acc_norm": value} for at in range(40)]
            for name, value in zip(("arc_easy", "hellaswag"), values, strict=True)
        }
        for values in ((0.0, 1.0), (1.0, 0.0))
    ]
    found = reports.report(["base", "<run>"], made)
    told = evaluation_html.benchmarks({"benchmarks": found, "version": "0.4.13"})
    assert "ARC-Easy: gained" in told and "HellaSwag: lost" in told
    assert "&lt;run&gt; minus base" in told and "<run>" not in told
    assert "acc_norm, 40 rows" in told and "lm-eval 0.4.13" in told
