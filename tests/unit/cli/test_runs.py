"""`train` and `runs` in the shell: what they print and how they end."""

from __future__ import annotations

import json

import pytest

from studio.runs.recipe import Recipe


@pytest.fixture
def ends(monkeypatch, store):
    """Make training end in a given state, at once, without a model."""

    def end(state: str, error: str | None = None) -> None:
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

    return end


def test_train_prints_the_id_and_nothing_else(shell, ends, store):
    ends("finished")
    printed = shell("train", "pocket-sft", "--name", "mine")
    assert printed.code == 0
    assert printed.out.strip() == store.get("mine").id
    assert "3 of 4 steps" in printed.err


def test_train_for_programs(shell, ends, store):
    ends("finished")
    printed = shell("train", "pocket-sft", "--set", "lora_r=4", "--json")
    assert printed.code == 0 and printed.err == ""
    run = store.list()[0]
    assert printed.json["run_id"] == run.id
    assert (printed.json["state"], printed.json["step"]) == ("finished", 3)
    assert printed.json["metrics"] == {"loss": 1.5, "grad_norm": None}
    assert printed.json["result"] == str(run.folder / "adapter")
    assert run.recipe.lora_r == 4
    assert run.provenance["door"] == "shell"


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [("failed", "The disk refused a write.", "disk"), ("stopped", None, "runs resume")],
)
def test_a_run_that_did_not_finish_is_1(shell, ends, state, error, words):
    ends(state, error)
    printed = shell("train", "pocket-sft", "--json")
    assert printed.code == 1
    assert printed.json["state"] == state
    assert printed.err.startswith("error: ") and words in printed.err
    assert len(printed.err.splitlines()) == 1


def test_a_sweep_trains_a_run_per_value(shell, ends, store):
    ends("finished")
    printed = shell("train", "pocket-sft", "--sweep", "lora_r=4, 8", "--json")
    assert [one["name"] for one in printed.json] == ["pocket-sft lora_r 4", "pocket-sft lora_r 8"]
    assert {run.recipe.lora_r for run in store.list()} == {4, 8}
    ends("stopped")
    assert shell("train", "pocket-sft", "--sweep", "lora_r=4,8").code == 1


def test_list_and_show(shell, store):
    assert "No runs yet" in shell("runs", "list").out
    run = store.create(Recipe.defaults(name="first", lora_r=4))
    store.update(run.id, state="finished", step=7, total_steps=7, metrics={"loss": 0.5})
    assert run.id in shell("runs", "list").out
    text = shell("runs", "show", run.id).out
    assert "lora_r: 4" in text and "loss 0.5" in text


def test_json_has_no_nan(shell, store):
    run = store.create(Recipe.defaults(name="first"))
    store.update(run.id, state="failed", metrics={"loss": float("inf")})
    printed = shell("runs", "show", "first", "--json")
    assert json.loads(printed.out, parse_constant=pytest.fail)["metrics"] == {"loss": None}
    assert "loss" not in shell("runs", "show", "first").out.split("\n\n")[0]


def test_a_preview_of_a_push(shell, tmp_path):
    (tmp_path / "a.json").write_text("{}")
    assert shell("hub", "preview", tmp_path).out.splitlines()[1].split() == ["a.json", "2"]
    assert "There is no folder" in shell("hub", "preview", tmp_path / "none").refused(2)
