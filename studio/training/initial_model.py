"""What a run starts with: the model to train, its new adapter, and the reference model.

Clones share the base's tensors where nothing changes them. What a method does change is copied
first, so that the base in memory stays the same for everything else.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import snapshot_download
from peft import get_peft_model
from torch import nn
from transformers import set_seed

from studio.core.errors import TrainingError
from studio.core.library_types import LanguageModel, PeftConfig
from studio.core.model_names import resolve
from studio.models import loading, rope, sharding, trained_tokens
from studio.models.pool import LoadedModel
from studio.models.reward_model import with_score
from studio.models.text_encoder import backbone
from studio.runs import methods, whole_modules
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.training import shifted_attention


@dataclass
class Start:
    """`config` is PEFT's for an adapter that the trainer still has to add; `reference` is set where
    the trainer could not make the right one itself."""

    model: LanguageModel
    config: PeftConfig | None = None
    reference: LanguageModel | None = None


def begin(recipe: Recipe, resident: LoadedModel, parent: Path | None, steps: int) -> Start:
    """The start of a run on a base in memory; `parent` is the adapter that it continues."""
    method = METHODS[recipe.method]
    recipe = trained_tokens.by_id(recipe, resident.tokenizer)
    if recipe.method == "dora" and recipe.ephemeral_gpu_offload and not torch.cuda.is_available():
        raise TrainingError(
            "ephemeral_gpu_offload needs a GPU, and there is none here; turn it off."
        )
    if recipe.activation_offloading and not torch.cuda.is_available():
        raise TrainingError(
            "activation_offloading moves activations from a GPU to the host, and there is no GPU "
            "here; turn it off."
        )
    model = _weights(recipe, resident)
    if OBJECTIVES[recipe.objective].embeds:
        return Start(_encoder(backbone(model), recipe, parent, steps))
    if parent is not None:
        adapted = loading.load_adapter(model, parent, trainable=True)
        if not resident.shared:
            sharding.give_addresses(adapted)  # TRL copies the adapter, and shapes have no numbers
        return Start(adapted)
    reference = None
    if OBJECTIVES[recipe.objective].reference and (not method.adapter or method.moves_base):
        reference = _reference(recipe, resident)
    recipe = whole_modules.by_name(recipe, model)
    config = methods.peft_config(recipe, steps=steps, tokenizer=resident.location)
    config = methods.without_towers(config, model)
    if recipe.method == "loftq":
        return Start(_loftq(model, config, resident, recipe), None, reference)
    if recipe.quantized and OBJECTIVES[recipe.objective].legacy:
        # These trainers would prepare the quantized model themselves, which widens its embeddings,
        # norms and head in place: tensors that it shares with the resident base.
        set_seed(recipe.seed)
        return Start(get_peft_model(cast(Any, model), config), None, reference)
    return Start(model, config, reference)


def _encoder(model: Any, recipe: Recipe, parent: Path | None, steps: int) -> LanguageModel:
    """A backbone with its new or its parent's adapter; sentence-transformers adds none itself."""
    if parent is not None:
        return loading.load_adapter(model, parent, trainable=True)
    config = methods.peft_config(recipe, steps=steps)
    config = methods.without_towers(config, model)
    if config is None:
        return model
    set_seed(recipe.seed)
    adapted: Any = get_peft_model(model, config)
    return adapted


def _weights(recipe: Recipe, resident: LoadedModel) -> LanguageModel:
    """A clone of the base, its tensors copied where this method trains or moves them."""
    base = resident.model
    if not resident.shared:
        model = _own(base, recipe)
    elif recipe.method == "full" or METHODS[recipe.method].moves_base or recipe.merges_to_sample:
        model = copy.deepcopy(base)
    elif recipe.method == "last_layers":
        model = _last_layers(base, recipe.num_trainable_layers)
    else:
        model = loading.clone_sharing_weights(base)
    if recipe.method == "full":
        model.requires_grad_(True)
    if recipe.objective == "reward":
        model = with_score(model, recipe)
    if recipe.shifted_attention:
        shifted_attention.use(model, recipe.max_length, resident.name)
    return model


def _reference(recipe: Recipe, resident: LoadedModel) -> LanguageModel:
    """The base as it is now, for as long as the model trains."""
    if resident.shared:
        return loading.clone_sharing_weights(resident.model)
    with sharding.everywhere():
        reference = loading.load_model(
            resolve(recipe.model_name_or_path, recipe.model_revision),
            recipe.dtype,
            attention=recipe.attn_implementation,
            on=torch.device("cpu"),
        )
        if recipe.rope_parameters:
            rope.rescale(reference, recipe.rope_parameters, recipe.model_name_or_path)
        return reference


def _own(base: LanguageModel, recipe: Recipe) -> LanguageModel:
    """The base itself, where nothing else uses it: what is divided must not be held whole."""
    if recipe.method == "last_layers":
        for tensor in _tensors_of_last_layers(base, recipe.num_trainable_layers):
            tensor.requires_grad_(True)
    return base


def _tensors_of_last_layers(base: LanguageModel, count: int) -> list[nn.Parameter]:
    layers = max(
        (module for module in base.modules() if isinstance(module, nn.ModuleList)),
        key=len,
        default=None,
    )
    if layers is None or len(layers) < count:
        have = 0 if layers is None else len(layers)
        raise TrainingError(f"num_trainable_layers is {count}, and this model has {have} layers.")
    return [tensor for layer in layers[-count:] for tensor in layer.parameters()]


def _last_layers(base: LanguageModel, count: int) -> LanguageModel:
    """A clone whose last layers have tensors of their own, which train."""
    own = {id(tensor) for tensor in _tensors_of_last_layers(base, count)}
    memo = {
        id(tensor): tensor
        for tensor in (*base.parameters(), *base.buffers())
        if id(tensor) not in own
    }
    model = copy.deepcopy(base, memo)
    names = {name for name, tensor in base.named_parameters() if id(tensor) in own}
    for name, tensor in model.named_parameters():
        tensor.requires_grad_(name in names)
    return model


def _loftq(model: Any, config: PeftConfig, resident: LoadedModel, recipe: Recipe) -> LanguageModel:
    """LoRA on a 4-bit base, initialized to reduce the quantization error (Li et al. 2023)."""
    from peft import replace_lora_weights_loftq

    if not torch.cuda.is_available():
        raise TrainingError(
            "PEFT computes LoftQ's start on a GPU, and there is none here; choose qlora."
        )
    set_seed(recipe.seed)
    wrapped = get_peft_model(model, config)
    folder = resident.location
    if not Path(folder).is_dir():  # PEFT would take the main branch's
        folder = snapshot_download(
            folder,
            revision=recipe.model_revision,
            local_files_only=True,
            allow_patterns=["*.safetensors", "*.safetensors.index.json"],
        )
    # Where there is no such file, PEFT reads the shards that the index beside it names.
    replace_lora_weights_loftq(wrapped, model_path=str(Path(folder) / "model.safetensors"))
    return wrapped
