"""Who asks the worker for what it cannot do is told, and never waits for ever."""

from __future__ import annotations

import sys
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace

import pytest

from studio import Recipe, Studio
from studio.core.errors import ModelError
from studio.core.jobs import Job
from studio.engine import worker
from studio.generation.request import Column, GenerationRequest
from studio.runs.store import Run


def test_libraries_that_do_not_load_end_everything_that_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "studio.models.pool", None)  # as in a broken installation
    studio = Studio(tmp_path / "home")
    for _ in range(2):  # before it is known, and afterwards
        generation = studio.generate(GenerationRequest(("Hello",), (Column("pocket"),)))
        assert generation.wait(20)
        assert "libraries did not load" in (generation.snapshot().error or "")
        watched = Job(kind="scoring")
        studio.worker.submit(lambda pool: pool, watched)
        assert watched.wait(20) and "libraries did not load" in (watched.error or "")
        with pytest.raises(ModelError, match="libraries did not load"):
            studio.worker.submit(lambda pool: pool).result(20)
        rows = studio.datasets.from_rows(
            [{"prompt": "a", "completion": "b"}], "prompt_completion", "rows"
        )
        run = studio.wait(studio.train(Recipe.defaults(dataset_name=rows.id)).id)
        assert run.state == "failed" and "libraries did not load" in (run.error or "")
        assert not studio.runs.held(run)


def test_closing_ends_what_still_waits(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "home")
    begun, go_on = threading.Event(), threading.Event()

    def hold(pool: object) -> None:
        begun.set()
        go_on.wait(60)

    held = studio.worker.submit(hold)
    assert begun.wait(60)
    waiting = studio.worker.submit(lambda pool: pool)
    closing = threading.Thread(target=studio.close)
    closing.start()
    go_on.set()
    closing.join(60)
    assert held.wait(10) and waiting.wait(10)
    assert waiting.finished


def test_a_fault_that_stays_is_said_to_all_who_come(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "home")

    def fault(pool: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(ModelError, match="Restart the app"):
        studio.worker.submit(fault).result(60)
    generation = studio.generate(GenerationRequest(("Hello",), (Column("pocket"),)))
    assert generation.wait(20) and "Restart the app" in (generation.snapshot().error or "")
    with pytest.raises(ModelError, match="Restart the app"):
        studio.worker.submit(lambda pool: pool).result(20)
    assert "Restart the app" in studio.status().loading_note
    studio.close()


def test_answers_beside_a_run_take_a_share_of_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is made up: a step takes a second, an answer as long as it says."""
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], time=time.time, sleep=time.sleep)
    monkeypatch.setattr(worker, "time", clock)
    studio = Studio(tmp_path / "home")
    monkeypatch.setattr(studio.worker, "start", lambda: None)  # this thread trains and serves

    def takes(seconds: float) -> Job[None]:
        def work(pool: object) -> None:
            now[0] += seconds

        return studio.worker.submit(work)

    def steps_until(job: Job[None]) -> int:
        for step in range(1_000):
            now[0] += 1.0
            studio.worker.serve_beside()
            if job.finished:
                return step
        raise AssertionError("never answered")

    asked = [takes(3.0) for _ in range(40)]
    assert steps_until(asked[4]) == 0  # what was saved up answers the first at once
    steps = steps_until(asked[-1])
    assert 0.78 < steps / (steps + 35 * 3.0) < 0.82
    long, after = takes(60.0), takes(0.1)
    steps_until(long)
    assert steps_until(after) <= worker.DEBT / worker.ANSWERING
    studio.close()


def test_a_run_answers_by_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.training import execute

    seen: list[object] = []

    def note(run: Run, runs: object, datasets: object, pool: object, serve: object, _: object):
        seen.append(serve)
        return run

    monkeypatch.setattr(execute, "execute", note)
    studio = Studio(tmp_path / "home")
    run = studio.runs.create(Recipe.defaults(name="one"))
    studio.worker._credit = -worker.DEBT
    studio.worker._train(run.id)
    assert seen == [studio.worker.serve_beside] and studio.worker._credit == worker.BURST
    studio.close()


def test_a_call_keeps_its_callers_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asking: ContextVar[str] = ContextVar("asking", default="nobody")
    studio = Studio(tmp_path / "home")
    monkeypatch.setattr(studio.worker, "start", lambda: None)  # this thread serves
    asking.set("ada")
    job = studio.worker.submit(lambda pool: asking.get())
    asking.set("bob")
    studio.worker.serve()
    assert job.result(1) == "ada" and asking.get() == "bob"


def test_a_run_that_a_dead_app_left_waiting_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a restart: an idle app looks for runs in nobody's hands; a shell does not."""
    monkeypatch.setattr(worker, "ORPHANS", 0.05)
    studio = Studio(tmp_path / "home")
    studio.worker.submit(lambda pool: None).result(60)
    trained: list[str] = []
    monkeypatch.setattr(studio.worker, "_train", trained.append)
    left = studio.runs.create(Recipe.defaults(name="left"))
    held = studio.runs.create(Recipe.defaults(name="held"))
    with studio.runs.lock(held):
        studio.worker.submit(lambda pool: time.sleep(0.3)).result(60)
        assert trained == []
        studio.worker.take_up(60.0)  # what the app does at its start; these runs are younger
        until = time.monotonic() + 30
        while not trained and time.monotonic() < until:
            time.sleep(0.02)
        assert trained == [left.id]
    studio.close()
