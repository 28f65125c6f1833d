"""Resident models: each base once in memory, whatever the number of adapters and of people asking.

Only the worker's thread calls this (it imports torch); `names()` is safe from anywhere.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from studio.errors import ModelError
from studio.models import loading
from studio.models.catalog import ModelRef, resolve
from studio.recipe import Recipe
from studio.training.runs import Run

KEEP_MODELS = 2  # bases held at once; the least recently used one goes first
KEEP_ADAPTERS = 4  # adapters held on one base


@dataclass
class Resident:
    """A base in memory with its tokenizer, and a weight-sharing view that carries adapters."""

    key: tuple[Any, ...]
    name: str
    model: Any
    tokenizer: Any
    fingerprint: str
    used: float = 0.0
    adapted: Any = None
    adapters: dict[str, float] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Bytes of the weights (adapters not counted)."""
        return self.model.get_memory_footprint()


class ModelPool:
    """Bases by name and precision, least recently used first out."""

    def __init__(self) -> None:
        self._residents: dict[tuple[Any, ...], Resident] = {}

    def names(self) -> list[str]:
        """Labels of what is in memory, for the status strip."""
        return [resident.name for resident in list(self._residents.values())]

    def base(
        self, name: str, revision: str | None = None, dtype: str = "auto",
        four_bit: dict[str, Any] | None = None,
    ) -> Resident:  # fmt: skip
        """The one copy of a base model, loaded if need be."""
        return self._resident(resolve(name, revision), dtype, four_bit)

    def base_of(self, recipe: Recipe) -> Resident:
        """The base that a recipe's run trains on, in the precision it trains in."""
        four_bit = None
        if recipe.quantized:
            four_bit = {
                "bnb_4bit_quant_type": recipe.bnb_4bit_quant_type,
                "bnb_4bit_use_double_quant": recipe.use_bnb_nested_quant,
            }
        return self.base(recipe.model_name_or_path, recipe.model_revision, recipe.dtype, four_bit)

    def of_folder(self, folder: Path, label: str) -> Resident:
        """A model from a folder of ours: a full fine-tune's weights."""
        return self._resident(ModelRef(label, "folder", str(folder)), "auto", None)

    def _resident(
        self, reference: ModelRef, dtype: str, four_bit: dict[str, Any] | None
    ) -> Resident:
        key = (
            reference.location, reference.revision or "main", loading.weights_dtype(dtype),
            tuple(sorted(four_bit.items())) if four_bit else None,
        )  # fmt: skip
        resident = self._residents.get(key)
        if resident is None:
            self._make_room()
            tokenizer = loading.load_tokenizer(reference)
            model = loading.load_model(reference, dtype, four_bit)
            label = reference.label + (" (4-bit)" if four_bit else "")
            stamp = loading.fingerprint(reference, model)
            resident = Resident(key, label, model, tokenizer, stamp)
            self._residents[key] = resident
        resident.used = time.monotonic()
        return resident

    def _make_room(self) -> None:
        while len(self._residents) >= KEEP_MODELS:
            oldest = min(self._residents.values(), key=lambda resident: resident.used)
            self.drop(oldest)

    def drop(self, resident: Resident) -> None:
        """Let a base and its adapters go; the memory comes back once no job holds them."""
        self._residents.pop(resident.key, None)
        release_memory()

    def with_adapter(self, resident: Resident, run: Run) -> str:
        """Load a run's adapter beside the base; the adapter's name in `resident.adapted`."""
        if run.adapter is None:
            raise ModelError(f"{run.name} has no adapter: it is {run.state}. Finish the run first.")
        if run.base and run.base != resident.fingerprint:
            raise ModelError(
                f"{run.name} was trained on other weights than {run.model} holds now, so its "
                "adapter does not belong on them. Train it again, or bring the old weights back."
            )
        stamp = (run.adapter / "adapter_config.json").stat().st_mtime
        name = run.id
        if resident.adapters.get(name) == stamp:
            return name
        if resident.adapted is None:
            clone = loading.share(resident.model)
            resident.adapted = loading.load_adapter(clone, run.adapter, name)
        else:
            if name in resident.adapters:
                self._unload(resident, name)
            while len(resident.adapters) >= KEEP_ADAPTERS:
                self._unload(resident, next(iter(resident.adapters)))
            loading.load_adapter(resident.adapted, run.adapter, name)
        resident.adapted.eval()
        resident.adapters[name] = stamp
        return name

    @staticmethod
    def _unload(resident: Resident, name: str) -> None:
        resident.adapters.pop(name)
        if resident.adapters:
            resident.adapted.delete_adapter(name)
        else:  # PEFT cannot be without any adapter: the view is made afresh
            resident.adapted = None


def release_memory() -> None:
    """Collect what nobody holds any more, on the host and on the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
