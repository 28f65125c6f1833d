"""Real runs of a few steps through TRL: what changes, what stays, what is written."""

from __future__ import annotations

import math
import weakref
from importlib.util import find_spec

import pytest
from safetensors.torch import load_file

from studio import Recipe, Studio
from studio.core.errors import ConfigError, DataError, ModelError, StudioError
from studio.runs import checkpoints
from studio.runs.store import Run
from studio.training import out_of_memory, train_dataset
from tests.unit.training.conftest import small


def logs(run: Run) -> list[dict]:
    return [event for event in run.events()[0] if event["kind"] == "log" and "loss" in event]


def test_sft_finishes_with_an_adapter_and_a_log(sft: Run) -> None:
    assert (sft.state, sft.step, sft.total_steps, sft.error) == ("finished", 4, 4, None)
    assert sft.adapter is not None
    assert (sft.adapter / "chat_template.jinja").exists() or "chat_template" in (
        sft.adapter / "tokenizer_config.json"
    ).read_text()
    assert [event["step"] for event in logs(sft)] == [1, 2, 3, 4]
    assert all(math.isfinite(event["loss"]) for event in logs(sft))
    assert sft.metrics["loss"] == pytest.approx(logs(sft)[-1]["loss"])
    assert sft.versions["trl"]


def test_the_adapter_says_where_answers_end(sft: Run) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    assert sft.adapter is not None
    stops = GenerationConfig.from_pretrained(sft.adapter).eos_token_id
    assert AutoTokenizer.from_pretrained(sft.adapter).eos_token_id in stops


def test_every_trained_matrix_moved(sft: Run) -> None:
    assert sft.adapter is not None
    tensors = load_file(sft.adapter / "adapter_model.safetensors")
    moved = [name for name, tensor in tensors.items() if "lora_B" in name and tensor.any()]
    assert moved and len(moved) == sum("lora_B" in name for name in tensors)


def test_dpo_continues_the_adapter_against_its_frozen_copy(sft: Run, dpo: Run) -> None:
    assert dpo.state == "finished" and dpo.parent == sft.id
    first = logs(dpo)[0]
    # The reference is the parent's adapter, so policy and reference agree before the first step.
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-5)
    assert sft.adapter is not None and dpo.adapter is not None
    before = load_file(sft.adapter / "adapter_model.safetensors")
    after = load_file(dpo.adapter / "adapter_model.safetensors")
    assert before.keys() == after.keys()
    assert any(not before[name].equal(after[name]) for name in before)
    assert not (dpo.adapter / "ref").exists()


@pytest.mark.parametrize("method", ["dora", "full", "qlora"])
def test_other_methods_train(studio: Studio, method: str) -> None:
    recipe = small("sft", "facts", method=method, max_steps=2)
    run = studio.wait(studio.train(recipe).id)
    assert (run.state, run.error) == ("finished", None)
    assert (run.weights if method == "full" else run.adapter) is not None


@pytest.mark.parametrize("method", ["full", "qlora"])
def test_dpo_from_the_base(studio: Studio, method: str) -> None:
    run = studio.wait(studio.train(small("dpo", "taste", method=method, max_steps=2)).id)
    assert (run.state, run.error) == ("finished", None)
    assert logs(run)[0]["loss"] == pytest.approx(math.log(2), abs=1e-3)


def test_the_resident_base_is_untouched_by_runs(studio: Studio, sft: Run) -> None:
    import torch

    from studio.core.model_names import resolve
    from studio.models.loading import load_model

    fresh = load_model(resolve("pocket"))
    resident = studio.worker.submit(lambda pool: pool.base("pocket").model).result(60)
    same = [
        torch.equal(a, b)
        for a, b in zip(fresh.state_dict().values(), resident.state_dict().values(), strict=True)
    ]
    assert all(same)
    assert not any(parameter.requires_grad for parameter in resident.parameters())


def test_stop_keeps_everything_and_resume_goes_on(studio: Studio) -> None:
    run = studio.train(small("sft", "facts", max_steps=40, save_steps=100))
    while not any(event["kind"] == "log" for event in studio.runs.get(run.id).events()[0]):
        assert studio.runs.get(run.id).live
    studio.stop(run.id)
    stopped = studio.wait(run.id)
    assert stopped.state == "stopped" and 0 < stopped.step < 40
    assert stopped.adapter is not None
    resumed = studio.wait(studio.resume(run.id).id)
    assert (resumed.state, resumed.step) == ("finished", 40)
    steps = [event["step"] for event in logs(resumed)]
    assert steps == list(range(1, 41))


def test_two_runs_queue_up(studio: Studio) -> None:
    first = studio.train(small("sft", "facts", max_steps=3))
    second = studio.train(small("sft", "facts", max_steps=2))
    assert studio.runs.get(second.id).state == "queued"
    assert studio.wait(first.id).state == studio.wait(second.id).state == "finished"


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"dataset_name": "taste"}, DataError, "SFT learns from"),
        ({"dataset_name": "tsate"}, DataError, 'Did you mean "taste"?'),
        ({"model_name_or_path": "pokcet"}, ModelError, 'Did you mean "pocket"?'),
        ({"model_name_or_path": "./no-such"}, ModelError, "config.json"),
        ({"start_from": "run-20200101-000000-0000"}, ConfigError, "There is no run"),
    ],
)
def test_refused_before_anything_loads(
    studio: Studio, changes: dict, error: type[StudioError], says: str
) -> None:
    with pytest.raises(error, match=says.replace("?", r"\?")):
        studio.train(Recipe.of({**small("sft", "facts").model_dump(), **changes}))


