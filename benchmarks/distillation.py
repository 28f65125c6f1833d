"""A finished run as the teacher of a smaller model with random weights, on the built-in model.

    python -m benchmarks.distillation [--steps 300] [--home FOLDER]

The student has two layers, half the width and the teacher's tokenizer. It first imitates the data
(SFT), so that it writes anything at all; then it learns from the teacher on its own answers. What
is printed: the divergence from the teacher on held-out prompts before and after, and how many
held-out answers name the right thing, of the student before and after and of the teacher.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from studio import Recipe, Studio
from studio.core.model_names import resolve
from studio.evaluation import ScoreRequest, load_rows
from studio.generation.request import Column
from studio.runs.recipe import find_recipe
from studio.runs.store import Run

_TIMES = 0.5
_LAYERS = 2


def student(folder: Path) -> str:
    """A smaller model of pocket's kind with random weights, and pocket's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    pocket = Path(resolve("pocket").location)
    config: Any = AutoConfig.from_pretrained(pocket)
    for name in ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads"):
        setattr(config, name, int(getattr(config, name) * _TIMES))
    config.num_hidden_layers = _LAYERS
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    for path in [*pocket.glob("tokenizer*"), *pocket.glob("*.jinja")]:
        (folder / path.name).write_bytes(path.read_bytes())
    return str(folder)


def trained(studio: Studio, recipe: Recipe) -> Run:
    run = studio.wait(studio.train(recipe).id)
    if run.state != "finished":
        raise SystemExit(f"{run.name}: {run.error}")
    return run


def held_out(run: Run) -> list[float]:
    """The divergence on held-out prompts, in nats a token, evaluation by evaluation."""
    return [event["eval_loss"] for event in run.events()[0] if "eval_loss" in event]


def right(studio: Studio, run: Run) -> Any:
    rows = load_rows(studio.datasets, "pocket-questions")
    asked = ScoreRequest(columns=(Column(run.model, run.id),), rows=rows, metrics=("contains",))
    found = studio.score(asked).result()["columns"][0]["metrics"]["contains"]
    return found["value"]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--steps", type=int, default=300)
    asked.add_argument("--home", type=Path)
    given = asked.parse_args()
    home = given.home or Path(tempfile.mkdtemp())
    studio = Studio(home / "workspace")
    began = time.monotonic()
    teacher = trained(studio, find_recipe("pocket-sft").with_(name="teacher"))
    small = student(home / "student")
    common = {"model_name_or_path": small, "method": "full", "sample_steps": 0}
    start = trained(
        studio,
        Recipe.of({**common, "name": "start", "learning_rate": 3e-3, "max_steps": given.steps}),
    )
    recipe = Recipe.of(
        {
            **common,
            "name": "distilled",
            "objective": "distillation",
            "teacher_model_name_or_path": teacher.id,
            "start_from": start.id,
            "start_as": "merge",
            "learning_rate": 1e-3,
            "max_steps": given.steps,
            "per_device_train_batch_size": 16,
            "max_completion_length": 32,
            "eval_steps": max(1, given.steps // 10),
        }
    )
    run = trained(studio, recipe)
    found = held_out(run)
    print(
        json.dumps(
            {
                "steps": given.steps,
                "held_out_divergence": [round(value, 3) for value in found],
                "right": {each.name: right(studio, each) for each in (teacher, start, run)},
                "seconds": round(time.monotonic() - began),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
