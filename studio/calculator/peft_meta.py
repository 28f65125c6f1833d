"""PEFT's own model on the meta device, and what is read off it: what trains and what is saved."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.calculator.meta_model import MetaModel
from studio.core.errors import ConfigError, did_you_mean
from studio.runs import whole_modules
from studio.runs.methods import ALL_LINEAR, METHODS, PROMPTED, peft_config, without_towers

if TYPE_CHECKING:
    from torch import Tensor

    from studio.runs.recipe import Recipe

_PREFIX = "base_model.model."
_LAYER_NUMBER = re.compile(r"(^|\.)\d+(\.|$)|\\d|\[|\d.*[*+?(|]")


@dataclass(frozen=True)
class Tensors:
    """Equal tensors: their names in the whole model, and the shape of each.

    `owner` is the module of the meta model that they belong to, "" for the model as a whole;
    `adapter` is False for a base module's own weight, which keeps the base's dtype.
    """

    owner: str
    names: tuple[str, ...]
    shape: tuple[int, ...]
    adapter: bool = True

    @property
    def numbers(self) -> int:
        """Numbers in all of them."""
        return math.prod(self.shape) * len(self.names)


@dataclass(frozen=True)
class Wrapped:
    """A model as PEFT wraps it: what trains, how many numbers do not, what the file holds."""

    model: MetaModel
    trained: tuple[Tensors, ...]
    frozen: int
    saved: tuple[Tensors, ...]


def wrap(model: MetaModel, recipe: Recipe) -> Wrapped:
    """PEFT's model of a recipe; what PEFT refuses is a `ConfigError` of one sentence."""
    if _tells_layers_apart(recipe):
        model = model.whole()
    wrapped = _peft_model(model, recipe)
    base = {info.name for info in model.modules}
    trained: list[Tensors] = []
    frozen = 0
    prefix = "base_model." if recipe.method in PROMPTED else _PREFIX
    for name, weight in wrapped.named_parameters():
        path = name.removeprefix(prefix)
        if weight.requires_grad:
            owner = _owner(path, base, recipe)
            names = tuple(model.full_names(path))
            trained.append(Tensors(owner, names, tuple(weight.shape)))
        else:
            frozen += weight.numel() * model.copies(path)
    return Wrapped(model, tuple(trained), frozen, tuple(_saved(model, wrapped, recipe)))


def _tells_layers_apart(recipe: Recipe) -> bool:
    """Whether equal layers may train differently, so that one cannot stand for the others."""
    if recipe.method == "llama_adapter" or recipe.layers_to_transform:
        return True
    targets = recipe.lora_target_modules or ()
    if isinstance(targets, str) and targets != ALL_LINEAR and re.search(r"\d", targets):
        return True
    named = (*recipe.rank_pattern, *recipe.lora_modules_to_save, *recipe.lora_target_parameters)
    return any(map(_LAYER_NUMBER.search, named if isinstance(targets, str) else (*named, *targets)))


def _peft_model(model: MetaModel, recipe: Recipe) -> Any:
    import peft
    import torch

    library: Any = peft  # its functions are not fully typed
    tokens = len(recipe.trainable_token_indices)
    # Which ones makes no difference to the count, and texts have no ids without a tokenizer.
    recipe = recipe.model_copy(update={"trainable_token_indices": tuple(range(tokens))})
    if recipe.method == "pissa":  # starts from an SVD of real weights; its shapes are LoRA's
        recipe = recipe.model_copy(update={"method": "lora"})
    module = model.copy_module()
    recipe = whole_modules.by_name(recipe, module)
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = without_towers(peft_config(recipe), module)
            return library.get_peft_model(module, config)
    except Exception as error:  # PEFT raises ValueError, TypeError, KeyError ... about settings
        raise _refusal(model, recipe, error) from error


def _owner(path: str, base: set[str], recipe: Recipe) -> str:
    if recipe.method == "llama_adapter":  # its prompts stand beside the attention's matrices
        return path.rpartition(".")[0]
    while path and path not in base:
        path = path.rpartition(".")[0]
    return path


def _saved(model: MetaModel, wrapped: Any, recipe: Recipe) -> list[Tensors]:
    """The adapter file's tensors, under the names that `save_pretrained` gives them."""
    whole = {name: tuple(weight.shape) for name, weight in model.module.named_parameters()}
    if recipe.method in PROMPTED:
        settings = next(iter(wrapped.peft_config.values()))
        width = settings.token_dim
        if recipe.method == "prefix_tuning":
            width *= 2 * settings.num_layers
        prompts = Tensors("", ("prompt_embeddings",), (recipe.num_virtual_tokens, width))
        score = [name for name in whole if model.scored and name.startswith(f"{model.head}.")]
        return [
            prompts,
            *(Tensors("", (f"base_model.{name}",), whole[name], False) for name in score),
        ]
    import peft

    library: Any = peft
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state: dict[str, Tensor] = library.get_peft_model_state_dict(
            wrapped, save_embedding_layers=False
        )
    saved: list[Tensors] = []
    for name, weight in state.items():
        path = name.removeprefix(_PREFIX)
        names = tuple(_PREFIX + full for full in model.full_names(path))
        saved.append(Tensors("", names, tuple(weight.shape), path not in whole))
    return saved


def _refusal(model: MetaModel, recipe: Recipe, error: Exception) -> ConfigError:
    """PEFT's error as one sentence that names what the model has."""
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", " ".join(str(error).split()))
    names = model.targets()
    if "not found in the base model" in text or "No modules were targeted" in text:
        targets = recipe.lora_target_modules
        wanted = targets if isinstance(targets, tuple) else (str(targets),)
        near = next((hint for name in wanted if (hint := did_you_mean(name, names))), "")
        matches = "is called" if isinstance(targets, tuple) else "is matched by"
        return ConfigError(
            f"No module of {model.name} {matches} {' or '.join(wanted)}.{near} "
            f"It has {', '.join(names)}."
        )
    if "specify `target_modules`" in text or "specify target_modules" in text:
        return ConfigError(
            f"PEFT has no default targets for {model.config.model_type}; "
            f"choose some of {', '.join(names)}, or all-linear."
        )
    reason = text.split(". ")[0][:220].rstrip(".") or type(error).__name__
    label = METHODS[recipe.method].label
    return ConfigError(f"PEFT cannot put {label} on {model.name}: {reason}.")
