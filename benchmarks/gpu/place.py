"""Where the checks run, and what one finds."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Found:
    """What a check found beside what was expected; `holds` None: measured, not judged."""

    value: Any
    expected: Any
    holds: bool | None


@dataclass
class Place:
    """Where checks run: their folder, and the studio in it; `small`: what a CPU can do."""

    home: Path
    small: bool
    write_curve: bool = False
    runs: dict[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def studio(self) -> Any:
        """A studio in that folder, begun when it is first asked for."""
        from studio import Studio

        return Studio(Path(tempfile.mkdtemp(dir=self.home)))

    def recipe(self, objective: str, method: str = "lora", **changes: Any) -> Any:
        """A few quick steps on a shipped sample."""
        from studio import Recipe
        from studio.runs.objectives import REWARDED

        data = "pocket-sft" if objective == "sft" else "pocket-preference"
        values: dict[str, Any] = {
            "dataset_name": data,
            "max_steps": 3,
            "per_device_train_batch_size": 4,
            "max_length": 96,
            "lr_scheduler_type": "constant",
            "warmup_steps": 0,
            "sample_steps": 0,
            "save_steps": 1000,
        }
        if objective in REWARDED:
            values |= {"reward_funcs": ("length:1-5",), "num_generations": 2}
            values |= {"max_completion_length": 8}
        return Recipe.defaults(objective, method, **{**values, **changes})

    def train(self, recipe: Any) -> Any:
        """The run at its end; raises where it does not finish."""
        run = self.studio.wait(self.studio.train(recipe).id)
        if run.state != "finished":
            raise RuntimeError(run.error or f"the run is {run.state}")
        return run

    def finished(self) -> Any:
        """A finished LoRA run, made once."""
        if "lora" not in self.runs:
            recipe = self.recipe("sft", learning_rate=1e-3, max_steps=8)
            self.runs["lora"] = self.train(recipe).id
        return self.studio.runs.get(self.runs["lora"])


def losses(run: Any) -> list[float]:
    """The logged loss of every step."""
    return [event["loss"] for event in run.events()[0] if "loss" in event]
