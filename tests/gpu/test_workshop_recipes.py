"""The three larger shipped recipes on their models' exact widths, with random weights.

Whole on a GPU. On a CPU (`make test-shapes`) with fewer layers: there bitsandbytes' paged
optimizers have nowhere to page to, and are ordinary ones.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio import Studio
from studio.core.model_catalog import config_of as known
from studio.core.model_names import resolve
from studio.runs.recipe import presets
from studio.runs.store import Run
from tests.faults.test_what_gives_out import begun
from tests.unit.training.conftest import sft_rows

WORKSHOP = ("tinyllama-lora-sft", "qwen2-0.5b-qlora-dpo", "llama-3.2-3b-qlora-sft")
_LAYERS_ON_A_CPU = 1
ON_CPU = pytest.mark.skipif(
    not os.environ.get("STUDIO_SHAPES"), reason="gigabytes of random weights: make test-shapes"
)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    yield from begun(tmp_path / "home")


@pytest.fixture(scope="session")
def cuda() -> Any:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    return torch.cuda


def random_model(name: str, folder: Path, layers: int | None = None) -> Path:
    """A model of that shape with random weights and the built-in model's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = known(name)
    assert shape is not None
    if layers:
        shape["num_hidden_layers"] = layers
    config = AutoConfig.for_model(**shape)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    pocket = Path(resolve("pocket").location)
    for path in (*pocket.glob("tokenizer*"), *pocket.glob("*.jinja")):
        shutil.copyfile(path, folder / path.name)
    return folder


def trained(studio: Studio, slug: str, model: Path, **changes: Any) -> Run:
    recipe = presets()[slug]
    data = "facts" if recipe.objective == "sft" else "taste"
    small = {
        "model_name_or_path": str(model),
        "dataset_name": data,
        "max_steps": 3,
        "max_length": 64,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
        "warmup_steps": 0,
        "logging_steps": 1,
        "sample_steps": 0,
        **changes,
    }
    return studio.wait(studio.train(recipe.with_(**small)).id)


def check(run: Run, slug: str) -> None:
    recipe = presets()[slug]
    assert (run.state, run.error, run.step) == ("finished", None, 3)
    assert run.recipe.optim == recipe.optim and run.recipe.method == recipe.method
    losses = [event["loss"] for event in run.events()[0] if "loss" in event]
    assert len(losses) == 3 and losses[-1] < losses[0]
    assert run.adapter is not None


@ON_CPU
@pytest.mark.parametrize("slug", WORKSHOP)
def test_on_a_cpu_with_fewer_layers(slug: str, studio: Studio, tmp_path: Path) -> None:
    model = random_model(presets()[slug].model_name_or_path, tmp_path / "model", _LAYERS_ON_A_CPU)
    check(trained(studio, slug, model, learning_rate=1e-3), slug)


@pytest.mark.gpu
@pytest.mark.parametrize("slug", WORKSHOP)
def test_whole_on_a_gpu(slug: str, cuda: Any, studio: Studio, tmp_path: Path) -> None:
    model = random_model(presets()[slug].model_name_or_path, tmp_path / "model")
    check(trained(studio, slug, model, learning_rate=1e-3), slug)


@pytest.mark.gpu
def test_out_of_memory_for_real(cuda: Any, studio: Studio, tmp_path: Path) -> None:
    """The card is nearly filled first; the run ends in a sentence, and the next one trains."""
    import torch

    studio.datasets.from_rows(sft_rows(512), "prompt_completion", "many")
    model = random_model("Qwen/Qwen2-0.5B-Instruct", tmp_path / "model")
    free, _ = cuda.mem_get_info()
    filler = torch.empty(max(0, free - 3_000_000_000), dtype=torch.uint8, device="cuda")
    run = trained(
        studio,
        "qwen2-0.5b-qlora-dpo",
        model,
        dataset_name="taste",
        method="full",
        load_in_4bit=False,
        optim="adamw_torch_fused",
        activation_checkpointing=False,
    )
    assert run.state == "failed" and "cheapest first" in (run.error or "")
    del filler
    cuda.empty_cache()
    slug = "qwen2-0.5b-qlora-dpo"
    assert trained(studio, slug, model).state == "finished"


@pytest.mark.gpu
def test_several_gpus_learn_what_one_does(cuda: Any, studio: Studio) -> None:
    from tests.faults.test_killed_runs import losses
    from tests.unit.training.conftest import small

    if cuda.device_count() < 2:
        pytest.skip("one CUDA device here, and this takes two")
    recipe = small("sft", "facts", gradient_accumulation_steps=2, dtype="float32")
    alone = studio.wait(studio.train(recipe).id)
    run = studio.train(recipe.with_(accelerate_config="multi_gpu", num_processes=2))
    done = studio.wait(run.id)
    assert (done.state, done.error) == ("finished", None)
    assert losses(done) == pytest.approx(losses(alone), abs=1e-3)
