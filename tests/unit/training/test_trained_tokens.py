"""Single tokens trained with an adapter: what learns, what stays, what leaves with the run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from studio import Studio
from studio.calculator.parameters import count
from studio.commands.exports import runs_export
from studio.core.errors import ConfigError
from studio.core.model_names import resolve
from studio.generation.request import Column
from studio.models import loading, trained_tokens
from studio.models.pool import LoadedModel, ModelPool
from studio.runs.recipe import Recipe
from studio.runs.store import Run
from studio.training.export_config import export
from tests.unit.training.conftest import small
from tests.unit.training.test_columns import ask
from tests.unit.training.test_export import losses as exported_losses
from tests.unit.training.test_export import start
from tests.unit.training.test_runs_end_to_end import logs

DELTA = "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta"


@pytest.fixture(scope="module")
def resident() -> LoadedModel:
    return ModelPool().base("pocket", dtype="float32")


@pytest.fixture(scope="module")
def mark(resident: LoadedModel) -> str:
    """The built-in model's own end of a turn."""
    tokenizer: Any = resident.tokenizer
    return tokenizer.convert_ids_to_tokens(tokenizer.eos_token_id)


@pytest.fixture(scope="module")
def base_before(studio: Studio) -> list[list[str]]:
    return ask(studio, Column("pocket"))


@pytest.fixture(scope="module")
def taught(studio: Studio, mark: str, base_before: list[list[str]]) -> Run:
    """SFT with the end of a turn and token 7 trained; the base was asked before."""
    changes = {"learning_rate": 1e-2, "warmup_steps": 0, "save_steps": 4}
    recipe = small("sft", "facts", trainable_token_indices=(mark, 7), **changes)
    return studio.wait(studio.train(recipe).id)


def test_the_base_stays_while_its_adapters_answer(
    studio: Studio, taught: Run, sft: Run, base_before: list[list[str]]
) -> None:
    """Before training, between two adapters, one with tokens and one without, and after."""
    columns = (Column("pocket"), Column("pocket", taught.id), Column("pocket", sft.id))
    together = ask(studio, *columns)
    assert together[0] == base_before[0] == ask(studio, Column("pocket"))[0]
    assert together[1] == ask(studio, Column("pocket", taught.id))[0] != together[0]
    assert together[2] == ask(studio, Column("pocket", sft.id))[0]
    assert together[1] == ask(studio, Column("pocket", taught.id), Column("pocket", sft.id))[0]


def test_the_reloaded_adapter_is_the_trained_one(taught: Run, resident: LoadedModel) -> None:
    saved = load_file(taught.adapter / "adapter_model.safetensors")
    ids = [resident.tokenizer.eos_token_id, 7]
    before = resident.model.get_input_embeddings().weight[ids]
    assert saved[DELTA].shape == before.shape and not torch.allclose(saved[DELTA][0], before[0])
    stock: Any = AutoModelForCausalLM.from_pretrained(
        resolve("pocket").location, dtype=torch.float32
    )
    stock = PeftModel.from_pretrained(stock, str(taught.adapter)).eval()
    ours = loading.load_adapter(loading.clone_sharing_weights(resident.model), taught.adapter)
    row = torch.tensor([[7, *ids]])
    assert torch.equal(stock(row).logits, ours.eval()(row).logits)
    assert torch.equal(resident.model.get_input_embeddings().weight[ids], before)


def test_the_calculator_counts_them_exactly(taught: Run) -> None:
    """Tied embeddings: each row once."""
    counted, plain = (count(r) for r in (taught.recipe, small("sft", "facts")))
    assert counted.trainable - plain.trainable == 2 * 256
    saved = taught.adapter / "adapter_model.safetensors"
    assert counted.saved_bytes() == saved.stat().st_size
    assert sum(tensor.numel() for tensor in load_file(saved).values()) == counted.trainable


