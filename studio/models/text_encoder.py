"""Text encoders: the backbone of a base in memory, pooled to one vector per text.

They are `SentenceTransformer`s of sentence-transformers, so that what is trained here answers
there. Imports torch; for the worker's thread.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

from studio.core import compat, rope
from studio.core.errors import ModelError
from studio.core.library_types import LanguageModel, TextEncoder, Tokenizer
from studio.models import loading
from studio.models.pool import LoadedModel, ModelPool
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.runs.store import Run, RunStore

ENCODER_CONFIG = "sentence_bert_config.json"


def backbone(model: LanguageModel) -> Any:
    """The layers below a model's head: what gives a vector for every token."""
    return getattr(model, model.base_model_prefix, model)


def text_encoder(model: Any, tokenizer: Tokenizer, recipe: Recipe) -> TextEncoder:
    """A backbone, with an adapter or without, as a `SentenceTransformer` on its own device.

    Pads on the right, so that positions begin at the first token in every family.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize
    from sentence_transformers.sentence_transformer.modules import Pooling

    own: Any = copy.deepcopy(tokenizer)
    own.padding_side = "right"
    with tempfile.TemporaryDirectory() as folder:
        own.save_pretrained(folder)
        whole = compat.transformer_module(model, folder, recipe.max_length)
    context = rope.context(model.config)
    whole.max_seq_length = min(recipe.max_length, context or recipe.max_length)
    modules = [whole, Pooling(whole.get_embedding_dimension(), recipe.pooling_mode)]
    if recipe.normalize_embeddings:
        modules.append(Normalize())
    prompts = {"query": recipe.query_prompt, "document": recipe.document_prompt}
    return SentenceTransformer(modules=modules, prompts=prompts, device=str(model.device))


def inner(encoder: TextEncoder) -> Any:
    """The transformers model, or the `PeftModel` around it, within an encoder."""
    return encoder[0].model


def check(run: Run) -> None:
    """Refuse a run that is no finished encoder."""
    if not OBJECTIVES[run.objective].embeds:
        raise ModelError(
            f"{run.name} was trained with {run.objective}, and only an embedding run gives "
            "vectors; choose a run with objective embedding."
        )
    if run.adapter is None and run.weights is None:
        raise ModelError(f"{run.name} has no weights yet: it is {run.state}. Finish the run first.")


def base_encoder(recipe: Recipe, pool: ModelPool, runs: RunStore) -> TextEncoder:
    """A recipe's base as it embeds before training, sharing the copy in memory."""
    resident = pool.base_of(recipe, runs)
    key = ("base", *_settings(recipe))
    if key not in resident.encoders:
        view = backbone(loading.clone_sharing_weights(resident.model))
        _keep(resident, key, text_encoder(view, resident.tokenizer, recipe).eval())
    return resident.encoders[key]


def run_encoder(run: Run, pool: ModelPool, runs: RunStore) -> TextEncoder:
    """A finished run's encoder; one with an adapter shares the base in memory.

    Raises `ModelError` for a run that is none, or whose base has other weights now.
    """
    check(run)
    resident = pool.base_of(run.recipe, runs)
    if run.base and run.base != resident.fingerprint:
        raise ModelError(
            f"{run.name} was trained on other weights than {run.model} holds now. Train it again, "
            "or bring the old weights back."
        )
    folder = run.adapter or run.weights
    assert folder is not None
    key = (run.id, (folder / ENCODER_CONFIG).stat().st_mtime_ns)
    if key not in resident.encoders:
        model = _with_weights(run, resident)
        encoder = text_encoder(model, resident.tokenizer, run.recipe)
        _keep(resident, key, encoder.eval().requires_grad_(False))
    return resident.encoders[key]


_KEPT = 4  # encoders per base


def _keep(resident: LoadedModel, key: tuple[Any, ...], encoder: TextEncoder) -> None:
    while len(resident.encoders) >= _KEPT:
        resident.encoders.pop(next(iter(resident.encoders)))
    resident.encoders[key] = encoder


def _settings(recipe: Recipe) -> tuple[Any, ...]:
    """What of a recipe an encoder without weights of its own depends on."""
    return (
        recipe.pooling_mode,
        recipe.normalize_embeddings,
        recipe.query_prompt,
        recipe.document_prompt,
        recipe.max_length,
    )


def _with_weights(run: Run, resident: LoadedModel) -> Any:
    if run.weights is not None:
        return read_backbone(run.weights, resident)
    assert run.adapter is not None
    view = backbone(loading.clone_sharing_weights(resident.model))
    return loading.load_adapter(view, run.adapter)


def read_backbone(folder: Path, resident: LoadedModel) -> Any:
    """A full fine-tune's backbone, as precise as its base and beside it."""
    from transformers import AutoModel

    model: Any = AutoModel.from_pretrained(folder, dtype=resident.model.dtype)
    return model.to(resident.model.device).eval()
