"""Losses by position as lines, and found keys as heat maps, a column each."""

from __future__ import annotations

from components.compare import context_figures


def _column(label: str, share: float) -> dict[str, object]:
    bins = [
        {"start": 0, "end": 64, "loss": 1.0, "tokens": 9},
        {"start": 64, "end": 128, "loss": None, "tokens": 0},
    ]
    cells = [
        {"length": length, "depth": depth, "found": share * depth, "logp": -1.0}
        | {"hits": round(4 * share * depth), "trials": 4, "low": 0.0, "high": 0.6}
        for length in (64, 128)
        for depth in (0.0, 1.0)
    ]
    return {"label": label, "bins": bins, "needles": cells}


FOUND = {
    "digits": 2,
    "facts": None,
    "columns": [_column("base", 0.0), _column("base, scaled", 0.5), _column("<longer>", 1.0)],
}


def test_each_column_has_its_heat_map():
    figure = context_figures.needles(FOUND)
    assert figure is not None and len(figure.data) == 3
    assert [title.text for title in figure.layout.annotations][2] == "&lt;longer&gt;"
    last = figure.data[2]
    assert [list(row) for row in last.z] == [[0.0, 1.0], [0.0, 1.0]]
    assert list(last.x) == ["0 %", "100 %"] and list(last.y) == ["64", "128"]
    assert "keys of 2 digits" in figure.layout.title.text
    assert list(last.customdata[1][1]) == [4, 4, "0 to 60.0 %", -1.0]
    named = context_figures.needles({**FOUND, "facts": "visitors"})
    assert named is not None and named.layout.title.text.startswith("Facts found")
    bare = {**FOUND, "columns": [{**FOUND["columns"][0], "needles": None}]}
    assert context_figures.needles(bare) is None


def test_a_line_per_column_leaves_out_what_no_row_reaches():
    figure = context_figures.losses(FOUND)
    assert [line.name for line in figure.data] == ["base", "base, scaled", "&lt;longer&gt;"]
    assert list(figure.data[0].x) == [32.0] and list(figure.data[0].y) == [1.0]
    assert list(figure.layout.xaxis.tickvals) == list(figure.layout.xaxis.range) == [0, 64]
    assert len({line.line.color for line in figure.data}) == 3
    two = context_figures.losses({**FOUND, "columns": FOUND["columns"][::2]})
    assert [line.line.color for line in two.data] == [
        figure.data[0].line.color,
        figure.data[2].line.color,
    ]
