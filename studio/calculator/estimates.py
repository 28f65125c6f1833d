"""The calculator's one entry: a recipe, a GPU and lengths -> what trains, what it needs, how long.

>>> recipe = Recipe.defaults(
...     model_name_or_path="TinyLlama/TinyLlama-1.1B-Chat-v1.0",
...     lora_r=8,
...     lora_target_modules=["q_proj", "k_proj", "v_proj"],
... )
>>> estimate(recipe).trainable_parameters
1531904
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.calculator import gpus, shifted_saving
from studio.calculator.cost import Cost, estimate_cost
from studio.calculator.gpus import Gpu, Verdict
from studio.calculator.memory import Memory, estimate_memory
from studio.calculator.workload import Workload, workload
from studio.core import formatting, rope

if TYPE_CHECKING:
    from studio.calculator.dataset_lengths import Lengths, RowCount
    from studio.calculator.meta_model import MetaModel
    from studio.calculator.parameters import ParameterCount
    from studio.runs.recipe import Recipe


@dataclass(frozen=True)
class RunEstimate:
    """Exact counts, estimated memory and time, and whether it fits the GPU."""

    work: Workload
    memory: Memory
    cost: Cost

    @property
    def recipe(self) -> Recipe:
        return self.work.recipe

    @property
    def gpu(self) -> Gpu:
        return self.work.gpu

    @property
    def model(self) -> MetaModel:
        return self.work.model

    @property
    def parameters(self) -> ParameterCount:
        return self.work.counted

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def total_parameters(self) -> int:
        """Of the base model."""
        return self.parameters.total

    @property
    def trainable_parameters(self) -> int:
        return self.parameters.trainable

    @property
    def trainable_percent(self) -> float:
        """Of all parameters, the adapter's included (PEFT's `trainable%`)."""
        return self.parameters.percent

    @property
    def saved_bytes(self) -> int:
        """Size of the file that training saves."""
        return self.parameters.saved_bytes(self.work.precision.trained, self.work.precision.weights)

    @property
    def verdict(self) -> Verdict:
        """`fits`, `tight` or `does not fit` on the GPU."""
        found = gpus.verdict(self.memory.total, self.gpu)
        beyond = self.memory.uncertain and self.memory.range[1] > self.gpu.memory
        return "tight" if found == "fits" and beyond else found

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.parameters.notes, *self.memory.notes, *context_notes(self.work))

    def line(self) -> str:
        """`1.53 M trainable (0.139 %) · 3.1 GB · about 2 min · fits`."""
        parts = [
            f"{formatting.compact(self.trainable_parameters)} trainable "
            f"({formatting.percent_text(self.trainable_percent / 100)})",
            self.memory.words(),
            self.cost.words(),
            self.verdict,
        ]
        return " \N{MIDDLE DOT} ".join(part for part in parts if part)

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-able."""
        return {
            "model": self.name,
            "origin": self.model.source.origin,
            "method": self.recipe.method,
            "objective": self.recipe.objective,
            "total_parameters": self.total_parameters,
            "trainable_parameters": self.trainable_parameters,
            "all_parameters": self.parameters.all_parameters,
            "trainable_percent": self.trainable_percent,
            "modules": [module.as_dict() for module in self.parameters.modules],
            "layers": [
                {"layer": name, "trainable": number} for name, number in self.parameters.layers
            ],
            "saved_bytes": self.saved_bytes,
            "memory": self.memory.as_dict(),
            "memory_range": list(self.memory.range),
            "terms": [term.as_dict() for term in self.memory.terms],
            "kv_cache_bytes_per_token": self.memory.kv_cache_per_token,
            "gpu": self.gpu.name,
            "gpu_bytes": self.gpu.memory,
            "verdict": self.verdict,
            "cost": self.cost.as_dict(),
            "notes": list(self.notes),
        }


def estimate(
    recipe: Recipe, gpu: str | Gpu | None = None, lengths: Lengths | RowCount | None = None
) -> RunEstimate:
    """Estimate a run. Raises `ModelError` or `ConfigError`, each one sentence.

    Args:
        recipe: its `model_name_or_path` may also be a config.json, as a path or as text.
        gpu: one of `GPUS` or its name; the recipe's `device` of this machine by default.
        lengths: the training rows' lengths (see `dataset_lengths`); without them there is no time.
    """
    if not isinstance(gpu, Gpu):
        gpu = gpus.gpu_for(recipe, gpu)
    work = workload(recipe, gpu)
    context_notes(work)  # refuses a base whose context cannot be scaled
    return RunEstimate(work, estimate_memory(work), estimate_cost(work, lengths))


def context_notes(work: Workload) -> tuple[str, ...]:
    """What a recipe's `rope_parameters` and `max_length` mean for a base's context.

    Raises `ModelError` where the base cannot be scaled so.
    """
    config, given = work.model.config, work.recipe.rope_parameters
    found: list[str] = []
    if given:
        config = copy.deepcopy(config)
        rope.apply(config, given, work.model.name)
        reads = rope.context(config.get_text_config())
        found.append(f"With {rope.words(given)}, the context is {reads:,} tokens.")
    if work.recipe.shifted_attention:
        found.append(_shifted_note(work))
    said = rope.beyond(config, work.length, work.model.name)
    return (*found, said) if said else tuple(found)


def _shifted_note(work: Workload) -> str:
    """How much of a step's operations shifted attention saves, and from which length a tenth."""
    saved = formatting.percent_text(shifted_saving.shifted_saving(work, work.length))
    return (
        f"Shifted attention saves {saved} of a step's operations at {work.length:,} tokens, and a "
        f"tenth of them from about {shifted_saving.shifted_from(work):,} on; rows of up to "
        f"{work.length // 4:,} attend in full."
    )
