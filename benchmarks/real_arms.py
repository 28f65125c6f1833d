"""SFT of SmolLM2-135M here and by stock TRL, each in a process of its own.

    python -m benchmarks.real_arms instruction-data.json --steps 20

The same rows, model, rank, targets, rows a step, rate, length and seed; everything else is each
side's own default. One JSON line a side: seconds of training, with what it is watched by, the mean
loss of the last steps, the loss on held-out rows, and the most memory the process held.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.beside import ROOT, machine
from studio import Studio
from studio.core.gguf_models import SMOLLM2
from studio.core.model_names import resolve
from studio.data import PrepareOptions
from studio.runs.recipe import Recipe

SETTINGS: dict[str, Any] = {
    "per_device_train_batch_size": 8,
    "learning_rate": 2e-4,
    "max_length": 256,
    "seed": 42,
}
LAST = 5
"""The steps whose mean loss is told."""


def here(studio: Studio, dataset: str, steps: int) -> dict[str, Any]:
    """The run as the studio trains it."""
    recipe = Recipe.defaults(
        "sft", model_name_or_path=SMOLLM2, dataset_name=dataset, lora_r=8, lora_alpha=16,
        max_steps=steps, **SETTINGS,
    )  # fmt: skip
    run = studio.wait(studio.train(recipe).id)
    if run.state != "finished":
        raise RuntimeError(run.error)
    events = run.events()[0]
    losses = [event["loss"] for event in events if event["kind"] == "log" and "loss" in event]
    took = next(event for event in events if event["kind"] == "time")
    watched = sum(took[name] for name in ("samples", "checkpoints", "evaluation"))
    return {"seconds": took["seconds"], "watched": watched, "loss": losses,
            "held_out": run.metrics.get("eval_loss")}  # fmt: skip


def stock(studio: Studio, dataset: str, steps: int) -> dict[str, Any]:
    """TRL's SFTTrainer with its defaults."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    data = studio.datasets.get(dataset)
    rows = {split: Dataset.from_list([dict(row) for row in data.load(split)])
            for split in ("train", "test")}  # fmt: skip
    location = resolve(SMOLLM2).location
    trainer: Any = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(location, dtype="float32"),
        processing_class=AutoTokenizer.from_pretrained(location),
        args=SFTConfig(
            str(studio.workspace.cache / "stock"), max_steps=steps, logging_steps=1,
            report_to="none", bf16=False, **SETTINGS,  # refused on a CPU, though the default
        ),
        train_dataset=rows["train"].select_columns(["prompt", "completion"]),
        eval_dataset=rows["test"].select_columns(["prompt", "completion"]),
        peft_config=LoraConfig(
            r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )  # fmt: skip
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {"seconds": seconds, "watched": 0.0, "loss": losses,
            "held_out": trainer.evaluate()["eval_loss"]}  # fmt: skip


ARMS = {"here": here, "stock": stock}


def _held() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def _one(arm: str, home: str, steps: int) -> dict[str, Any]:
    studio = Studio(home)
    try:
        found = ARMS[arm](studio, "instructions", steps)
    finally:
        studio.close()
    losses = found.pop("loss")
    mean = sum(losses[-LAST:]) / len(losses[-LAST:])
    rounded = {name: round(value, 3) for name, value in found.items()}
    return {"arm": arm, **rounded, "last_loss": round(mean, 3), "peak_mb": round(_held() / 1e6)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both sides one after the other; prints the machine, and a line each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--arm", choices=tuple(ARMS), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.arm:
        print(json.dumps(_one(chosen.arm, str(chosen.file), chosen.steps)), flush=True)
        return 0
    print(json.dumps({"machine": machine(), "steps": chosen.steps}), flush=True)
    with tempfile.TemporaryDirectory(prefix="studio-arms-") as home:
        studio = Studio(home)
        options = PrepareOptions(test_fraction=0.1, seed=1)
        studio.datasets.prepare(str(chosen.file), name="instructions", options=options)
        resolve(SMOLLM2)
        studio.close()
        for arm in ARMS:
            words = [sys.executable, "-m", "benchmarks.real_arms", home, "--arm", arm]
            words += ["--steps", str(chosen.steps)]
            done = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
            print(done.stdout.strip().splitlines()[-1], flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
