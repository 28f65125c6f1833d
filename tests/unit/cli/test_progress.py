"""Following runs: the bar's account, and Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
from types import SimpleNamespace

from studio.cli.progress import account, follow, found_words, unfinished
from studio.runs.recipe import Recipe


def test_ctrl_c_takes_the_runs_after_off_the_queue_first(store):
    stopped: list[tuple[str, bool]] = []
    runs = [store.create(Recipe.defaults(name=name)) for name in "abc"]

    def wait(run_id, on_event):
        if run_id == runs[0].id:
            os.kill(os.getpid(), signal.SIGINT)
        return store.update(run_id, state="stopped")

    studio = SimpleNamespace(
        runs=store, wait=wait, stop=lambda run_id, now: stopped.append((run_id, now))
    )
    notes: list[str] = []
    out = SimpleNamespace(
        studio=lambda: studio,
        note=notes.append,
        progress=lambda what: contextlib.nullcontext(lambda *seen: None),
    )
    started = [{"run_id": run.id} for run in runs]
    ended = follow(out, started)  # pyright: ignore[reportArgumentType]
    assert stopped == [(run.id, False) for run in reversed(runs)]
    assert [run["state"] for run in ended] == ["stopped"] * 3
    assert any("Stopping after this step" in note for note in notes)


def run(**values: object) -> dict:
    known = {"name": "mine", "run_id": "run-1", "state": "finished", "step": 3, "total_steps": 4}
    return {**known, "metrics": {}, "train_seconds": 2.0, "result": None, "error": None, **values}


def test_an_account_is_one_line():
    assert account(run()) == "mine finished: 3 of 4 steps, 2.0 s"
    told = account(run(metrics={"loss": 1.25}, result="adapter"))
    assert told == "mine finished: 3 of 4 steps, loss 1.25, 2.0 s; result in adapter"


def test_the_first_run_that_did_not_finish_is_told():
    assert unfinished(run()) is None
    assert "runs resume run-1" in str(unfinished([run(), run(state="stopped")]))
    assert unfinished(run(state="failed", error="Out of memory.")) == "Out of memory."
    assert unfinished(run(state="interrupted")) == "mine is interrupted."


def test_what_an_encoder_finds_is_a_line():
    one = {"value": 0.678, "low": 0.578, "high": 0.767}
    event = {"kind": "retrieval", "step": 40, "figures": {"recall@1": one}}
    assert found_words(event) == "step 40: recall@1 0.68 (0.58 to 0.77)"
    assert found_words({**event, "figures": {}}) == ""
