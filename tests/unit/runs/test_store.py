"""Runs on disk: who holds a run, stopping, deleting."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from studio.core.errors import ConfigError
from studio.core.workspace import Workspace
from studio.runs.recipe import Recipe
from studio.runs.store import RunStore


@pytest.fixture
def store(tmp_path):
    return RunStore(Workspace(tmp_path))


def make(store: RunStore, name: str = "first", **changes):
    return store.create(Recipe.defaults(name=name, **changes))


def test_a_run_comes_back_as_it_was_made(store):
    run = make(store, lora_r=4)
    again = store.get(run.id)
    assert again == run
    assert (again.state, again.live, again.adapter) == ("queued", True, None)
    assert again.recipe.lora_r == 4
    assert json.loads(json.dumps(again.as_dict()))["id"] == run.id


def test_runs_are_listed_newest_first_and_strangers_passed_over(store):
    first, second = make(store, "first"), make(store, "second")
    store.update(second.id, created=first.created + 1)
    (store.workspace.runs / "notes").mkdir()
    assert [run.id for run in store.list()] == [second.id, first.id]


def test_a_name_that_is_taken_is_numbered(store):
    assert store.free_name("first") == "first"
    make(store, "first"), make(store, "first-3")
    assert store.free_name("first") == "first-2"
    make(store, "first-2")
    assert store.free_name("first") == "first-4"


def test_a_name_finds_its_newest_run(store):
    old, new = make(store), make(store)
    store.update(new.id, created=old.created + 1)
    assert store.get("first").id == new.id
    with pytest.raises(ConfigError, match='"first"'):
        store.get("frist")


def test_a_parent_must_exist(store):
    with pytest.raises(ConfigError, match="no run"):
        make(store, "child", start_from="nobody")


def test_running_without_a_holder_is_interrupted(store):
    run = make(store)
    store.update(run.id, state="running", eta_s=3.0)
    seen = store.get(run.id)
    assert (seen.state, seen.eta_s) == ("interrupted", None)
    assert seen.ended is not None


def test_running_while_held_stays_running(store):
    run = make(store)
    store.update(run.id, state="running")
    with store.lock(run):
        assert store.held(run)
        assert store.get(run.id).state == "running"
    assert store.get(run.id).state == "interrupted"


def test_a_run_that_ends_while_it_is_looked_at_is_not_interrupted(store, monkeypatch):
    run = make(store)
    store.update(run.id, state="running")
    look = store.lock

    def end_first(asked):
        monkeypatch.setattr(store, "lock", look)
        store.update(run.id, state="finished")
        return look(asked)

    monkeypatch.setattr(store, "lock", end_first)
    assert store.get(run.id).state == "finished"
    assert store.get(run.id).state == "finished"


def test_a_killed_holder_lets_go(store):
    run = make(store)
    store.update(run.id, state="running")
    code = (
        "import sys, time; from filelock import FileLock\n"
        "lock = FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); time.sleep(30)"
    )
    command = [sys.executable, "-c", code, str(run.folder / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline() == "held\n"
            assert store.get(run.id).state == "running"
        finally:
            holder.kill()
    deadline = time.monotonic() + 5
    while store.held(run) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert store.get(run.id).state == "interrupted"


# --- stopping and deleting


def test_a_waiting_run_stops_at_once(store):
    assert store.stop(make(store).id).state == "stopped"


def test_a_run_that_begins_while_it_is_stopped_is_asked_to_stop(store, monkeypatch):
    run = make(store)
    lock = store.lock(run)
    lock.acquire()
    look = store.get

    def begins_after_the_look(name):
        found = look(name)
        store.update(run.id, was="queued", state="running")
        return found

    monkeypatch.setattr(store, "get", begins_after_the_look)
    assert store.stop(run.id).state == "stopping"
    assert store.stop_asked(run) == "step" and look(run.id).state == "running"
    lock.release()


def test_a_change_that_comes_too_late_changes_nothing(store):
    run = store.update(make(store).id, state="stopped")
    assert store.update(run.id, was="queued", state="running").state == "stopped"
    assert store.get(run.id).state == "stopped"


def test_a_run_stopped_in_the_last_moment_of_its_wait_does_not_begin(store):
    from studio.training.execute import execute

    run = make(store)
    store.stop(run.id)
    nothing: Any = None  # neither data nor a model is asked for
    assert execute(run, store, nothing, nothing, nothing).state == "stopped"
    assert store.get(run.id).state == "stopped" and not (run.folder / "events.jsonl").exists()


def test_changes_from_several_threads_are_all_kept(store):
    run, other = make(store), RunStore(store.workspace)

    def count(writer, field):
        for number in range(1, 101):
            writer.update(run.id, **{field: number})

    pairs = [(store, "step"), (store, "total_steps"), (other, "train_seconds")]
    threads = [threading.Thread(target=count, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = store.get(run.id)
    assert (kept.step, kept.total_steps, kept.train_seconds) == (100, 100, 100)


@pytest.mark.parametrize(("now", "word"), [(False, "step"), (True, "now")])
def test_a_running_run_is_asked_to_stop(store, now, word):
    run = make(store)
    store.update(run.id, state="running")
    with store.lock(run):
        assert store.stop_asked(run) is None
        assert store.stop(run.id, now=now).state == "stopping"
        assert store.stop_asked(run) == word
    store.clear_stop(run)
    assert store.stop_asked(run) is None


def test_a_finished_run_cannot_be_stopped(store):
    run = make(store)
    store.update(run.id, state="finished")
    with pytest.raises(ConfigError, match="finished"):
        store.stop(run.id)


def test_deleting_is_refused_while_it_matters(store):
    parent = make(store, "parent")
    with pytest.raises(ConfigError, match="stop it"):
        store.delete(parent.id)
    store.update(parent.id, state="finished")
    child = make(store, "child", start_from=parent.id)
    with pytest.raises(ConfigError, match="child"):
        store.delete(parent.id)
    store.stop(child.id)
    store.delete(child.id)
    store.delete(parent.id)
    assert store.list() == []
    assert not parent.folder.exists()
