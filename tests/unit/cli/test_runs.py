"""`train` and `runs`: what they print and how they end. (Real training: tests/test_readme.py.)"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from studio.cli.progress import follow
from studio.cli.train import settle
from studio.core.errors import ConfigError
from studio.core.workspace import Workspace
from studio.runs.recipe import Recipe
from studio.runs.store import RunStore


@pytest.fixture
def store(home: Path) -> RunStore:
    return RunStore(Workspace(home))


@pytest.fixture
def ends(monkeypatch, store):
    """Make training end in a given state, at once, without a model."""

    def so(state: str, error: str | None = None) -> None:
        def train(self, recipe, provenance=None):
            run = store.create(recipe, provenance)
            if state == "finished":
                (run.folder / "adapter").mkdir()
                (run.folder / "adapter" / "adapter_config.json").write_text("{}")
            metrics = {"loss": 1.5, "grad_norm": float("nan")}
            return store.update(
                run.id, state=state, error=error, step=3, total_steps=4, metrics=metrics
            )

        monkeypatch.setattr("studio.engine.studio.Studio.train", train)

    return so


def test_train_prints_the_id_and_nothing_else(shell, ends, store):
    ends("finished")
    said = shell("train", "pocket-sft", "--name", "mine")
    assert said.code == 0
    assert said.out.strip() == store.get("mine").id
    assert "3 of 4 steps" in said.err


def test_train_for_machines(shell, ends, store):
    ends("finished")
    said = shell("train", "pocket-sft", "--set", "lora_r=4", "--json")
    assert said.code == 0 and said.err == ""
    run = store.list()[0]
    assert said.json["run_id"] == run.id
    assert (said.json["state"], said.json["steps"]) == ("finished", 3)
    assert said.json["metrics"] == {"loss": 1.5, "grad_norm": None}
    assert said.json["adapter"] == str(run.folder / "adapter")
    assert run.recipe.lora_r == 4
    assert run.provenance["door"] == "shell"


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [("failed", "The disk refused a write.", "disk"), ("stopped", None, "runs resume")],
)
def test_a_run_that_did_not_finish_is_1(shell, ends, state, error, words):
    ends(state, error)
    said = shell("train", "pocket-sft", "--json")
    assert said.code == 1
    assert said.json["state"] == state
    assert said.err.startswith("error: ") and words in said.err
    assert len(said.err.splitlines()) == 1


def test_several_values_are_a_run_each(shell, ends, store):
    ends("finished")
    said = shell(
        "train", "pocket-sft", "--try", "lora_r=4, 8", "--try", "learning_rate=1e-4", "--json"
    )
    assert [one["name"] for one in said.json] == [
        "pocket-sft lora_r 4, learning_rate 0.0001",
        "pocket-sft lora_r 8, learning_rate 0.0001",
    ]
    runs = store.list()
    assert {run.recipe.lora_r for run in runs} == {4, 8}
    assert len({run.provenance["sweep"] for run in runs}) == 1
    assert "cannot be swept" in shell("train", "pocket-sft", "--try", "name=a,b").refused(2)
    ends("stopped")
    assert shell("train", "pocket-sft", "--try", "lora_r=4,8").code == 1


def test_ctrl_c_takes_the_runs_after_off_the_queue_first(store):
    stopped: list[tuple[str, bool]] = []
    studio = SimpleNamespace(
        wait=lambda run_id, on_event: os.kill(os.getpid(), signal.SIGINT),
        stop=lambda run_id, now: stopped.append((run_id, now)),
    )
    out = SimpleNamespace(
        studio=studio,
        note=lambda text: None,
        progress=lambda what: contextlib.nullcontext(lambda *seen: None),
    )
    first, second, third = (store.create(Recipe.defaults(name=name)) for name in "abc")
    follow(out, first, [second, third])  # pyright: ignore[reportArgumentType]
    assert stopped == [(third.id, False), (second.id, False), (first.id, False)]


def test_set_values_are_yaml_and_options_come_last(tmp_path):
    recipe = settle(
        "pocket-sft",
        ["learning_rate=5e-7", "lora_target_modules=[q_proj, v_proj]", "name=a"],
        name="b",
        dataset_name=None,
    )
    assert recipe.learning_rate == 5e-7
    assert recipe.lora_target_modules == ("q_proj", "v_proj")
    assert recipe.name == "b"
    assert recipe.dataset_name == "pocket-sft"
    with pytest.raises(ConfigError):
        settle("pocket-sft", ["max_steps=soon"])


def test_a_recipe_may_be_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("objective: dpo\nmethod: lora\n")
    assert settle(str(path), []) == Recipe.defaults("dpo")


def test_list_and_show(shell, store):
    assert "No runs yet" in shell("runs", "list").out
    assert shell("runs", "list", "--json").json == []
    run = store.create(Recipe.defaults(name="first", lora_r=4))
    store.update(run.id, state="finished", step=7, total_steps=7, metrics={"loss": 0.5})
    assert run.id in shell("runs", "list").out
    (listed,) = shell("runs", "list", "--json").json
    assert (listed["run_id"], listed["state"]) == (run.id, "finished")
    shown = shell("runs", "show", "first", "--json").json
    assert (shown["run_id"], shown["step"]) == (run.id, 7)
    assert shown["recipe"]["lora_r"] == 4
    assert "lora_r: 4" in shell("runs", "show", run.id).out


def test_stop_reaches_a_run_of_another_process(shell, store):
    run = store.create(Recipe.defaults(name="first"))
    store.update(run.id, state="running")
    with store.lock(run):
        assert shell("runs", "stop", "first", "--json").json["state"] == "stopping"
        assert store.stop_asked(run) == "step"
        assert shell("runs", "stop", "first", "--now").code == 0
        assert store.stop_asked(run) == "now"
    store.clear_stop(run)
    assert "interrupted" in shell("runs", "stop", "first").refused(2)


def test_resume_refuses_what_is_done(shell, store):
    run = store.create(Recipe.defaults(name="first"))
    store.update(run.id, state="finished")
    assert "finished" in shell("runs", "resume", "first").refused(2)


def test_json_has_no_nan(shell, store):
    run = store.create(Recipe.defaults(name="first"))
    store.update(run.id, state="failed", metrics={"loss": float("inf")})
    said = shell("runs", "show", "first", "--json")
    assert json.loads(said.out, parse_constant=pytest.fail)["metrics"] == {"loss": None}
