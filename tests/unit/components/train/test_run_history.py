"""Events to charts: thinning keeps peaks, only what is new is sent, a resumed run joins."""

from __future__ import annotations

import math

import pytest

from components.train.run_history import MOST, Histories, History, Table


def logged(steps: range, **values: float) -> list[dict]:
    return [{"kind": "log", "step": step, "time": float(step), **values} for step in steps]


def table(values: list[float]) -> Table:
    made = Table()
    for step, value in enumerate(values):
        made.add(step, {"loss": value})
    return made


class FakeRun:
    """A run whose events are in memory."""

    def __init__(self, events: list[dict]) -> None:
        self.id, self.asked, self.written = "run-1", [], events

    recipe = property(lambda self: type("R", (), {"model_dump": lambda _: {}})())

    def events(self, offset: int = 0, limit: int | None = None):
        self.asked.append(offset)
        return self.written[offset:], len(self.written)


def test_a_short_run_is_kept_as_it_is():
    news = table([0.5, 0.25, math.nan]).since(None)
    assert news["steps"] == [0, 1, 2]
    assert news["series"] == {"loss": [0.5, 0.25, None]}
    assert "low" not in news


def test_a_long_run_keeps_its_ends_and_every_peak():
    values = [1.0] * 100_000
    values[40_321], values[77_777] = 9.0, -5.0
    news = table(values).since(None)
    assert MOST // 2 <= len(news["steps"]) <= MOST
    assert news["steps"][-1] == 99_999
    assert max(news["high"]["loss"]) == 9.0 and min(news["low"]["loss"]) == -5.0
    assert news["steps"] == sorted(news["steps"])


@pytest.mark.parametrize("count", [1, MOST, MOST + 1, 5 * MOST + 7])
def test_a_page_that_reads_on_ends_with_what_a_new_page_gets(count: int):
    made, page, cursor = Table(), [], None
    for step in range(count):
        made.add(step, {"loss": float(step)})
        if step % 37 == 0 or step == count - 1:
            news = made.since(cursor)
            assert news is not None
            cursor = news["cursor"]
            page[news["from"] :] = list(zip(news["steps"], news["series"]["loss"], strict=True))
    whole = made.since(None)
    assert whole is not None
    assert page == list(zip(whole["steps"], whole["series"]["loss"], strict=True))


def test_a_cursor_that_makes_no_sense_gets_everything():
    made = table([1.0, 2.0])
    for cursor in (None, "x", [9, 9, 9], [0, 1, 99], [0, 1, "x"], [0, 1], [0, 1, -1]):
        assert made.since(cursor)["from"] == 0


def test_a_resumed_run_goes_over_its_last_steps_once():
    history = History()
    history.add(logged(range(1, 11), loss=1.0))
    before = history.train.since(None)["cursor"]
    history.add([{"kind": "resume", "step": 6, "time": 11.0}])
    history.add(logged(range(7, 9), loss=0.5))
    news = history.train.since(before)
    assert news["from"] == 0 and news["steps"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert news["series"]["loss"][-2:] == [0.5, 0.5]


def test_a_history_reads_on_where_it_stopped():
    histories, run = Histories(), FakeRun(logged(range(3), loss=1.0))
    assert histories.of(run).version == 3
    run.written += logged(range(3, 5), loss=0.5)
    assert histories.of(run).version == 5
    assert run.asked == [0, 3, 3, 5]


def test_pace_comes_from_the_counted_tokens():
    history = History()
    for step in range(1, 6):
        history.add(
            [{"kind": "log", "step": step, "time": float(step), "num_tokens": 100.0 * step}]
        )
    assert history.tokens_per_second == pytest.approx(100.0)
    assert history.train.since(None)["series"]["tokens/s"] == [100.0] * 4


def test_held_out_measurements_are_apart_and_summaries_are_no_points():
    history = History()
    history.add(logged(range(1, 3), loss=1.0))
    history.add([{"kind": "log", "step": 2, "eval_loss": 0.9, "time": 3.0}])
    history.add([{"kind": "log", "step": 2, "train_runtime": 9.0, "train_loss": 1.0, "time": 3.0}])
    assert history.train.since(None)["steps"] == [1, 2]
    assert history.held_out.since(None)["series"] == {"eval_loss": [0.9]}
