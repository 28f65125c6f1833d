"""How many parameters train: PEFT's own objects on the meta device, so the figure is PEFT's."""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.calculator.matrices import Matrix, matrix
from studio.calculator.methods import PROMPTED, AdapterSpec, make_spec, peft_config
from studio.calculator.skeleton import Skeleton, build, skeleton
from studio.errors import ConfigError, did_you_mean

__all__ = ["Matrix", "ModuleCount", "ParameterCount", "count", "curve", "matrix", "targets_of"]

WHOLE_MODEL = "(whole model)"
_REMEMBERED = 256
_wrapping = threading.RLock()
_LAYER = re.compile(r".*?\.\d+(?=\.)")
_PREFIX = "base_model.model."


@dataclass(frozen=True)
class ModuleCount:
    """Trainable parameters of one kind of module, summed over the layers it repeats in.

    `tensors` are the adapter's own shapes in one of them, with the share that is not float32
    by PEFT's choice left to the memory estimate.
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
    bones = model if isinstance(model, Skeleton) else skeleton(model)
    spec = spec or make_spec()
    with _wrapping:
        found = bones.counted.get(spec)
        if found is None:
            found = _whole_model(bones) if spec.method == "full" else _adapter(bones, spec)
            bones.counted[spec] = found
            while len(bones.counted) > _REMEMBERED:
                bones.counted.popitem(last=False)
        return found


def curve(
    model: str | Path | Mapping[str, Any] | Skeleton, spec: AdapterSpec, ranks: tuple[int, ...]
) -> list[tuple[int, int]]:
    """`(rank, trainable)` for each rank.

    Every method but LoKr, which factors differently at each rank, adds the same number with each
    further rank, so two counts give them all.
    """
    bones = model if isinstance(model, Skeleton) else skeleton(model)
    if spec.method != "lokr" and not spec.rank_pattern:
        one, two = (count(bones, spec.with_rank(r)).trainable for r in (1, 2))
        return [(r, one + (r - 1) * (two - one)) for r in ranks]
    return [(r, count(bones, spec.with_rank(r)).trainable) for r in ranks]


def targets_of(model: str | Path | Mapping[str, Any] | Skeleton) -> tuple[str, ...]:
    """The names one can target in a model, in its own order."""
    bones = model if isinstance(model, Skeleton) else skeleton(model)
    return bones.suffixes()


def _whole_model(bones: Skeleton) -> ParameterCount:
    modules = tuple(
        ModuleCount(
            info.pattern, info.suffix, info.shape, info.count, info.parameters, info.parameters
        )
        for info in bones.modules
        if info.parameters
    )
    return ParameterCount(
        bones.total, bones.total, bones.total, modules, ((bones.total, False),), 0,
        _layers(bones, {info.name: info.parameters // info.count for info in bones.modules}),
        bones.source.notes,
    )  # fmt: skip


def _adapter(bones: Skeleton, spec: AdapterSpec) -> ParameterCount:
    """Wrap the thin model, or the whole one when the spec tells layers apart."""
    if spec.names_layers:
        _, base = build(bones.source)
        whole = Skeleton(
            bones.source, bones.config, base, (), bones.total, (), bones.head, bones.tied
        )
        return _count_wrapped(whole, _wrap(whole, base, spec), spec)
    return _count_wrapped(bones, _wrap(bones, bones.copy_thin(), spec), spec)


def _wrap(bones: Skeleton, base: Any, spec: AdapterSpec) -> Any:
    """PEFT's model, on the meta device; what PEFT refuses becomes one sentence."""
    import peft
    import torch

    config = peft_config(spec)
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return peft.get_peft_model(base, config)
    except Exception as error:  # PEFT raises ValueError, TypeError, KeyError ... about settings
        raise _refusal(bones, spec, error) from error


def _refusal(bones: Skeleton, spec: AdapterSpec, error: Exception) -> ConfigError:
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", " ".join(str(error).split()))
    if "not found in the base model" in text or "No modules were targeted" in text:
        return ConfigError(_no_match(bones, spec.target_modules))
    if "specify `target_modules`" in text or "specify target_modules" in text:
        return ConfigError(
            f"PEFT has no usual targets for {bones.config.model_type}; "
            f"choose some of {', '.join(bones.suffixes())}, or all-linear."
        )
    reason = text.split(". ")[0][:220].rstrip(".") or type(error).__name__
    return ConfigError(f"PEFT cannot put {spec.method} on {bones.name}: {reason}.")


def _no_match(bones: Skeleton, targets: tuple[str, ...] | str | None) -> str:
    names = bones.suffixes()
    wanted = targets if isinstance(targets, tuple) else (str(targets),)
    near = next((hint for name in wanted if (hint := did_you_mean(name, names))), "")
    return (
        f"No module of {bones.name} is called {' or '.join(wanted)}.{near} "
        f"It has {', '.join(names)}."
    )


