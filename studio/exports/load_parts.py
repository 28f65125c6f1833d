"""A run's model loaded with the stock libraries: base, merged parents, adapter on top.

It is loaded on this machine's device where it fits beside what is in memory, else on the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from studio.core import chat_templates
from studio.core.errors import ModelError
from studio.core.model_names import ModelRef, resolve
from studio.models import loading, rope
from studio.models.pool import LoadedModel, adapter_of, quantization
from studio.runs.lineage import merged_parent
from studio.runs.objectives import OBJECTIVES
from studio.runs.store import Run, RunStore

_SPARE = 1.2  # weights, the buffers of merging one matrix, and logits of short rows


@dataclass
class Parts:
    """`base` is what the run's adapter stands on; `adapter` is None for a full fine-tune."""

    base: LoadedModel
    adapter: Path | None


def device_for(run: Run, runs: RunStore, quantized: bool) -> torch.device:
    """The device for `parts` of a run: this machine's, or the CPU where they do not fit.

    A full fine-tune is compared with its base, so both count.
    """
    found = _root(run, runs)
    bits = quantization(run.recipe) if quantized else None
    need = loading.weight_bytes(found, run.recipe.dtype, bits)
    if run.weights is not None:
        need *= 2
    here = loading.device()
    return here if _SPARE * need <= loading.memory_free() else torch.device("cpu")


def _root(run: Run, runs: RunStore) -> ModelRef:
    """The base that a run's parents began from; the run's own weights where it has them."""
    if run.weights is not None:
        return ModelRef(run.name, "folder", str(run.weights))
    parent = merged_parent(run.recipe, runs)
    if parent is not None:
        return _root(parent, runs)
    return resolve(run.recipe.model_name_or_path, run.recipe.model_revision)


def parts(run: Run, runs: RunStore, quantized: bool, on: torch.device | None = None) -> Parts:
    """Load a run's base and adapter; the base in 4 bits only where `quantized` is set."""
    if run.objective == "reward":
        raise ModelError(
            f"{run.name} is a reward model: it generates no text, so there are no answers to "
            "verify an export by. Use its folder, or --to script."
        )
    if run.weights is not None:
        base = _load(_root(run, runs), run.recipe.dtype, None, on, {})
        return Parts(_dressed(base, run), None)
    base = base_under(run, runs, quantization(run.recipe) if quantized else None, on)
    return Parts(_dressed(base, run), adapter_of(run, base))


def base_under(
    run: Run, runs: RunStore, bits: dict[str, Any] | None = None, on: torch.device | None = None
) -> LoadedModel:
    """The base that a run began from, with its merged parents."""
    recipe = run.recipe
    parent = merged_parent(recipe, runs)
    if parent is None:
        reference = resolve(recipe.model_name_or_path, recipe.model_revision)
        encoder = OBJECTIVES[recipe.objective].embeds
        return _load(reference, recipe.dtype, bits, on, recipe.rope_parameters, encoder)
    if parent.weights is not None:
        return _load(_root(parent, runs), recipe.dtype, None, on, recipe.rope_parameters)
    under = base_under(parent, runs, on=on)
    folder = adapter_of(parent, under)
    under.model = loading.merge(loading.load_adapter(under.model, folder), folder)
    under.fingerprint = f"{under.fingerprint}+{parent.id}"
    if recipe.rope_parameters:
        rope.rescale(under.model, recipe.rope_parameters, under.name)
    return under


def _load(
    reference: ModelRef,
    dtype: str,
    bits: dict[str, Any] | None,
    on: torch.device | None,
    scaling: Mapping[str, Any],
    encoder: bool = False,
) -> LoadedModel:
    tokenizer = loading.load_tokenizer(reference)
    loading.check_vocabulary(reference, tokenizer)
    model = loading.load_model(reference, dtype, bits, on=on, encoder=encoder)
    if scaling:
        rope.rescale(model, scaling, reference.label)
    stamp = loading.fingerprint(reference, model)
    return LoadedModel((), reference.label, model, tokenizer, stamp, reference.location)


def _dressed(base: LoadedModel, run: Run) -> LoadedModel:
    base.tokenizer = chat_templates.with_chat_template(
        base.tokenizer, run.recipe.chat_template_path
    )
    return base
