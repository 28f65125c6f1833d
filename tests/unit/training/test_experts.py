"""A mixture of experts trained with its stacked weights: what learns, and what then answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, MixtralConfig, MixtralForCausalLM

from studio import Studio
from studio.core.model_names import resolve
from studio.generation.request import Column
from studio.runs.store import Run
from tests.unit.training.conftest import small
from tests.unit.training.test_columns import ask


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny Mixtral with the built-in model's tokenizer."""
    folder = tmp_path_factory.mktemp("moe")
    tokenizer: Any = AutoTokenizer.from_pretrained(resolve("pocket").location)
    torch.manual_seed(0)
    config = MixtralConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, num_local_experts=2,
        max_position_embeddings=512, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    MixtralForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def runs(studio: Studio, mixture: str) -> list[Run]:
    """One by all-linear, which reaches Mixtral's experts, and one that names a stack itself."""
    changes = {"model_name_or_path": mixture, "max_steps": 2}
    named = {"lora_target_modules": "q_proj", "lora_target_parameters": "mlp.experts.down_proj"}
    recipes = [small("sft", "facts", **changes), small("sft", "facts", **changes, **named)]
    return [studio.wait(studio.train(recipe).id) for recipe in recipes]


def test_the_experts_learn(runs: list[Run]) -> None:
    for run in runs:
        assert run.state == "finished", run.error
        folder: Any = run.adapter
        saved = load_file(Path(folder) / "adapter_model.safetensors")
        experts = [weight for name, weight in saved.items() if ".experts." in name and "_B" in name]
        assert experts and all(weight.abs().max() > 0 for weight in experts)


def test_base_and_both_runs_answer_side_by_side(
    studio: Studio, mixture: str, runs: list[Run]
) -> None:
    """PEFT takes no rows of other adapters beside such a one, nor two with other stacks."""
    columns = (Column(mixture), *(Column(mixture, run.id) for run in runs))
    together = ask(studio, *columns)
    assert together == [ask(studio, column)[0] for column in columns]
