"""Distillation: a run teaches a smaller model of its vocabulary; what cannot teach is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from studio import Recipe, Studio
from studio.core.errors import ConfigError, StudioError
from studio.core.model_names import resolve
from studio.models import teacher
from studio.runs import checkpoints
from studio.runs.store import Run
from studio.workflows.estimate_run import estimate_run
from tests.unit.training.conftest import small


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Random weights, two layers, pocket's tokenizer."""
    folder = tmp_path_factory.mktemp("student")
    pocket = Path(resolve("pocket").location)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
    config = LlamaConfig(**{**json.loads((pocket / "config.json").read_text()), **sizes, **heads})
    LlamaForCausalLM(config).save_pretrained(folder)
    for path in [*pocket.glob("tokenizer*"), *pocket.glob("*.jinja")]:
        (folder / path.name).write_bytes(path.read_bytes())
    return str(folder)


def distilled(student: str, teaching: str, **changes: object) -> Recipe:
    usual = {"model_name_or_path": student, "teacher_model_name_or_path": teaching}
    usual |= {"method": "full", "learning_rate": 3e-3, "max_completion_length": 8}
    return small("distillation", "facts", **{**usual, **changes})


def test_a_student_comes_nearer_to_a_run(studio: Studio, sft: Run, student: str) -> None:
    """The base itself with a new adapter; a smaller student of random weights trains, too."""
    quick = {"max_steps": 12, "max_completion_length": 16, "learning_rate": 3e-3}
    recipe = distilled("pocket", sft.name, method="lora", **quick)
    run = studio.wait(studio.train(recipe).id)
    assert run.state == "finished", run.error
    losses = [event["loss"] for event in run.events()[0] if "loss" in event]
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4]), losses
    smaller = studio.wait(studio.train(distilled(student, sft.name, max_steps=1)).id)
    assert smaller.state == "finished", smaller.error


def test_what_cannot_teach_is_refused(studio: Studio, student: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="teacher_model_name_or_path is empty"):
        studio.train(distilled(student, ""))
    with pytest.raises(StudioError):
        studio.train(distilled(student, "nobody"))
    other = tmp_path / "other"
    other.mkdir()
    for path in Path(student).iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    tokens = json.loads((other / "tokenizer.json").read_text())
    vocab = tokens["model"]["vocab"]
    first, second = list(vocab)[300:302]
    vocab[first], vocab[second] = vocab[second], vocab[first]
    (other / "tokenizer.json").write_text(json.dumps(tokens))
    with pytest.raises(ConfigError, match="2 tokens under other ids"):
        studio.train(distilled(student, str(other)))


def test_a_teacher_is_quantized_on_cuda_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Recipe] = []

    class Pool:
        def base_of(self, recipe: Recipe, runs: object) -> object:
            seen.append(recipe)
            raise RuntimeError("enough")

    class Runs:
        def get(self, name: str) -> Run:
            raise StudioError("There is no such run.")

    for device, four in (("cuda", True), ("cpu", False)):
        monkeypatch.setattr("studio.models.loading.device", lambda kind=device: torch.device(kind))
        with pytest.raises(RuntimeError):
            teacher.load(distilled("pocket", "pocket"), Pool(), Runs())  # type: ignore[arg-type]
        assert seen[-1].quantized == four


def test_the_teacher_is_counted(studio: Studio, sft: Run) -> None:
    alone = {"objective": "sft", "model_name_or_path": "pocket"}
    recipe = Recipe.of({**alone, "objective": "distillation"})
    taught = recipe.with_(teacher_model_name_or_path=sft.name)
    terms = {term.name: term.bytes for term in estimate_run(studio, taught).memory.terms}
    assert terms["teacher"] > 0 and "reference" not in terms
    unknown = estimate_run(studio, recipe.with_(teacher_model_name_or_path="nobody"))
    assert any("The teacher is not counted" in note for note in unknown.memory.notes)
    more = estimate_run(studio, taught).cost.flops_per_token
    assert more > estimate_run(studio, Recipe.of(alone)).cost.flops_per_token


def test_a_loss_that_is_no_number_ends_the_run_before_weights_change(
    studio: Studio, sft: Run, student: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import DistillationTrainer

    ordinary = DistillationTrainer.compute_loss

    def poisoned(self: DistillationTrainer, *args: object, **kwargs: object) -> object:
        loss = ordinary(self, *args, **kwargs)
        return loss if self.state.global_step < 1 else loss * float("nan")

    monkeypatch.setattr(DistillationTrainer, "compute_loss", poisoned)
    run = studio.wait(studio.train(distilled(student, sft.name, max_steps=4, save_steps=1)).id)
    assert run.state == "failed" and "nan at step 2" in (run.error or "")
    newest = checkpoints.newest(run.checkpoints)
    assert newest is not None and newest.name == "checkpoint-1"
