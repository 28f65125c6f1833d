"""What is chosen on which card, walked over every objective and method.

`make test-gpus` writes the tables in docs/gpus.md anew; elsewhere a table that differs fails.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoConfig, AutoModelForCausalLM

from studio.core import compat
from studio.core.errors import ConfigError
from studio.core.model_names import resolve
from studio.models import loading
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.training import padding_free, trainers
from studio.training.auto_batch_size import best_fit
from tests.unit.training.fake_gpus import MACHINES, Machine, on
from tests.unit.training.matrix import recipe_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "gpus.md"
MARK = "<!-- written by make test-gpus -->"
WRITE = bool(os.environ.get("STUDIO_GPUS"))
# 16 rows of 1,024 tokens a step, on published shapes.
FITTED = (
    ("qlora", "mistralai/Mistral-7B-Instruct-v0.3"),
    ("lora", "mistralai/Mistral-7B-Instruct-v0.3"),
    ("lora", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"),
    ("full", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"),
    ("full", "Qwen/Qwen2-0.5B-Instruct"),
)


def possible() -> list[Recipe]:
    """A recipe of every objective and method that go together."""
    found: list[Recipe] = []
    for objective in OBJECTIVES:
        for method in METHODS:
            try:
                found.append(recipe_of(objective, method))
            except ConfigError:
                continue
    return found


def arguments(recipe: Recipe, folder: Path) -> Any:
    """TRL's config as a run on this machine gets it; transformers refuses what a card has not."""
    _, config = OBJECTIVES[recipe.objective].classes()
    chosen = trainers.settings(recipe, rows=64, has_eval=True)
    return compat.one_device(config(output_dir=str(folder), **chosen))


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_objective_and_method_gets_settings_the_card_has(
    machine: Machine, tmp_path: Path
) -> None:
    half = machine.device == "cuda"
    with on(machine):
        wide = "bfloat16" if machine.bf16 else "float16" if half else "float32"
        assert loading.dtype_name() == wide
        for recipe in possible():
            given = arguments(recipe, tmp_path)
            chosen = (given.bf16, given.fp16, bool(given.tf32))
            ampere = machine.bf16 and not machine.hip
            assert chosen == (half and machine.bf16, half and not machine.bf16, ampere), recipe
            assert given.n_gpu <= 1 and given.use_cpu == (machine.device == "cpu")
            eight = half and recipe.method == "full"
            assert given.optim == ("adamw_8bit" if eight else "adamw_torch_fused")
            assert given.dataloader_pin_memory is half


def attention_of(recipe: Recipe) -> tuple[str, str, str]:
    """The attention kernel, how SFT rows are laid out, and how packed ones are."""
    config = AutoConfig.from_pretrained(resolve("pocket").location)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=recipe.attn_implementation)
    return (
        compat.attention_kernel(model.config),
        _layout(model.config, recipe),
        _layout(model.config, recipe.with_(packing=True)),
    )


def _layout(config: Any, recipe: Recipe) -> str:
    trainer: Any = SimpleNamespace(
        model=SimpleNamespace(config=config),
        args=SimpleNamespace(device=loading.device()),
        data_collator="TRL",
    )
    padding_free.use_padding_free(trainer, recipe)
    layout = trainer.data_collator
    if layout == "TRL":
        return "end to end"
    if layout.packed:
        return "a mask for each row"
    if layout.varlen:
        return "end to end"
    return "end to end where quicker" if layout.flat else "padded, no mask"


def settings_line(machine: Machine, folder: Path) -> str:
    """A row of the first table."""
    with on(machine):
        lora, full = Recipe.defaults("sft", "lora"), Recipe.defaults("sft", "full")
        given, whole = arguments(lora, folder), arguments(full, folder)
        kernel, rows, packed = attention_of(lora)
        autocast = "bfloat16" if given.bf16 else "float16" if given.fp16 else "none"
        cells = (
            machine.label,
            loading.dtype_name(),
            autocast,
            "on" if given.tf32 else "-",
            kernel,
            rows,
            packed,
            given.optim,
            whole.optim,
            str(max(1, given.n_gpu)),
        )
    return f"| {' | '.join(cells)} |"


def batch_line(machine: Machine) -> str:
    """A row of the second table: what "Fit to memory" chooses."""
    cells = [f"{machine.label}, {machine.memory} GB"]
    for method, model in FITTED:
        recipe = Recipe.defaults(
            "sft", method, model_name_or_path=model, per_device_train_batch_size=16, max_length=1024
        )
        found = best_fit(recipe, gpu=machine.gpu())
        chosen = found.recipe
        said = f"{chosen.per_device_train_batch_size} x {chosen.gradient_accumulation_steps}"
        said += ", checkpointed" if chosen.activation_checkpointing else ""
        said += ", 4-bit" if chosen.quantized and not recipe.quantized else ""
        cells.append(said if found.fits else "does not fit")
    return f"| {' | '.join(cells)} |"


def tables(folder: Path) -> str:
    heads = ["card", "base weights", "autocast", "TF32", "attention", "SFT rows", "packed rows"]
    heads += ["optimizer of adapters", "of `full`", "cards a process"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [settings_line(machine, folder) for machine in MACHINES.values()]
    names = [f"{METHODS[method].label}, {model.rsplit('/')[-1]}" for method, model in FITTED]
    lines += ["", f"| card | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [batch_line(m) for m in MACHINES.values() if m.memory and m.count == 1]
    return "\n".join(lines)


def test_the_page_says_what_is_chosen(tmp_path: Path) -> None:
    """Written with `make test-gpus` from the settings themselves."""
    before, _, after = PAGE.read_text(encoding="utf-8").partition(MARK)
    if WRITE:
        PAGE.write_text(f"{before}{MARK}\n\n{tables(tmp_path)}\n", encoding="utf-8")
        return
    assert after.strip() == tables(tmp_path)
