"""Runs blended into a new one: what PEFT says, what lands, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from studio import Studio
from studio.core.errors import ConfigError, ModelError
from studio.generation.request import Column
from studio.runs.store import Run
from studio.workflows.blends import average, blend
from tests.unit.training.conftest import small
from tests.unit.training.test_columns import ask


@pytest.fixture(scope="module")
def pair(studio: Studio, sft: Run) -> list[Run]:
    """Two SFT runs of one base, with other seeds and ranks."""
    second = small("sft", "facts", lora_r=8, seed=5, name="second", save_total_limit=4)
    return [sft, studio.wait(studio.train(second).id)]


def updates(run: Run) -> dict[str, Any]:
    """Every module's whole update, scaled."""
    folder: Any = run.adapter
    tensors = load_file(folder / "adapter_model.safetensors")
    recipe = run.recipe
    return {
        name.removesuffix(".lora_A.weight"): recipe.lora_alpha / recipe.lora_r
        * tensors[name.replace("lora_A", "lora_B")].float() @ tensors[name].float()
        for name in tensors if name.endswith("lora_A.weight")
    }  # fmt: skip


def test_cat_is_the_weighted_sum_and_lands_as_a_run(studio: Studio, pair: list[Run]) -> None:
    made = blend(studio, [pair[0].name, pair[1].id], weights=[0.25, 0.75])
    assert made.state == "finished" and made.parent == pair[0].id and made.base == pair[0].base
    assert made.recipe.lora_r == sum(run.recipe.lora_r for run in pair)
    found, first, second = (updates(run) for run in (made, *pair))
    for name, update in found.items():
        wanted = 0.25 * first[name] + 0.75 * second[name]
        assert torch.allclose(update, wanted, atol=1e-5), name
    assert [part["weight"] for part in made.provenance["blend"]["of"]] == [0.25, 0.75]
    columns = (Column("pocket"), Column("pocket", pair[0].id), Column("pocket", made.id))
    assert len(ask(studio, *columns)) == 3
    kinds = [entry.lineage for entry in studio.collection.items() if entry.id == made.id]
    assert ("run", pair[0].name) in kinds[0]
    again = blend(studio, [pair[0].id, pair[1].id])
    assert again.name != made.name


@pytest.mark.parametrize("combination", ["ties_svd", "dare_linear_svd", "svd"])
def test_pefts_other_combinations_land_too(
    studio: Studio, pair: list[Run], combination: Any
) -> None:
    made = blend(studio, [run.id for run in pair], combination, density=0.6)
    assert made.recipe.lora_r == max(run.recipe.lora_r for run in pair)
    assert any(update.abs().max() > 0 for update in updates(made).values())
    same = blend(studio, [run.id for run in pair], combination, density=0.6)
    for name, update in updates(made).items():
        assert torch.allclose(update, updates(same)[name], atol=1e-5), "the seed is the run's"


@pytest.mark.parametrize(
    "weights", [[float("nan"), 1.0], [float("inf"), 1.0], [1e308, 1e308], [0.0, 0.0], [11.0, 1.0]]
)
def test_weights_that_leave_no_numbers_are_refused(
    studio: Studio, pair: list[Run], weights: list[float]
) -> None:
    with pytest.raises(ConfigError, match="Weights are numbers from -10 to 10"):
        blend(studio, [run.id for run in pair], weights=weights)


def test_a_checkpoint_with_other_bytes_is_not_averaged(studio: Studio, pair: list[Run]) -> None:
    run = pair[1]
    [*_, newest] = sorted(run.checkpoints.glob("checkpoint-*"))
    file = newest / "adapter_model.safetensors"
    kept = file.read_bytes()
    try:
        file.write_bytes(kept[:-8] + bytes(8 * [7]))
        with pytest.raises(ConfigError, match="holds other bytes than were written"):
            average(studio, run.id)
    finally:
        file.write_bytes(kept)


def test_checkpoints_are_averaged_tensor_by_tensor(studio: Studio, pair: list[Run]) -> None:
    run = pair[1]
    made = average(studio, run.id)
    steps = made.provenance["blend"]["average"]
    assert len(steps) >= 2
    file = "adapter_model.safetensors"
    parts = [load_file(run.checkpoints / f"checkpoint-{step}" / file) for step in steps]
    folder: Any = made.adapter
    for name, mean in load_file(Path(folder) / file).items():
        wanted = sum(part[name].double() for part in parts) / len(parts)
        assert torch.allclose(mean.double(), wanted, atol=1e-6)
    for last in (1, len(steps) + 1):
        with pytest.raises(ConfigError, match=rf"average from 2 to all of them, not {last}"):
            average(studio, run.id, last=last)


def test_what_cannot_be_blended_is_said_before_anything_loads(
    studio: Studio, pair: list[Run]
) -> None:
    first, second = (run.id for run in pair)
    for runs, more, said in (
        ([first], {}, "two different runs"),
        ([first, first], {}, "two different runs"),
        ([first, second], {"weights": [1.0]}, "2 runs and 1 weights"),
    ):
        with pytest.raises(ConfigError, match=said):
            blend(studio, runs, **more)
    with pytest.raises(ModelError, match="same r value"):
        blend(studio, [first, second], "linear")
    before = {run.id for run in studio.runs.list()}
    scaled = studio.runs.create(small("sft", "facts", use_rslora=True, name="scaled"))
    (scaled.folder / "adapter").mkdir()
    (scaled.folder / "adapter" / "adapter_config.json").write_text("{}")
    studio.runs.update(scaled.id, state="finished")
    with pytest.raises(ConfigError, match="scaled is rsLoRA"):
        blend(studio, [first, scaled.id])
    assert {run.id for run in studio.runs.list()} - before == {scaled.id}
