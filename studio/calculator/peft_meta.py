"""PEFT's own model on the meta device, and what is read off it: what trains, what is saved.

A rank enters PEFT's shapes as a side, or as a multiple of one (fused experts), and never otherwise
but in LoKr. So two wraps, at ranks 1 and 2, give PEFT's shapes at every rank.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from studio.calculator.adapter_settings import PROMPTED, AdapterSpec
from studio.calculator.meta_model import ModuleInfo, Skeleton, build, module_infos
from studio.core.errors import ConfigError, did_you_mean
from studio.runs.methods import METHODS, peft_config

PREFIX = "base_model.model."
_LAYER = re.compile(r".*?\.\d+(?=\.)")


@dataclass(frozen=True)
class Trained:
    """One tensor that trains: its base module ("" for none), and how many there are of it."""

    owner: str
    name: str
    shape: tuple[int, ...]
    copies: int

    @property
    def numbers(self) -> int:
        return product(self.shape) * self.copies


@dataclass(frozen=True)
class Stored:
    """A tensor of the adapter file, under every name it has in the whole model."""

    names: tuple[str, ...]
    shape: tuple[int, ...]
    adapter: bool


@dataclass(frozen=True)
class Wrapped:
    """What PEFT made of a model: tensors that train, numbers that do not, tensors it saves."""

    base: Mapping[str, ModuleInfo]
    trained: tuple[Trained, ...]
    frozen: int
    stored: tuple[Stored, ...]
    layers: Mapping[str, tuple[str, ...]]
    """The layers of the whole model that each owner stands in."""

    @cached_property
    def file_order(self) -> list[tuple[str, int]]:
        """(name, index in `stored`) in the file's order."""
        pairs = [(name, i) for i, tensor in enumerate(self.stored) for name in tensor.names]
        return sorted(pairs)

    def at_rank(self, second: Wrapped, r: int) -> Wrapped:
        """This wrap is at rank 1, `second` at rank 2: the one at rank `r`."""

        def along(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(a + (r - 1) * (b - a) for a, b in zip(one, two, strict=True))

        found = replace(
            self,
            trained=tuple(
                replace(a, shape=along(a.shape, b.shape))
                for a, b in zip(self.trained, second.trained, strict=True)
            ),
            frozen=self.frozen + (r - 1) * (second.frozen - self.frozen),
            stored=tuple(
                replace(a, shape=along(a.shape, b.shape))
                for a, b in zip(self.stored, second.stored, strict=True)
            ),
        )
        found.__dict__["file_order"] = self.file_order
        return found


def product(shape: tuple[int, ...]) -> int:
    """Numbers in a tensor of this shape."""
    numbers = 1
    for side in shape:
        numbers *= side
    return numbers


def wrapped(bones: Skeleton, spec: AdapterSpec) -> Wrapped:
    """PEFT's model under `spec`; what PEFT refuses is a `ConfigError` of one sentence."""
    spec = _settled(spec)
    if METHODS[spec.method].fields[:1] != ("lora_r",) or spec.method == "lokr":
        return _remembered(bones, spec)
    one, two = (_remembered(bones, spec.with_rank(r)) for r in (1, 2))
    return one.at_rank(two, spec.lora_r)


def _settled(spec: AdapterSpec) -> AdapterSpec:
    """Without what changes no shape: methods that only start LoRA elsewhere, scales, dropout."""
    row = METHODS[spec.method]
    same = row.config == "LoraConfig" and spec.method != "dora"
    return replace(
        spec,
        method="lora" if same else spec.method,
        lora_alpha=1,
        lora_dropout=0.0,
        use_rslora=False,
        target_r=None,
        alpha_pattern=(),
    )


def _remembered(bones: Skeleton, spec: AdapterSpec) -> Wrapped:
    found = bones.wraps.get(spec)
    if found is None:
        found = bones.wraps[spec] = _wrap(bones, spec)
        while len(bones.wraps) > 32:
            bones.wraps.popitem(last=False)
    return found


def _wrap(bones: Skeleton, spec: AdapterSpec) -> Wrapped:
    """Wrap the thin model, or the whole one when the spec tells layers apart."""
    if spec.names_layers:
        _, base = build(bones.source, spec.scored)
        bones = replace(bones, thin=base, blocks=())
        bones.modules = tuple(module_infos(bones))
    else:
        base = bones.copy_thin()
    return _read(bones, _peft_model(bones, base, spec), spec)


def _peft_model(bones: Skeleton, base: Any, spec: AdapterSpec) -> Any:
    import peft
    import torch

    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return peft.get_peft_model(base, peft_config(spec))  # pyright: ignore[reportArgumentType]
    except Exception as error:  # PEFT raises ValueError, TypeError, KeyError ... about settings
        raise _refusal(bones, spec, error) from error


def _read(bones: Skeleton, model: Any, spec: AdapterSpec) -> Wrapped:
    base = {info.name: info for info in bones.modules}
    prefix = "base_model." if spec.method in PROMPTED else PREFIX
    trained, frozen = [], 0
    for name, weight in model.named_parameters():
        path = name.removeprefix(prefix)
        copies = bones.copies(path)
        if not weight.requires_grad:
            frozen += weight.numel() * copies
            continue
        owner = _owner(path, base)
        if spec.method == "llama_adapter":  # its prompts stand beside the attention's matrices
            owner = path.rpartition(".")[0]
        rest = path[len(owner) :].lstrip(".")
        trained.append(Trained(owner, rest, tuple(weight.shape), copies))
    return Wrapped(
        base,
        tuple(trained),
        frozen,
        tuple(_stored(bones, model, spec)),
        {owner: _layers(bones, owner) for owner in {tensor.owner for tensor in trained}},
    )


def _owner(path: str, base: Mapping[str, Any]) -> str:
    """The base module an adapter's parameter belongs to, or "" for the model as a whole."""
    while path:
        path = path.rpartition(".")[0]
        if path in base:
            return path
    return ""


def _layers(bones: Skeleton, owner: str) -> tuple[str, ...]:
    found = (_LAYER.match(name) for name in bones.expand(owner))
    return tuple(layer[0] for layer in found if layer)


def _stored(bones: Skeleton, model: Any, spec: AdapterSpec) -> list[Stored]:
    """What `save_pretrained` would write."""
    if spec.method in PROMPTED:
        settings = next(iter(model.peft_config.values()))
        width = settings.token_dim * (
            2 * settings.num_layers if spec.method == "prefix_tuning" else 1
        )
        prompts = Stored(("prompt_embeddings",), (spec.num_virtual_tokens, width), True)
        return [prompts, *_score(bones)] if spec.scored else [prompts]
    from peft import get_peft_model_state_dict

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = get_peft_model_state_dict(model, save_embedding_layers=False)
    whole = {name for name, _ in bones.thin.named_parameters()}
    stored = []
    for name, weight in state.items():
        path = name.removeprefix(PREFIX)
        names = tuple(PREFIX + full for full in bones.expand(path))
        stored.append(Stored(names, tuple(weight.shape), path not in whole))
    return stored


def _score(bones: Skeleton) -> list[Stored]:
    """A reward model's head, which PEFT saves beside virtual tokens."""
    return [
        Stored((f"base_model.{name}",), tuple(weight.shape), False)
        for name, weight in bones.thin.named_parameters()
        if name.startswith(f"{bones.head}.")
    ]


# --- what PEFT refuses


def _refusal(bones: Skeleton, spec: AdapterSpec, error: Exception) -> ConfigError:
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", " ".join(str(error).split()))
    if "not found in the base model" in text or "No modules were targeted" in text:
        return ConfigError(_no_match(bones, spec.lora_target_modules))
    if "specify `target_modules`" in text or "specify target_modules" in text:
        return ConfigError(
            f"PEFT has no usual targets for {bones.config.model_type}; "
            f"choose some of {', '.join(bones.suffixes())}, or all-linear."
        )
    reason = text.split(". ")[0][:220].rstrip(".") or type(error).__name__
    label = METHODS[spec.method].label
    return ConfigError(f"PEFT cannot put {label} on {bones.name}: {reason}.")


def _no_match(bones: Skeleton, targets: tuple[str, ...] | str | None) -> str:
    names = bones.targets()
    wanted = targets if isinstance(targets, tuple) else (str(targets),)
    near = next((hint for name in wanted if (hint := did_you_mean(name, names))), "")
    said = "is called" if isinstance(targets, tuple) else "is matched by"
    return (
        f"No module of {bones.name} {said} {' or '.join(wanted)}.{near} It has {', '.join(names)}."
    )
