"""Several datasets in one run, from the record to the losses: rows, figures, resuming, exports."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from studio import Recipe, Studio
from studio.core.errors import ConfigError, DataError
from studio.data import PrepareOptions
from studio.runs.store import Run
from studio.training import held_out
from studio.training.run_rows import aligned
from studio.training.train_dataset import check_mixture, metric_names, rows_for
from tests.unit.training.conftest import sft_rows, small
from tests.unit.training.test_export import losses, start, write
from tests.unit.training.test_runs_end_to_end import logs

TURNS = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Uma."}]
CHATS = [{"messages": [{**TURNS[0], "content": f"Who is {n}?"}, TURNS[1]]} for n in range(32)]
OPTIONS = PrepareOptions(test_fraction=0.25, dedupe=False)

_ALL = pytest.mark.skipif(not os.environ.get("STUDIO_MATRIX"), reason="run by make test-matrix")


@pytest.fixture(scope="module")
def mixed(studio: Studio) -> Run:
    """A run on prompts, chats and plain text, 0.5 : 0.3 : 0.2."""
    keep = studio.datasets.from_rows
    facts = keep(sft_rows(40), "prompt_completion", "mix facts", options=OPTIONS)
    chats = keep(CHATS, "conversational", "mix chats", options=OPTIONS)
    texts = keep([{"text": f"Text {n}."} for n in range(16)], "language_modeling", "mix/texts")
    parts = [f"{facts.id}:0.5", f"{chats.id}:0.3", f"{texts.id}:0.2"]
    recipe = small("sft", facts.id, eval_steps=2, load_best_model_at_end=True, save_steps=2)
    recipe = recipe.with_(datasets=parts, early_stopping_patience=3)
    return studio.wait(studio.train(recipe).id)


def test_the_record_names_every_dataset_and_what_was_drawn(studio: Studio, mixed: Run) -> None:
    assert mixed.state == "finished", mixed.error
    assert mixed.data["name"] == "mix facts + mix chats + texts"
    drawn = [
        (one["name"], one["rows"]["train"], one["drawn_from"]) for one in mixed.data["datasets"]
    ]
    assert drawn == [("mix facts", 30, 30), ("mix chats", 18, 24), ("mix/texts", 12, 16)]
    assert mixed.data["rows"]["train"] == 60
    lineage = studio.collection.get(mixed.id).lineage
    assert [name for kind, name in lineage if kind == "data"] == [
        "mix facts", "mix chats", "mix/texts"
    ]  # fmt: skip


def test_each_dataset_has_held_out_figures_and_all_together_theirs(mixed: Run) -> None:
    events = [event for event in mixed.events()[0] if event["kind"] == "log"]
    last = [event for event in events if event["step"] == 4 and "loss" not in event]
    by_name = {key: event[key] for event in last for key in event if key.startswith("eval_")}
    parts = [by_name[f"eval_{name}_loss"] for name in ("mix-facts", "mix-chats")]
    assert by_name["eval_loss"] == pytest.approx((10 * parts[0] + 8 * parts[1]) / 18)
    assert "eval_mix-facts_mean_token_accuracy" in by_name
    assert "eval_texts_loss" not in by_name  # it holds nothing out
    assert mixed.metrics["eval_loss"] == by_name["eval_loss"]


def test_rows_are_those_that_were_drawn_each_as_trained_alone(studio: Studio, mixed: Run) -> None:
    rows = rows_for(mixed.recipe, mixed, studio.datasets)
    assert len(rows) == 60 and [len(part.train) for part in rows.parts] == [30, 18, 12]
    assert {"messages", "prompt"} <= {key for row in rows.samples() for key in row}
    known = {row["text"] for row in studio.datasets.get("mix/texts").load()}
    assert {row["text"] for row in rows.parts[2].train} <= known


@pytest.mark.slow
@pytest.mark.parametrize("to", [pytest.param("trl", marks=_ALL), "script"])
def test_an_export_gives_the_same_losses(
    to: str, studio: Studio, mixed: Run, tmp_path: Path
) -> None:
    recipe = mixed.recipe.with_(load_best_model_at_end=False, early_stopping_patience=None)
    if to == "script":
        recipe = mixed.recipe.with_(mixture="interleave")
    run = studio.wait(studio.train(recipe.with_(name=f"mixed {to}", save_steps=4)).id)
    first = write(studio, run, to, tmp_path)
    command = [str(Path(sys.executable).with_name("trl")), "sft", "--config", "recipe.yaml"]
    if to == "trl":
        found = yaml.safe_load(first.read_text())
        paths = [one["path"] for one in found["datasets"]]
        assert paths == ["data/mix-facts", "data/mix-chats", "data/mix-texts"]
        assert "dataset_name" not in found
    start(command if to == "trl" else [sys.executable, first.name], tmp_path)
    assert losses(tmp_path, 4) == pytest.approx([e["loss"] for e in logs(run)], abs=1e-4)


def test_the_best_checkpoint_of_a_mixture_needs_a_script(
    studio: Studio, mixed: Run, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no held-out rows for several datasets"):
        write(studio, mixed, "trl", tmp_path)
    text = write(studio, mixed, "script", tmp_path).read_text()
    compile(text, "train.py", "exec")
    assert len((tmp_path / "data" / "test.jsonl").read_text().splitlines()) == 18
    assert set(json.loads((tmp_path / "data" / "train.jsonl").open().readline())) == {
        "input_ids", "labels"
    }  # fmt: skip


def test_a_mixture_resumes_where_it_stopped_and_names_a_deleted_dataset(studio: Studio) -> None:
    keep = studio.datasets.from_rows
    first = keep(sft_rows(12), "prompt_completion", "kept")
    gone = keep(sft_rows(6), "prompt_completion", "gone later")
    recipe = small("sft", first.id, max_steps=3, save_steps=1).with_(datasets=[first.id, gone.id])
    run = studio.train(recipe)
    studio.stop(run.id)
    run = studio.wait(run.id)
    assert run.state == "stopped"
    run = studio.wait(studio.resume(run.id).id)
    assert (run.state, run.step) == ("finished", 3)
    studio.datasets.delete(gone.id)
    with pytest.raises(DataError, match=r"gone later, one of the datasets of .* was deleted"):
        rows_for(run.recipe, run, studio.datasets)
    with pytest.raises(DataError, match="There is no prepared dataset"):
        studio.train(run.recipe)


@pytest.mark.parametrize(
    ("objective", "types", "words"),
    [
        ("sft", ("conversational", "preference"), "b holds preference rows, and SFT learns from"),
        ("kto", ("unpaired_preference", "preference"), "KTO needs the same type in all"),
        ("sft", ("conversational", "prompt_completion", "language_modeling"), ""),
        ("grpo", ("prompt_only", "preference"), ""),
    ],
)
def test_a_dataset_that_does_not_fit_is_named(objective: str, types: tuple, words: str) -> None:
    prepared: Any = [SimpleNamespace(name=n, type=t) for n, t in zip("abc", types, strict=False)]
    recipe = Recipe.defaults(objective)
    if not words:
        return check_mixture(recipe, prepared)
    with pytest.raises(DataError, match=words):
        check_mixture(recipe, prepared)


@pytest.mark.slow
def test_pairs_of_several_datasets_train_and_hold_out_by_name(studio: Studio) -> None:
    """ORPO's trainer knows no dict of held-out rows of its own; DPO scores a reference for each."""
    taste = studio.datasets.get("taste").load().to_list()
    tools = [{**row, "chosen": [{**row["chosen"][0], "weight": 1}]} for row in taste]
    options = PrepareOptions(test_fraction=0.25, dedupe=False)
    other = studio.datasets.from_rows(tools, "preference", "taste too", options=options)
    plain = studio.datasets.from_rows(taste, "preference", "taste again", options=options)
    for objective in ("dpo", "orpo"):
        recipe = small(objective, plain.id, max_steps=2, eval_steps=2, num_train_epochs=2)
        recipe = recipe.with_(datasets=[plain.id, other.id], name=f"mixed {objective}")
        run = studio.wait(studio.train(recipe).id)
        assert run.state == "finished", run.error
        assert {"eval_taste-too_loss", "eval_taste-again_loss", "eval_loss"} <= set(run.metrics)


