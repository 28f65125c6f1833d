"""How many parameters train: PEFT's own objects on the meta device, so the figure is PEFT's."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.calculator.adapter_settings import PROMPTED, AdapterSpec, make_spec
from studio.calculator.matrices import Matrix, matrix
from studio.calculator.meta_model import Skeleton, skeleton
from studio.calculator.peft_meta import Trained, Wrapped, product, wrapped
from studio.core.errors import ConfigError, did_you_mean
from studio.runs.methods import METHODS

__all__ = ["Matrix", "ModuleCount", "ParameterCount", "count", "curve", "matrix", "targets_of"]

WHOLE_MODEL = "(whole model)"
_REMEMBERED = 256
_counting = threading.RLock()
_LAYER = re.compile(r".*?\.\d+(?=\.)")


@dataclass(frozen=True)
class ModuleCount:
    """Trainable parameters of one kind of module, summed over the layers it repeats in.

    `tensors` are the adapter's own shapes in one of them.
    """

    pattern: str
    suffix: str
    shape: tuple[int, ...]
    count: int
    parameters: int
    trainable: int
    tensors: tuple[tuple[str, tuple[int, ...]], ...] = ()

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

    `total` is the base model's; `all_parameters` counts the adapter too, as PEFT does, and is
    what `percent` refers to. `saved` lists the adapter file's tensors as (numbers, is_adapter);
    `layers` is (name, trainable) of every layer that trains.
    """

    total: int
    trainable: int
    all_parameters: int
    modules: tuple[ModuleCount, ...]
    saved: tuple[tuple[int, bool], ...]
    header_bytes: int
    layers: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def percent(self) -> float:
        """Trainable as a percentage of all parameters (PEFT's `trainable%`)."""
        return 100 * self.trainable / self.all_parameters

    def adapter_bytes(self, adapter_dtype: int = 4, base_dtype: int = 2) -> int:
        """Size of the saved adapter file; whole modules in it keep the base's dtype."""
        body = sum(
            n * (adapter_dtype if is_adapter else base_dtype) for n, is_adapter in self.saved
        )
        return body + self.header_bytes


def count(
    model: str | Path | Mapping[str, Any] | Skeleton, spec: AdapterSpec | None = None
) -> ParameterCount:
    """Count `model` under `spec` (LoRA at its defaults when left out). Raises `StudioError`s."""
    spec = spec or make_spec()
    bones = model if isinstance(model, Skeleton) else skeleton(model, spec.scored)
    with _counting:
        found = bones.counted.get(spec)
        if found is None:
            whole = not METHODS[spec.method].adapter
            found = _weights(bones, spec) if whole else _adapter(bones, spec)
            bones.counted[spec] = found
            while len(bones.counted) > _REMEMBERED:
                bones.counted.popitem(last=False)
        return found


def curve(
    model: str | Path | Mapping[str, Any] | Skeleton, spec: AdapterSpec, ranks: tuple[int, ...]
) -> list[tuple[int, int]]:
    """`(rank, trainable)` for each rank."""
    bones = model if isinstance(model, Skeleton) else skeleton(model, spec.scored)
    with _counting:
        return [
            (r, sum(tensor.numbers for tensor in wrapped(bones, spec.with_rank(r)).trained))
            for r in ranks
        ]


def targets_of(model: str | Path | Mapping[str, Any] | Skeleton) -> tuple[str, ...]:
    """The names one can target in a model, in its own order."""
    bones = model if isinstance(model, Skeleton) else skeleton(model)
    return bones.targets()


# --- weights of the model itself


def _weights(bones: Skeleton, spec: AdapterSpec) -> ParameterCount:
    """Full fine-tuning, or the last layers of the longest list of them."""
    last = spec.num_trainable_layers if spec.method == "last_layers" else None
    chosen = None if last is None else set(bones.last_layers(last))
    modules, layers = [], {}
    for info in bones.modules:
        if not info.parameters:
            continue
        each = info.parameters // info.count
        names = list(bones.expand(info.name))
        if chosen is not None and not (spec.scored and info.name == bones.head):
            names = [name for name in names if any(name.startswith(layer) for layer in chosen)]
        if not names:
            continue
        modules.append(
            ModuleCount(
                info.pattern,
                info.suffix,
                info.shape,
                len(names),
                info.parameters,
                each * len(names),
            )
        )
        for name in names:
            if layer := _LAYER.match(name):
                layers[layer[0]] = layers.get(layer[0], 0) + each
    return ParameterCount(
        bones.total,
        sum(module.trainable for module in modules),
        bones.total,
        tuple(modules),
        ((bones.total, False),),
        0,
        tuple(layers.items()),
        bones.source.notes,
    )