def _count_wrapped(bones: Skeleton, wrapped: Any, spec: AdapterSpec) -> ParameterCount:
    base = {info.name: info for info in bones.modules} or _infos(bones)
    prefix = "base_model." if spec.method in PROMPTED else _PREFIX
    trainable: dict[str, list[tuple[str, Any]]] = {}
    added = frozen = 0
    for name, weight in wrapped.named_parameters():
        path = name.removeprefix(prefix)
        numbers = weight.numel() * bones.copies(path)
        if not weight.requires_grad:
            frozen += numbers
            continue
        owner = _owner(path, base)
        trainable.setdefault(owner, []).append((path[len(owner) :].lstrip("."), weight))
        added += numbers
    saved, header = _saved(bones, wrapped, spec)
    notes = (*bones.source.notes, *_notes(bones, spec, trainable))
    return ParameterCount(
        total=bones.total,
        trainable=added,
        all_parameters=added + frozen,
        modules=tuple(_table(bones, base, trainable)),
        saved=saved,
        header_bytes=header,
        layers=_layers(
            bones,
            {
                owner: sum(weight.numel() for _, weight in weights)
                for owner, weights in trainable.items()
            },
        ),
        notes=notes,
    )


def _layers(bones: Skeleton, each: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """`each` maps kept modules to their own trainable numbers; summed over every layer's."""
    sums: dict[str, int] = {}
    for owner, numbers in each.items():
        for name in bones.expand(owner):
            layer = _LAYER.match(name)
            if layer:
                sums[layer[0]] = sums.get(layer[0], 0) + numbers
    return tuple(sums.items())


def _infos(bones: Skeleton) -> dict[str, Any]:
    from studio.calculator.skeleton import module_infos

    return {info.name: info for info in module_infos(bones)}


def _owner(path: str, base: Mapping[str, Any]) -> str:
    """The base module an adapter's parameter belongs to, or "" for the model as a whole."""
    while path:
        path = path.rpartition(".")[0]
        if path in base:
            return path
    return ""


def _table(bones: Skeleton, base: Mapping[str, Any], trainable: Mapping[str, Any]) -> Any:
    merged: dict[tuple[str, tuple[int, ...]], ModuleCount] = {}
    for owner, weights in trainable.items():
        copies = bones.copies(owner) if owner else 1
        info = base.get(owner)
        pattern = re.sub(r"(?<=\.)\d+(?=\.)", "*", owner) if owner else WHOLE_MODEL
        shape = info.shape if info else ()
        added = sum(weight.numel() for _, weight in weights) * copies
        tensors = tuple((name, tuple(weight.shape)) for name, weight in weights)
        suffix = owner.rsplit(".", 1)[-1] if owner else "virtual tokens"
        before = merged.get((pattern, shape))
        merged[pattern, shape] = ModuleCount(
            pattern,
            suffix,
            shape,
            copies + (before.count if before else 0),
            (info.parameters if info else 0) + (before.parameters if before else 0),
            added + (before.trainable if before else 0),
            before.tensors if before else tensors,
        )
    return merged.values()


def _saved(
    bones: Skeleton, wrapped: Any, spec: AdapterSpec
) -> tuple[tuple[tuple[int, bool], ...], int]:
    """Tensors of the adapter file as (numbers, is_adapter), and the bytes of its header."""
    if spec.method in PROMPTED:
        settings = next(iter(wrapped.peft_config.values()))
        width = settings.token_dim * (
            2 * settings.num_layers if spec.method == "prefix_tuning" else 1
        )
        return ((spec.num_virtual_tokens * width, True),), 96
    from peft import get_peft_model_state_dict

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = get_peft_model_state_dict(wrapped, save_embedding_layers=False)
    whole = {name for name, _ in bones.thin.named_parameters()}
    saved, names = [], []
    for name, weight in state.items():
        path = name.removeprefix(_PREFIX)
        saved.append((weight.numel() * bones.copies(path), path not in whole))
        names += [(_PREFIX + full, weight) for full in bones.expand(path)]
    return tuple(saved), _header_bytes(names)


def _header_bytes(tensors: list[tuple[str, Any]]) -> int:
    """Bytes of the header: its length, then JSON padded to eight, as safetensors writes it."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, weight in sorted(tensors, key=lambda pair: pair[0]):
        end = offset + 4 * weight.numel()
        entries[name] = {
            "dtype": "F32", "shape": list(weight.shape), "data_offsets": [offset, end],
        }  # fmt: skip
        offset = end
    header = len(json.dumps(entries, separators=(",", ":")))
    return 8 + -(-header // 8) * 8


def _notes(bones: Skeleton, spec: AdapterSpec, trainable: Mapping[str, Any]) -> list[str]:
    """Things PEFT does without a word."""
    notes = []
    if isinstance(spec.target_modules, tuple):
        hit = set(trainable)
        for name in spec.target_modules:
            if not any(owner == name or owner.endswith(f".{name}") for owner in hit):
                notes.append(
                    f"{name} matches nothing in {bones.name}.{did_you_mean(name, bones.suffixes())}"
                )
    if spec.method == "adalora":
        notes.append(
            "AdaLoRA starts at this rank and prunes to half of it; the start is what counts here."
        )
    if bones.tied and any(owner == bones.head for owner in trainable):
        notes.append(f"{bones.head} shares its weights with the input embedding.")
    return notes
