"""A run's model from stock parts, one copy in memory: base, merged ancestors, adapter on top."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core import chat_templates
from studio.core.errors import ModelError
from studio.core.model_names import ModelRef, resolve
from studio.models import loading
from studio.models.pool import LoadedModel, adapter_of, quantization
from studio.runs.lineage import merged_parent
from studio.runs.store import Run, RunStore


@dataclass
class Parts:
    """`base` is what the run's adapter stands on; `adapter` is None for a full fine-tune."""

    base: LoadedModel
    adapter: Path | None


def parts(run: Run, runs: RunStore, quantized: bool) -> Parts:
    """Load what a run's result consists of; the base in 4 bits only where `quantized` asks."""
    if run.objective == "reward":
        raise ModelError(
            f"{run.name} is a reward model: it scores answers and writes none, so there are no "
            "answers to verify an export by. Take its folder, or --to script."
        )
    if run.weights is not None:
        base = _load(ModelRef(run.name, "folder", str(run.weights)), run.recipe.dtype, None)
        return Parts(_dressed(base, run), None)
    base = base_under(run, runs, quantization(run.recipe) if quantized else None)
    return Parts(_dressed(base, run), adapter_of(run, base))


def base_under(run: Run, runs: RunStore, bits: dict[str, Any] | None = None) -> LoadedModel:
    """The base that a run began from, its merged ancestors added into it."""
    recipe = run.recipe
    parent = merged_parent(recipe, runs)
    if parent is None:
        reference = resolve(recipe.model_name_or_path, recipe.model_revision)
        return _load(reference, recipe.dtype, bits)
    if parent.weights is not None:
        return _load(ModelRef(parent.name, "folder", str(parent.weights)), recipe.dtype, None)
    under = base_under(parent, runs)
    folder = adapter_of(parent, under)
    under.model = loading.merge(loading.load_adapter(under.model, folder), folder)
    under.fingerprint = f"{under.fingerprint}+{parent.id}"
    return under


def _load(reference: ModelRef, dtype: str, bits: dict[str, Any] | None) -> LoadedModel:
    tokenizer = loading.load_tokenizer(reference)
    model = loading.load_model(reference, dtype, bits)
    stamp = loading.fingerprint(reference, model)
    return LoadedModel((), reference.label, model, tokenizer, stamp, reference.location)


def _dressed(base: LoadedModel, run: Run) -> LoadedModel:
    base.tokenizer = chat_templates.with_chat_template(
        base.tokenizer, run.recipe.chat_template_path
    )
    return base
