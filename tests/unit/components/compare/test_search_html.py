"""Two rankings side by side: moves marked, similarities as bars, everything escaped."""

from __future__ import annotations

from components.compare import search_html

FOUND = {
    "query": "<Who?>",
    "documents": 1200,
    "data": "places",
    "run": "finder",
    "model": "pocket",
    "base": [{"rank": 1, "text": "Leo <sails>.", "similarity": 0.5, "moved": -1},
             {"rank": 2, "text": "Ida bakes.", "similarity": 0.25, "moved": 1}],
    "tuned": [{"rank": 1, "text": "Ida bakes.", "similarity": 0.875, "moved": 1},
              {"rank": 2, "text": "Leo <sails>.", "similarity": -0.125, "moved": -1}],
}  # fmt: skip


def test_both_rankings_with_moves_and_bars() -> None:
    html = search_html.result(FOUND)
    assert "1,200 documents of places" in html and "&lt;Who?&gt;" in html
    assert html.count("<li") == 4 and "<sails>" not in html
    assert "width: 87.5%" in html and "width: 0.0%" in html and "-0.125" in html
    assert html.count("search-move up") == 1 and html.count("search-move down") == 1
    same = {**FOUND, "tuned": [{"rank": 1, "text": "x" * 900, "similarity": 0.1, "moved": 0}]}
    assert "same place" in search_html.result(same)
    assert "x" * 401 not in search_html.result(same)


def test_what_stands_there_before() -> None:
    assert "Train one" in search_html.empty(False) and "Type a query" in search_html.empty(True)
