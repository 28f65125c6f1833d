"""What is trained is kept in float32 and moves, whatever the format of the base."""

from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import load_file

from studio import Studio
from studio.core import compat
from studio.core.errors import TrainingError
from studio.models import loading
from studio.runs.objectives import OBJECTIVES, REWARDED
from studio.runs.recipe import Recipe
from studio.runs.store import Run
from studio.training import precision
from tests.unit.training.matrix import recipe_of
from tests.unit.training.test_runs_end_to_end import logs


def test_several_gpus_in_sight_are_one_to_a_process() -> None:
    from trl import SFTConfig

    arguments = SFTConfig(output_dir="unused", use_cpu=True, report_to="none")
    arguments._n_gpu = 2
    assert compat.one_device(arguments).n_gpu == 1


def test_the_trainer_takes_the_chosen_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers turns to the first GPU, and accelerate refuses quantized weights on another."""
    from accelerate import PartialState
    from trl import SFTConfig

    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    arguments = SFTConfig(output_dir="unused", use_cpu=True, report_to="none")
    assert arguments.device.type == "cpu"
    arguments._n_gpu = 2
    second = torch.device("cuda", 1)
    compat.one_device(arguments, second)
    try:
        assert (arguments.device, PartialState().device, current) == (second, second, [second])
    finally:
        PartialState._reset_state()


@pytest.mark.parametrize(
    ("objective", "method", "changes"),
    [
        ("reward", "lora", {}),
        ("sft", "last_layers", {}),
        ("sft", "lora", {"lora_modules_to_save": ("embed_tokens",)}),
    ],
)
def test_float16_on_a_cpu_is_refused_where_it_needs_autocast(
    objective: str, method: str, changes: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(objective, method, dtype="float16", **changes)
    monkeypatch.setattr(loading, "device", lambda: torch.device("cpu"))
    with pytest.raises(TrainingError, match="no float16 autocast"):
        precision.training_arguments(recipe)
    monkeypatch.setattr(loading, "device", lambda: torch.device("cuda"))
    assert precision.training_arguments(recipe)["fp16"]


# `make test-matrix` trains for as long as the figures in docs/gpus.md were measured over.
LONG = bool(os.environ.get("STUDIO_MATRIX"))
STEPS = {
    "max_steps": 25 if LONG else 3,
    "per_device_train_batch_size": 8 if LONG else 2,
    "max_length": 128 if LONG else 64,
    "lr_scheduler_type": "constant",
    "warmup_steps": 0,
    "sample_steps": 0,
    "save_steps": 1000,
}


def trained(studio: Studio, objective: str, **changes: object) -> Run:
    """Some steps on a shipped sample, at the usual rate."""
    data = "pocket-sft" if objective == "sft" else "pocket-preference"
    recipe = Recipe.defaults(objective, **{"dataset_name": data, **STEPS, **changes})
    run = studio.wait(studio.train(recipe).id)
    assert (run.state, run.error) == ("finished", None)
    return run


@pytest.mark.slow
def test_in_16_bits_weights_move_as_in_32(studio: Studio) -> None:
    """At the usual rate nearly every update of a bfloat16 weight would be rounded away."""
    rate = Recipe.defaults("sft", "full").learning_rate
    runs = {
        dtype: trained(studio, "sft", method="full", dtype=dtype, learning_rate=rate)
        for dtype in ("float32", "bfloat16")
    }
    assert _moved(runs["bfloat16"]) > 0.99
    losses = {dtype: logs(run)[-1]["loss"] for dtype, run in runs.items()}
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)


def _moved(run: Run) -> float:
    """The share of a full fine-tune's weights that differ from the base's."""
    from studio.core.model_names import resolve

    assert run.weights is not None
    base = load_file(f"{resolve('pocket').location}/model.safetensors")
    tuned = load_file(run.weights / "model.safetensors")
    same = [(tuned[name].float(), base[name].bfloat16().float()) for name in tuned if name in base]
    moved = sum(int((new != old).sum()) for new, old in same)
    return moved / sum(new.numel() for new, _ in same)


@pytest.mark.slow
def test_a_quantized_bases_adapter_is_trained_in_float32(studio: Studio) -> None:
    """DPO at its small rate hardly moved an adapter in bfloat16, to which TRL casts it."""
    margins: dict[str, float] = {}
    start = trained(studio, "sft", method="qlora", dtype="bfloat16")
    for dtype in ("bfloat16", "float32") if LONG else ("bfloat16",):
        run = trained(
            studio, "dpo", method="qlora", dtype=dtype, start_from=start.id, learning_rate=5e-6
        )
        assert run.adapter is not None and start.adapter is not None
        before = load_file(start.adapter / "adapter_model.safetensors")
        after = load_file(run.adapter / "adapter_model.safetensors")
        assert {tensor.dtype for tensor in after.values()} == {torch.float32}
        same = [int((after[name] == before[name]).sum()) for name in after]
        assert sum(same) < 0.02 * sum(tensor.numel() for tensor in after.values())
        last = [entry["rewards/margins"] for entry in logs(run) if "rewards/margins" in entry][-5:]
        margins[dtype] = sum(last) / len(last)
    if LONG:  # over few steps a margin is smaller than what bfloat16 rounds
        assert margins["bfloat16"] > 0.8 * margins["float32"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_resident_base_keeps_its_number_formats(studio: Studio, objective: str) -> None:
    """TRL and PEFT prepare quantized models in place; the shared base must not notice."""
    data = "facts" if objective == "sft" else "taste"
    recipe = recipe_of(objective, "qlora", dtype="bfloat16", dataset_name=data)
    if objective in REWARDED:
        recipe = recipe.with_(reward_funcs=("length:1-5",))
    before = studio.worker.submit(lambda pool: _formats(pool, recipe, studio)).result(60)
    run = studio.wait(studio.train(recipe).id)
    assert (run.state, run.error) == ("finished", None)
    after = studio.worker.submit(lambda pool: _formats(pool, recipe, studio)).result(60)
    assert before == after


def _formats(pool: object, recipe: Recipe, studio: Studio) -> dict[str, torch.dtype]:
    model = pool.base_of(recipe, studio.runs).model  # pyright: ignore[reportAttributeAccessIssue]
    return {name: tensor.dtype for name, tensor in model.state_dict().items()}
