"""Events to figures: thinning keeps peaks, smoothing is fair at the start, a resumed run joins."""

from __future__ import annotations

import json
import math

import pytest

from components import plots
from components.history import Histories, History, Series


def logged(steps: range, **values: float) -> list[dict]:
    return [{"kind": "log", "step": step, "time": float(step), **values} for step in steps]


def series(values: list[float]) -> Series:
    one = Series()
    for step, value in enumerate(values):
        one.add(step, value)
    return one


def test_thinning_keeps_the_ends_and_every_peak():
    values = [0.0] * 100_000
    values[40_321], values[77_777] = 9.0, -5.0
    steps, kept = plots.thin(range(100_000), values)
    assert len(steps) <= plots.MOST
    assert (steps[0], steps[-1]) == (0, 99_999)
    assert max(kept) == 9.0 and min(kept) == -5.0
    assert steps == sorted(steps)


def test_short_series_are_left_alone():
    assert plots.thin([1, 5], [0.5, 0.2]) == ([1, 5], [0.5, 0.2])


def test_smoothing_starts_at_the_first_value_and_passes_nan():
    smooth = plots.smooth([2.0, math.nan, 2.0, 2.0], 0.9)
    assert smooth[0] == pytest.approx(2.0) and smooth[-1] == pytest.approx(2.0)
    assert math.isnan(smooth[1])
    assert plots.smooth([1.0, 3.0], 0) == [1.0, 3.0]


@pytest.mark.parametrize("objective", sorted(plots.CHARTS))
def test_every_chart_draws_with_and_without_points(objective: str):
    for chart in plots.charts_for(objective):
        assert len(plots.figure(chart, {}).data) == 0
        found = {line.key: series([0.5] * 30) for line in chart.lines}
        figure = plots.figure(chart, found, smoothing=0.6)
        assert len(figure.data) >= len(chart.lines)
        assert json.loads(plots.payload(figure).plot)["config"]["displayModeBar"] is False


def test_schedules_and_evaluations_are_never_smoothed():
    found = {"learning_rate": series([0.1 * i for i in range(40)])}
    figure = plots.figure(plots.RATE, found, smoothing=0.9)
    assert len(figure.data) == 1
    assert figure.data[0].y[-1] == pytest.approx(3.9)


def test_nan_leaves_a_gap_instead_of_breaking_the_chart():
    figure = plots.figure(plots.LOSS, {"loss": series([1.0, math.nan, 0.5])})
    assert figure.data[0].y[1] is None


def test_a_resumed_run_goes_over_its_last_steps_once():
    history = History()
    history.add(logged(range(1, 11), loss=1.0))
    history.add([{"kind": "resume", "step": 6, "time": 11.0}])
    history.add(logged(range(7, 9), loss=0.5))
    assert list(history.series["loss"].steps) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert list(history.series["loss"].values)[-2:] == [0.5, 0.5]


def test_a_history_reads_on_where_it_stopped():
    class FakeRun:
        id = "run-1"

        def __init__(self) -> None:
            self.asked: list[int] = []
            self.written = logged(range(3), loss=1.0)

        def events(self, offset: int = 0):
            self.asked.append(offset)
            return self.written[offset:], len(self.written)

    histories, run = Histories(), FakeRun()
    assert histories.of(run).version == 3
    run.written += logged(range(3, 5), loss=0.5)
    assert histories.of(run).version == 5
    assert histories.of(run).version == 5
    assert run.asked == [0, 3, 5]


def test_pace_comes_from_the_counted_tokens():
    history = History()
    for step in range(1, 6):
        history.add(
            [{"kind": "log", "step": step, "time": float(step), "num_tokens": 100.0 * step}]
        )
    assert history.tokens_per_second == pytest.approx(100.0)