# --- an adapter


def _adapter(bones: Skeleton, spec: AdapterSpec) -> ParameterCount:
    found = wrapped(bones, spec)
    trainable = sum(tensor.numbers for tensor in found.trained)
    return ParameterCount(
        total=bones.total,
        trainable=trainable,
        all_parameters=trainable + found.frozen,
        modules=tuple(_table(found)),
        saved=tuple(
            (product(tensor.shape) * len(tensor.names), tensor.adapter) for tensor in found.stored
        ),
        header_bytes=_header_bytes(found),
        layers=_layers(found),
        notes=(*bones.source.notes, *_notes(bones, spec, found)),
    )


def _layers(found: Wrapped) -> tuple[tuple[str, int], ...]:
    sums: dict[str, int] = {}
    for tensor in found.trained:
        numbers = product(tensor.shape)
        for layer in found.layers[tensor.owner]:
            sums[layer] = sums.get(layer, 0) + numbers
    return tuple(sums.items())


def _table(found: Wrapped) -> Iterator[ModuleCount]:
    owners: dict[str, list[Trained]] = {}
    for tensor in found.trained:
        owners.setdefault(tensor.owner, []).append(tensor)
    merged: dict[tuple[str, tuple[int, ...]], ModuleCount] = {}
    for owner, tensors in owners.items():
        info = found.base.get(owner)
        pattern = re.sub(r"(?<=\.)\d+(?=\.)", "*", owner) if owner else WHOLE_MODEL
        shape = info.shape if info else ()
        before = merged.get((pattern, shape))
        merged[pattern, shape] = ModuleCount(
            pattern,
            owner.rsplit(".", 1)[-1] if owner else "virtual tokens",
            shape,
            (info.count if info else 1) + (before.count if before else 0),
            (info.parameters if info else 0) + (before.parameters if before else 0),
            sum(tensor.numbers for tensor in tensors) + (before.trainable if before else 0),
            before.tensors if before else tuple((t.name, t.shape) for t in tensors),
        )
    yield from merged.values()


def _header_bytes(found: Wrapped) -> int:
    """Bytes of the header: its length, then JSON padded to eight, as safetensors writes it."""
    if len(found.file_order) == 1:
        return 96
    header, offset = len('{"__metadata__":{"format":"pt"}}'), 0
    for name, index in found.file_order:
        shape = found.stored[index].shape
        end = offset + 4 * product(shape)
        sides = ",".join(map(str, shape))
        entry = f',"{name}":{{"dtype":"F32","shape":[{sides}],"data_offsets":[{offset},{end}]}}'
        header += len(entry)
        offset = end
    return 8 + -(-header // 8) * 8


def _notes(bones: Skeleton, spec: AdapterSpec, found: Wrapped) -> Iterator[str]:
    """Things PEFT does without a word; a `ConfigError` for names that it would just pass over."""
    hit = {tensor.owner for tensor in found.trained}
    if isinstance(spec.lora_target_modules, tuple) and spec.method not in PROMPTED:
        for name in spec.lora_target_modules:
            fused = name.rsplit(".", 1)[-1] in bones.expert_names()
            if not fused and not any(_named(owner, name) for owner in hit):
                near = did_you_mean(name, bones.targets())
                yield f"{name} matches nothing in {bones.name}.{near}"
    everything = {info.name for info in bones.modules}
    for name in spec.lora_modules_to_save:
        if not any(name in owner for owner in hit):
            suffixes = {part.rsplit(".", 1)[-1] for part in everything}
            raise ConfigError(
                f"lora_modules_to_save names {name}, which {bones.name} does not have."
                f"{did_you_mean(name, sorted(suffixes))}"
            )
    for pattern, _ in spec.rank_pattern:
        if not any(_patterned(name, pattern) for owner in hit for name in _spelt(bones, owner)):
            near = did_you_mean(pattern, bones.targets())
            yield f"The rank for {pattern} changes nothing: no chosen target is called so.{near}"
    if spec.method == "adalora":
        yield "AdaLoRA starts at this rank and prunes to half of it; the start is what counts here."
    if bones.tied and bones.head in hit:
        yield f"{bones.head} shares its weights with the input embedding."


def _named(owner: str, name: str) -> bool:
    return owner == name or owner.endswith(f".{name}")


def _spelt(bones: Skeleton, owner: str) -> Iterator[str]:
    """A kept module's names in the whole model; in a wrap of the whole one there is just one."""
    yield owner
    yield from bones.expand(owner)


def _patterned(name: str, pattern: str) -> bool:
    """PEFT's `get_pattern_key`: the pattern is a regex for the end of a module's name."""
    return re.match(rf"(.*\.)?({pattern})$", name) is not None