def test_metric_names_are_plain_and_differ() -> None:
    assert metric_names(["a b/c", "a b c", "", "x"]) == ["a-b-c", "a-b-c-2", "data", "x"]


def test_figures_of_one_dataset_carry_its_name_and_the_mean_is_weighted() -> None:
    logs = {"eval_a_runtime": 1.0, "eval_a_loss": 2.0, "eval_entropy": 0.5, "epoch": 1.0}
    assert held_out.named(logs)["eval_a_entropy"] == 0.5 and "eval_entropy" not in held_out.named(
        logs
    )
    plain = {"eval_runtime": 1.0, "eval_loss": 2.0}
    assert held_out.named(plain) == plain
    both = held_out.named(logs) | {"eval_b_runtime": 1.0, "eval_b_loss": 5.0}
    assert held_out.mean_of_all(both, {"a": 2, "b": 1}) == {"eval_loss": 3.0}


def test_columns_that_cannot_be_one_are_said_and_missing_ones_are_empty() -> None:
    from datasets import Dataset

    plain = Dataset.from_list([{"prompt": "p", "completion": "c"}])
    chats = Dataset.from_list([{"prompt": TURNS[:1], "completion": TURNS[1:]}])
    with pytest.raises(DataError, match="a and b cannot be mixed: prompt is text in one"):
        aligned([plain, chats], ["a", "b"])
    more = Dataset.from_list(
        [{"prompt": [{**TURNS[0], "name": "x"}], "completion": TURNS[1:], "tools": "[]"}]
    )
    first, second = aligned([chats, more], ["a", "b"])
    assert first.features == second.features
    assert first[0]["prompt"] == [{**TURNS[0], "name": None}] and first[0]["tools"] is None
