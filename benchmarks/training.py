"""Training here beside stock TRL, on this machine: ratios in one run, never seconds alone.

    python -m benchmarks.training [--repeats 5] [--rows 96] [arm ...]

Arms take turns, losses are compared before anything is timed, and a ratio is of medians. Times are
processor seconds (a shared machine's clock says little) of making the trainer, where the reference
is scored, and of `trainer.train()`; loading the model is not in them. The base is the built-in
model's shape with a vocabulary of ordinary size and random weights, because the loss head is most
of what a small model costs.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from studio.models import loading
from studio.models.catalog import resolve
from studio.models.pool import Resident
from studio.recipe import Recipe
from studio.training import methods, trainers
from studio.training.objectives import OBJECTIVES

VOCABULARY = 32_000
Arm = Callable[[], tuple[float, list[float]]]


def base() -> Resident:
    """The built-in model's shape with a 32,000-token vocabulary, random weights."""
    location = resolve("pocket").location
    config = LlamaConfig.from_pretrained(location, vocab_size=VOCABULARY, dtype="float32")
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).requires_grad_(False).eval()
    tokenizer = AutoTokenizer.from_pretrained(location)
    return Resident(("bench",), "bench", model, tokenizer, "bench", location)


def rows(objective: str, count: int) -> Dataset:
    """Prompts twice as long as answers, lengths lognormal, as instruction data has them."""
    lengths = torch.distributions.LogNormal(2.6, 0.8)
    torch.manual_seed(1)

    def words(scale: int) -> str:
        return " ".join(["the old baker"] * max(1, int(lengths.sample() * scale / 3)))

    plain = [{"prompt": words(2), "completion": words(1)} for _ in range(count)]
    if objective == "sft":
        return Dataset.from_list(plain)
    return Dataset.from_list(
        [{"prompt": r["prompt"], "chosen": r["completion"], "rejected": words(1)} for r in plain]
    )


def recipe_of(objective: str, **changes: Any) -> Recipe:
    usual = {
        "max_length": 256, "per_device_train_batch_size": 8, "num_train_epochs": 1.0,
        "learning_rate": 1e-3, "sample_steps": 0, "save_steps": 100_000, "logging_steps": 1,
    }  # fmt: skip
    return Recipe.defaults(objective, **{**usual, **changes})


def here(resident: Resident, recipe: Recipe, data: Dataset, references: Path | None = None) -> Arm:
    """The studio's way."""

    def arm() -> tuple[float, list[float]]:
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            trainer = trainers.build(
                recipe, resident, None, data, None, Path(folder) / "c", [], references
            )
            return _run(trainer, began)

    return arm


def stock(resident: Resident, recipe: Recipe, data: Dataset, **changes: Any) -> Arm:
    """TRL with its own defaults (checkpointing on, every position scored), the same recipe else."""

    def arm() -> tuple[float, list[float]]:
        trainer_class, config_class = OBJECTIVES[recipe.objective].classes()
        with tempfile.TemporaryDirectory() as folder:
            settings = trainers.settings(recipe, len(data), False)
            for ours in ("gradient_checkpointing", "activation_checkpointing"):
                settings.pop(ours)
            if recipe.objective == "dpo":
                settings["precompute_ref_log_probs"] = False
            began = time.process_time()
            trainer = trainer_class(
                model=loading.share(resident.model),
                args=config_class(output_dir=folder, **{**settings, **changes}),
                train_dataset=data, processing_class=resident.tokenizer,
                peft_config=methods.peft_config(recipe),
            )  # fmt: skip
            return _run(trainer, began)

    return arm


def _run(trainer: Any, began: float) -> tuple[float, list[float]]:
    trainer.train()
    seconds = time.process_time() - began
    return seconds, [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def compare(ours: Arm, theirs: Arm, repeats: int) -> str:
    """Losses first, then medians of runs that take turns."""
    mine, stock_losses = ours()[1], theirs()[1]
    apart = max(abs(a - b) for a, b in zip(mine, stock_losses, strict=True))
    if apart > 1e-3:
        return f"NOT COMPARED: losses differ by {apart:.1e}"
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        times[0].append(ours()[0])
        times[1].append(theirs()[0])
    quick, slow = (statistics.median(found) for found in times)
    spread = max(max(found) / min(found) for found in times)
    return (
        f"{slow / quick:.2f}x ({slow:.2f} s to {quick:.2f} s, medians of {repeats}, "
        f"spread {spread:.2f}, losses within {apart:.0e})"
    )


def sweep(ways: list[Arm]) -> Arm:
    """Several runs, one after another, as one arm."""

    def arm() -> tuple[float, list[float]]:
        found = [way() for way in ways]
        return sum(seconds for seconds, _ in found), [x for _, losses in found for x in losses]

    return arm


def arms(resident: Resident, count: int) -> dict[str, tuple[Arm, Arm]]:
    sft, pairs = rows("sft", count), rows("dpo", count)
    one, three = recipe_of("sft"), recipe_of("dpo", num_train_epochs=3.0)
    betas = [recipe_of("dpo", beta=b, precompute_ref_log_probs=True) for b in (0.05, 0.1, 0.2, 0.5)]
    kept = Path(tempfile.mkdtemp(prefix="studio-references-"))

    def cold() -> tuple[float, list[float]]:
        for path in kept.glob("*.parquet"):  # every sweep begins with nothing kept
            path.unlink()
        return sweep([here(resident, beta, pairs, kept) for beta in betas])()

    return {
        "SFT, TRL's defaults": (here(resident, one, sft), stock(resident, one, sft)),
        "SFT, every row padded to 256": (
            here(resident, one, sft), stock(resident, one, sft, pad_to_multiple_of=256)),
        "DPO, 3 epochs, TRL's defaults": (
            here(resident, three, pairs), stock(resident, three, pairs)),
        "DPO over four betas, four stock runs": (
            cold, sweep([stock(resident, beta, pairs) for beta in betas])),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arms", nargs="*", help="words of the arms to run; all by default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    resident = base()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.rows} rows")
    for name, (ours, theirs) in arms(resident, options.rows).items():
        if options.arms and not any(word in name for word in options.arms):
            continue
        with contextlib.redirect_stdout(None):
            found = compare(ours, theirs, options.repeats)
        print(f"{name}: {found}", flush=True)
    if not torch.cuda.is_available():
        print("GPU shapes: no CUDA device here, so nothing was timed on one.")


if __name__ == "__main__":
    main()
