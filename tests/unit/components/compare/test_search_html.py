"""Two rankings side by side: moves marked, similarities as bars, everything escaped."""

from __future__ import annotations

from components.compare import search_figures, search_html

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


def _figures(value: float) -> dict[str, object]:
    return {"recall@1": {"value": value, "low": value - 0.1, "high": value + 0.1, "count": 3}}


def _query(text: str, base: int, tuned: int) -> dict[str, object]:
    return {
        "query": text,
        "document": f"<{text}>",
        "base": base,
        "tuned": tuned,
        "moved": base - tuned,
        "similarity": {"base": 0.25, "tuned": 0.5},
    }


SET = {
    **{name: FOUND[name] for name in ("documents", "data", "run", "model")},
    "queries": 3,
    "split": "test",
    "rose": 1,
    "fell": 1,
    "base": _figures(0.2),
    "tuned": _figures(0.7),
    "difference": _figures(0.5),
    "each": [_query("b", 1, 4), _query("c", 2, 2), _query("a", 30, 1)],
}


def test_a_held_out_set_has_figures_in_both_columns_and_its_moves() -> None:
    html = search_html.retrieval(SET)
    assert "3 held-out queries among 1,200 documents" in html
    assert "1 rose, 1 fell, 1 stayed in place" in html
    assert "0.200<span>0.100 to 0.300" in html and "+0.500<span>+0.400" in html
    fell, rose = html.split("Queries that rose")
    assert "&lt;b&gt;" in fell and "search-move down" in fell and "&lt;a&gt;" in rose
    assert "place 30" in rose and "&lt;c&gt;" not in html
    assert "holds no rows out" in search_html.retrieval({**SET, "split": "train"})
    many = {**SET, "fell": 25, "each": [_query(f"q{n}", 1, 9) for n in range(25)]}
    assert "and 5 more" in search_html.retrieval(many)


def test_the_map_names_texts_on_hover() -> None:
    side = {"queries": [[0.0, 1.0]], "documents": [[1.0, 2.0], [3.0, 4.0]], "share": 0.5}
    drawn = {
        "queries": ["<Who?>"],
        "documents": ["Leo <sails>.", "x " * 400],
        "left_out": 0,
        "base": side,
        "tuned": side,
    }
    assert search_figures.vector_map(FOUND) is None
    figure = search_figures.vector_map({**FOUND, "map": drawn})
    assert figure is not None and len(figure.data) == 4
    documents, query = figure.data[2], figure.data[3]
    assert list(documents.x) == [1.0, 3.0] and list(query.y) == [1.0]
    assert documents.customdata[0] == "#2, cosine -0.125<br>Leo &lt;sails&gt;."
    assert "<br>" in documents.customdata[1] and len(documents.customdata[1]) < 300
    assert query.customdata[0] == "<b>&lt;Who?&gt;</b>"
    assert [one.text for one in figure.layout.annotations] == ["base, 50.0 %", "finder, 50.0 %"]
    whole = search_figures.vector_map({**SET, "map": drawn})
    assert whole is not None and whole.data[1].marker.symbol == "diamond-open"
