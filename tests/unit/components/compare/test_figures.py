"""Compare's Plotly figures: the right points, and no markup from names."""

from __future__ import annotations

from components.compare import figures

EVIL = "<img src=x onerror=alert(1)>"


def column(step: int, **values: float | None) -> dict:
    return {
        "step": step,
        "metrics": {
            name: {"value": value, "low": None if value is None else value - 0.5, "high": 2.0}
            for name, value in values.items()
        },
    }


def test_each_metric_is_drawn_over_the_checkpoints_that_have_it() -> None:
    columns = [column(0, loss=1.5, rouge=0.1), column(10, loss=1.0), column(20, loss=None)]
    figure = figures.over_checkpoints(columns)
    assert figure is not None
    [loss] = figure.data  # one point of rouge is no curve
    assert (list(loss.x), list(loss.y)) == ([0, 10], [1.5, 1.0])
    assert (list(loss.error_y.array), list(loss.error_y.arrayminus)) == ([0.5, 1.0], [0.5, 0.5])
    assert figures.over_checkpoints(columns[:1]) is None


def test_the_best_of_n_has_a_line_per_model() -> None:
    figure = figures.best_of_n(["A base", EVIL], ["base", "tuned"], [[0.5, 0.75], [1.0]])
    assert [list(line.x) for line in figure.data] == [[1, 2], [1]]
    assert figure.layout.xaxis.dtick == 1  # no half answers
    assert "<img" not in (figure.to_json() or "").replace("\\u003c", "<")