def test_the_merged_export_holds_them_in_embedding_and_head(
    studio: Studio, taught: Run, resident: LoadedModel, tmp_path: Path
) -> None:
    runs_export(studio, taught.id, to="merged", out=tmp_path / "merged")
    merged: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    saved = load_file(taught.adapter / "adapter_model.safetensors")[DELTA]
    rows = merged.get_input_embeddings().weight[[resident.tokenizer.eos_token_id, 7]]
    assert torch.allclose(rows, saved, atol=2e-2)
    assert merged.get_output_embeddings().weight is merged.get_input_embeddings().weight


@pytest.mark.slow
def test_dpo_goes_on_with_them_from_a_reference_that_has_them(studio: Studio, taught: Run) -> None:
    """The first step's policy is the reference: its loss is ln 2, and no reward differs."""
    recipe = small("dpo", "taste", start_from=taught.id, num_train_epochs=2, max_steps=-1)
    run = studio.wait(studio.train(recipe).id)
    assert run.error is None and run.recipe.trainable_token_indices
    first = logs(run)[0]
    assert first["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert first["rewards/margins"] == pytest.approx(0, abs=1e-5)
    before, after = (
        load_file(each.adapter / "adapter_model.safetensors")[DELTA] for each in (taught, run)
    )
    assert not torch.equal(before, after)


@pytest.mark.slow
def test_the_script_trains_them_too(studio: Studio, taught: Run, tmp_path: Path) -> None:
    [first, *_] = export(taught, studio.runs, studio.datasets, "script", tmp_path)
    start([sys.executable, first.name], tmp_path)
    assert exported_losses(tmp_path, 4) == pytest.approx(
        [e["loss"] for e in logs(taught)], abs=1e-4
    )
    with pytest.raises(ConfigError, match="trains no single tokens; choose --to script"):
        export(taught, studio.runs, studio.datasets, "trl", tmp_path / "trl")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"method": "vera"}, "PEFT's for LoRA, not for VeRA"),
        ({"lora_modules_to_save": "embed_tokens"}, "choose one"),
        ({"trainable_token_indices": (-1,)}, "ids from 0 up"),
        ({"accelerate_config": "fsdp2"}, "cannot train single tokens"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Recipe.of({"trainable_token_indices": "7, <|end|>", **changes})


def test_tokens_are_found_by_id_and_by_text(resident: LoadedModel) -> None:
    recipe = Recipe.of({"trainable_token_indices": "7, <|end|>, 2"})
    assert recipe.trainable_token_indices == (7, "<|end|>", 2)
    assert trained_tokens.by_id(recipe, resident.tokenizer).trainable_token_indices == (7, 2)
    for wrong, says in (("<|eot|>", "is no token"), (10**6, "go to")):
        with pytest.raises(ConfigError, match=says):
            trained_tokens.by_id(recipe.with_(trainable_token_indices=(wrong,)), resident.tokenizer)


def test_marks_that_the_base_never_learned_are_named_with_the_value_to_set(
    resident: LoadedModel,
) -> None:
    recipe = Recipe.defaults("sft", trainable_token_indices=(7,))
    tokenizer: Any = resident.tokenizer
    assert trained_tokens.advice(recipe, resident.model, tokenizer) is None
    model = loading.load_model(resolve("pocket"), "float32")
    rows = model.get_input_embeddings().weight
    end, user, reserved = (
        tokenizer.convert_tokens_to_ids(each) for each in ("<|end|>", "<|user|>", "<|reserved|>")
    )
    with torch.no_grad():
        rows[end] = 0
        rows[user] = rows[reserved]
    said = trained_tokens.advice(recipe, model, tokenizer) or ""
    assert "<|user|> and <|end|> are marks" in said
    value = said.partition("trainable_token_indices: ")[2].partition(" to train")[0]
    taught = recipe.with_(trainable_token_indices=value)
    assert taught.trainable_token_indices == (7, "<|user|>", "<|end|>")
    assert trained_tokens.advice(taught, model, tokenizer) is None
