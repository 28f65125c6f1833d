"""How many parameters train: PEFT's own objects on the meta device, so the count is PEFT's."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.calculator import experts
from studio.calculator.meta_model import LAYER, Kind, MetaModel, meta_model
from studio.calculator.peft_meta import Tensors, Wrapped, wrap
from studio.core.errors import ConfigError, did_you_mean
from studio.runs import whole_modules
from studio.runs.methods import METHODS, PROMPTED
from studio.runs.objectives import OBJECTIVES

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe

WHOLE_MODEL = "(whole model)"
_NO_SHAPE = {"lora_alpha", "lora_dropout", "use_rslora", "alpha_pattern", "loraplus_lr_ratio"}
_counting = threading.RLock()


@dataclass(frozen=True)
class ModuleCount:
    """Trainable parameters of one kind of module, summed over the layers it repeats in.

    `tensors` are the shapes that train in one of them.
    """

    pattern: str
    shape: tuple[int, ...]
    count: int
    parameters: int
    trainable: int
    tensors: tuple[tuple[int, ...], ...]

    @property
    def suffix(self) -> str:
        return "virtual tokens" if self.pattern == WHOLE_MODEL else self.pattern.rsplit(".", 1)[-1]

    def as_dict(self) -> dict[str, Any]:
        return {
            "module": self.suffix,
            "pattern": self.pattern,
            "shape": list(self.shape),
            "count": self.count,
            "parameters": self.parameters,
            "trainable": self.trainable,
        }


@dataclass(frozen=True)
class ParameterCount:
    """What trains in one model by one method.

    `total` is the base model's; `all_parameters` includes the adapter, as PEFT counts, and is what
    `percent` refers to. `layers` is (name, trainable) of every layer that trains.
    """

    total: int
    all_parameters: int
    modules: tuple[ModuleCount, ...]
    layers: tuple[tuple[str, int], ...]
    saved: tuple[Tensors, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def trainable(self) -> int:
        return sum(module.trainable for module in self.modules)

    @property
    def percent(self) -> float:
        """Trainable as a percentage of all parameters (PEFT's `trainable%`)."""
        return 100 * self.trainable / self.all_parameters

    def saved_bytes(self, trained: int = 4, base: int = 2) -> int:
        """Bytes of the file that training saves, its header included.

        `trained` and `base` are bytes per number; frozen base modules in a file keep theirs.
        """
        if not self.saved:
            return self.trainable * trained + (self.total - self.trainable) * base
        numbers = sum(part.numbers * (trained if part.adapter else base) for part in self.saved)
        return numbers + _header_bytes(self.saved)


def _header_bytes(saved: Iterable[Tensors]) -> int:
    """The header as safetensors writes it: its length, then JSON padded to eight bytes."""
    header, offset = len('{"__metadata__":{"format":"pt"}}'), 0
    parts = {name: part for part in saved for name in part.names}
    for name, part in sorted(parts.items(), key=lambda item: item[0]):
        end = offset + 4 * part.numbers // len(part.names)
        sides = ",".join(map(str, part.shape))
        header += len(
            f',"{name}":{{"dtype":"F32","shape":[{sides}],"data_offsets":[{offset},{end}]}}'
        )
        offset = end
    return 8 + -(-header // 8) * 8


def model_of(recipe: Recipe) -> MetaModel:
    """The meta model that a recipe trains. Raises `ModelError`."""
    kind: Kind = "encoder" if OBJECTIVES[recipe.objective].embeds else "causal"
    return meta_model(recipe.model_name_or_path, "score" if recipe.objective == "reward" else kind)


def count(recipe: Recipe) -> ParameterCount:
    """What a recipe trains in its model. Raises `ModelError` or `ConfigError`."""
    model, method = model_of(recipe), METHODS[recipe.method]
    with _counting:
        key = repr(recipe.model_dump(include={"method", *method.fields} - _NO_SHAPE))
        if key not in model.counted:
            if len(model.counted) >= 256:
                model.counted.clear()
            model.counted[key] = (_adapter if method.adapter else _weights)(model, recipe)
        return model.counted[key]


def curve(recipe: Recipe, ranks: Iterable[int]) -> list[tuple[int, int]]:
    """`(rank, trainable)` for each rank.

    The count is affine in the rank, except LoKr's, so that ranks 1 and 2 give all of them.
    """

    def at(rank: int) -> int:
        return count(recipe.model_copy(update={"lora_r": rank})).trainable

    if recipe.method == "lokr":
        return [(rank, at(rank)) for rank in ranks]
    first, step = at(1), at(2) - at(1)
    return [(rank, first + (rank - 1) * step) for rank in ranks]


def _weights(model: MetaModel, recipe: Recipe) -> ParameterCount:
    """Full fine-tuning, or the last layers of the longest list of them."""
    last = recipe.num_trainable_layers if recipe.method == "last_layers" else None
    prefixes = ("",) if last is None else model.last_layers(last)
    trained: list[Tensors] = []
    for path, weight in model.module.named_parameters():  # a shared weight is named once
        names = model.full_names(path)
        if not (model.scored and path.startswith(f"{model.head}.")):
            names = [name for name in names if name.startswith(prefixes)]
        if names:
            owner = path.rpartition(".")[0]
            trained.append(Tensors(owner, tuple(names), tuple(weight.shape), False))
    modules = tuple(_by_module(model, trained))
    notes = model.source.notes
    return ParameterCount(model.total, model.total, modules, _by_layer(trained), notes=notes)


def _adapter(model: MetaModel, recipe: Recipe) -> ParameterCount:
    wrapped = wrap(model, recipe)
    modules = tuple(_by_module(wrapped.model, wrapped.trained))
    return ParameterCount(
        model.total,
        sum(module.trainable for module in modules) + wrapped.frozen,
        modules,
        _by_layer(wrapped.trained),
        wrapped.saved,
        (*model.source.notes, *_notes(model, recipe, wrapped)),
    )


def _by_layer(trained: Iterable[Tensors]) -> tuple[tuple[str, int], ...]:
    sums: dict[str, int] = {}
    for part in trained:
        each = part.numbers // len(part.names)
        for name in part.names:
            if part.owner and (layer := LAYER.match(f"{name}.")):
                sums[layer[0]] = sums.get(layer[0], 0) + each
    return tuple(sums.items())


def _by_module(model: MetaModel, trained: Iterable[Tensors]) -> Iterator[ModuleCount]:
    """Trained tensors summed by their modules' patterns and shapes."""
    infos = {info.name: info for info in model.modules}
    owners: dict[str, list[Tensors]] = {}
    for part in trained:
        owners.setdefault(part.owner, []).append(part)
    merged: dict[tuple[str, tuple[int, ...]], ModuleCount] = {}
    for owner, parts in owners.items():
        info = infos.get(owner)
        pattern = re.sub(r"(?<=\.)\d+(?=\.)", "*", owner) or WHOLE_MODEL
        shape = info.shape if info else ()
        before = merged.get((pattern, shape)) or ModuleCount(pattern, shape, 0, 0, 0, ())
        merged[pattern, shape] = ModuleCount(
            pattern,
            shape,
            before.count + max(len(part.names) for part in parts),
            before.parameters + (info.parameters if info else 0),
            before.trainable + sum(part.numbers for part in parts),
            before.tensors or tuple(part.shape for part in parts),
        )
    yield from merged.values()


def _stacked(model: MetaModel, name: str) -> Iterator[str]:
    """Full names of the weights that end in the last part of a name."""
    last = name.rpartition(".")[2]
    for path, _ in model.module.named_parameters():
        if path.rpartition(".")[2] == last:
            yield from model.full_names(path)


def _in_experts(model: MetaModel, recipe: Recipe, wrapped: Wrapped) -> int | None:
    """How many parameters more would train if the recipe named all stacks; None: it cannot."""
    named = experts.names(model)
    dropped = recipe.lora_dropout or recipe.layers_to_transform
    if not named or recipe.method not in ("lora", "qlora") or dropped:
        return None
    try:
        more = wrap(model, recipe.with_(lora_target_parameters=named))
    except ConfigError:
        return None
    numbers = [sum(part.numbers for part in each.trained) for each in (wrapped, more)]
    return numbers[1] - numbers[0]


def _whole(wrapped: Wrapped) -> set[str]:
    """Names of the embedding and the norms."""
    names = {info.name for info in wrapped.model.modules}
    kept = whole_modules.found(wrapped.model.module)
    return {name for name in names if name.rpartition(".")[2] in kept}


def _notes(model: MetaModel, recipe: Recipe, wrapped: Wrapped) -> Iterator[str]:
    """What PEFT does without a word; a `ConfigError` for names that it would just pass over."""
    owners = {part.owner for part in wrapped.trained}
    hit = {*owners, *(name for owner in owners for name in wrapped.model.full_names(owner))}
    targets = recipe.lora_target_modules
    if isinstance(targets, tuple) and recipe.method not in PROMPTED:
        for name in targets:
            fused = name.rsplit(".", 1)[-1] in model.expert_names()
            if not fused and not any(f".{owner}".endswith(f".{name}") for owner in hit):
                near = did_you_mean(name, model.targets())
                yield f"{name} matches nothing in {model.name}.{near}"
    for name in recipe.lora_modules_to_save if recipe.method not in PROMPTED else ():
        if not any(name in owner for owner in owners):
            suffixes = sorted({info.suffix for info in model.modules})
            raise ConfigError(
                f"lora_modules_to_save names {name}, which {model.name} does not have."
                f"{did_you_mean(name, suffixes)}"
            )
    if recipe.train_embeddings_and_norms:
        whole = sum(part.numbers for part in wrapped.trained if part.owner in _whole(wrapped))
        yield (
            f"Embeddings and norms train in full: {whole:,} parameters beside the LoRA's, each "
            "with a gradient and an optimizer's state, in float32."
        )
    for name in recipe.lora_target_parameters:
        if not any(f".{each}".endswith(f".{name}") for each in _stacked(model, name)):
            near = did_you_mean(name, experts.names(model)) or (
                f" It has {', '.join(experts.names(model))}." if experts.names(model) else ""
            )
            raise ConfigError(
                f"lora_target_parameters names {name}, which {model.name} does not have.{near}"
            )
    if METHODS[recipe.method].config and recipe.method not in PROMPTED:
        said = experts.frozen_note(wrapped.model, owners, _in_experts(model, recipe, wrapped))
        if said:
            yield said
    for pattern in recipe.rank_pattern:  # as PEFT's `get_pattern_key` matches them
        if not any(re.match(rf"(.*\.)?({pattern})$", name) for name in hit):
            near = did_you_mean(pattern, model.targets())
            yield f"The rank for {pattern} changes nothing: no target is called that.{near}"
    if recipe.method == "adalora":
        yield "AdaLoRA starts at this rank and prunes to half of it; the start is counted here."
    if model.tied and model.head in owners:
        yield f"{model.head} shares its weights with the input embedding."