@pytest.mark.parametrize("tracker", ["trackio", "tensorboard", "wandb"])
def test_a_tracker_that_is_not_installed_is_said(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tracker: str
) -> None:
    monkeypatch.setattr(train_dataset, "find_spec", lambda name: None)
    before = len(studio.runs.list())
    with pytest.raises(ConfigError, match=f"`pip install {tracker}`, or leave it out"):
        studio.train(small("sft", "facts", report_to=tracker))
    assert len(studio.runs.list()) == before


@pytest.mark.skipif(
    not find_spec("tensorboard"), reason="tensorboard is not installed (pip install tensorboard)"
)
def test_a_tracker_that_is_installed_gets_the_runs_figures(studio: Studio) -> None:
    run = studio.wait(studio.train(small("sft", "facts", max_steps=2, report_to="tensorboard")).id)
    assert (run.state, run.error) == ("finished", None)
    checkpoints.remove_incomplete(run.checkpoints)  # as a resumed run does first
    [events] = (run.folder / "tensorboard").glob("events.out.tfevents.*")
    assert b"train/loss" in events.read_bytes()


def test_nan_stops_at_that_step_and_keeps_the_checkpoint(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import SFTTrainer

    ordinary = SFTTrainer.compute_loss

    def poisoned(self: SFTTrainer, *args: object, **kwargs: object) -> object:
        loss = ordinary(self, *args, **kwargs)
        if self.state.global_step < 2:
            return loss
        return (loss[0] * math.nan, *loss[1:]) if isinstance(loss, tuple) else loss * math.nan

    monkeypatch.setattr(SFTTrainer, "compute_loss", poisoned)
    run = studio.wait(studio.train(small("sft", "facts", max_steps=10)).id)
    assert run.state == "failed"
    assert "nan at step 3" in (run.error or "") and "learning_rate" in (run.error or "")
    newest = checkpoints.newest(run.checkpoints)
    assert newest is not None and newest.name == "checkpoint-2"


def test_a_length_that_leaves_nothing_to_train_is_said(studio: Studio) -> None:
    run = studio.wait(studio.train(small("sft", "facts", max_length=8)).id)
    assert run.state == "failed" and "Raise max_length" in (run.error or "")


def test_running_out_of_memory_ends_the_run_and_not_the_worker(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from trl import SFTTrainer

    def greedy(self: SFTTrainer, *args: object, **kwargs: object) -> object:
        activation = torch.zeros(8)
        adapter = next(tensor for tensor in self.model.parameters() if tensor.requires_grad)
        held.extend(weakref.ref(tensor) for tensor in (activation, adapter))
        raise torch.OutOfMemoryError("injected")

    held: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []
    explain = out_of_memory.explain

    def watched(recipe: Recipe, device: int | None) -> out_of_memory.Exhausted:
        alive.extend(tensor() is not None for tensor in held)
        return explain(recipe, device)

    with monkeypatch.context() as patch:
        patch.setattr(SFTTrainer, "compute_loss", greedy)
        patch.setattr(out_of_memory, "explain", watched)
        run = studio.wait(studio.train(small("sft", "facts")).id)
    assert alive == [False, False]  # what failed is gone before the advice counts what is free
    assert run.state == "failed" and "Batch 2, accumulate 2" in (run.error or "")
    assert studio.wait(studio.train(small("sft", "facts", max_steps=1)).id).state == "finished"


def test_unusable_targets_fail_in_a_sentence(studio: Studio) -> None:
    run = studio.wait(studio.train(small("sft", "facts", lora_target_modules="quary")).id)
    assert run.state == "failed"
    assert "quary" in (run.error or "") and "\n" not in (run.error or "")


def test_a_chosen_chat_template_is_kept_with_run_and_adapter(studio: Studio) -> None:
    from transformers import AutoTokenizer

    from studio.core import chat_templates

    recipe = small("sft", "facts", chat_template_path="zephyr", max_steps=1)
    run = studio.wait(studio.train(recipe).id)
    assert (run.state, run.error) == ("finished", None) and run.adapter is not None
    assert studio.runs.get(run.id).recipe.chat_template_path == "zephyr"
    assert AutoTokenizer.from_pretrained(run.adapter).chat_template == chat_templates.read("zephyr")
    assert studio.tokenizer("pocket").chat_template != chat_templates.read("zephyr")
    asked = studio.compare(run.id, ["Hello?"])
    asked.wait(60)
    shown = [asked.snapshot().answers[column][0].prompt_text for column in (0, 1)]
    assert "<|user|>\n" not in shown[0] and "<|user|>\nHello?" in shown[1]
