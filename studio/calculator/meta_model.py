"""A model without weights: built on the meta device, reduced to one layer of each kind.

Most layers of a model repeat. The meta model keeps the first of each run of equal layers under its
own name and remembers which others it stands for, so that PEFT's own code counts a 70B model about
as fast as a small one.
"""

from __future__ import annotations

import copy
import math
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from studio.calculator.configs import Source, read_source, to_config, unread_sizes
from studio.core import compat
from studio.core.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from torch import nn

Kind = Literal["causal", "score", "encoder"]
LAYER = re.compile(r".*?\.\d+(?=\.)")
"""Matches the layer that a module's full name begins with."""


@dataclass(frozen=True)
class Block:
    """Equal layers of one list; the first of `indices` is kept and stands for all of them."""

    list_path: str
    indices: tuple[str, ...]

    @property
    def prefix(self) -> str:
        return f"{self.list_path}.{self.indices[0]}."


@dataclass(frozen=True)
class ModuleInfo:
    """A module with weights of its own.

    `shape` is (out, in) for a linear layer whatever its class stores, else the weight's own;
    `parameters` are summed over the `count` modules of the whole model that it stands for.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    count: int
    parameters: int

    @property
    def pattern(self) -> str:
        """The name with `*` for the layer's number."""
        return re.sub(r"(?<=\.)\d+(?=\.)", "*", self.name)

    @property
    def suffix(self) -> str:
        return self.name.rsplit(".", 1)[-1]

    @property
    def linear(self) -> bool:
        return self.kind in ("Linear", "Conv1D")


@dataclass(eq=False)
class MetaModel:
    """The reduced model (`module`), and what it takes to describe the whole one.

    `beside` counts the base's own head, which stays loaded beside a reward model's score head, or
    above an encoder's backbone.
    """

    source: Source
    kind: Kind
    config: Any
    module: nn.Module
    blocks: tuple[Block, ...]
    total: int
    head: str | None
    tied: bool
    beside: int = 0
    counted: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """Counts by adapter settings (see `parameters.count`)."""

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def scored(self) -> bool:
        """Whether a score of one number stands in place of the head."""
        return self.kind == "score"

    @cached_property
    def modules(self) -> tuple[ModuleInfo, ...]:
        """Modules with weights of their own; shared weights count where they occur first."""
        return tuple(self._module_infos())

    def _module_infos(self) -> Iterator[ModuleInfo]:
        from torch import nn

        seen: set[int] = set()
        for name, module in _named_modules(self.module):
            own = dict(module.named_parameters(recurse=False))
            if not own:
                continue
            new = [weight for weight in own.values() if id(weight) not in seen]
            seen.update(map(id, new))
            kind = "Linear" if isinstance(module, nn.Linear) else type(module).__name__
            shape = tuple(own.get("weight", next(iter(own.values()))).shape)
            copies = self.copies(name)
            numbers = sum(weight.numel() for weight in new) * copies
            yield ModuleInfo(
                name, kind, shape[::-1] if kind == "Conv1D" else shape, copies, numbers
            )

    def copies(self, path: str) -> int:
        """How many modules or tensors of the whole model the kept one at `path` stands for."""
        return math.prod(
            len(block.indices) for block in self.blocks if f"{path}.".startswith(block.prefix)
        )

    def full_names(self, path: str) -> list[str]:
        """Every name in the whole model that the kept `path` stands for."""
        names = [f"{path}."]
        for block in reversed(self.blocks):  # inner lists first
            if names[0].startswith(block.prefix):
                rests = [name.removeprefix(block.prefix) for name in names]
                names = [f"{block.list_path}.{i}.{rest}" for i in block.indices for rest in rests]
        return [name[:-1] for name in names]

    def linears(self) -> tuple[ModuleInfo, ...]:
        """The linear modules but for the output head: what `all-linear` targets."""
        return tuple(info for info in self.modules if info.linear and info.name != self.head)

    def expert_names(self) -> tuple[str, ...]:
        """Experts' matrices, which transformers fuses into stacks, by the names PEFT knows them."""
        fused = any(len(info.shape) == 3 for info in self.modules)
        return compat.expert_names(self.config.model_type) if fused else ()

    def targets(self) -> tuple[str, ...]:
        """Names that an adapter can target, in the model's order; experts' last."""
        return tuple(dict.fromkeys((*(i.suffix for i in self.linears()), *self.expert_names())))

    def layers(self) -> list[str]:
        """Names of the layers, in order: the longest list of the model."""
        lists: dict[str, list[int]] = {}
        for block in self.blocks:
            lists.setdefault(block.list_path, []).extend(map(int, block.indices))
        path = max(lists, key=lambda name: len(lists[name]), default="")
        return [f"{path}.{index}" for index in sorted(lists.get(path, []))]

    def last_layers(self, number: int) -> tuple[str, ...]:
        """Prefixes of the last `number` layers. Raises `ConfigError` where there are fewer."""
        layers = self.layers()
        if number > len(layers):
            raise ConfigError(
                f"num_trainable_layers is {number}, and {self.name} has {len(layers)} layers."
            )
        return tuple(f"{layer}." for layer in layers[-number:])

    def whole(self) -> MetaModel:
        """The same model with every layer of its own, for settings that tell layers apart."""
        return replace(self, module=build(self.source, self.kind)[1], blocks=(), counted={})

    def copy_module(self) -> nn.Module:
        """A fresh copy of the reduced model for PEFT to change."""
        return copy.deepcopy(self.module)


def meta_model(model: str | Source, kind: Kind = "causal") -> MetaModel:
    """The meta model of a model, cached by its config. Raises `ModelError`.

    Of kind `score` a score of one number per sequence stands in place of the head, as in a reward
    model; an `encoder` is the backbone alone.
    """
    return _cached(model if isinstance(model, Source) else read_source(model), kind)


@lru_cache(maxsize=6)
def _cached(source: Source, kind: Kind) -> MetaModel:
    found = _reduced(source, kind, *build(source, kind))
    if kind != "causal" and (kind == "score" or _writes(found.config)):
        plain = _cached(source, "causal")
        found.beside = sum(info.parameters for info in plain.modules if info.name == plain.head)
    return found


def _writes(config: Any) -> bool:
    """Whether transformers has a causal model of this architecture."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING


def build(source: Source, kind: Kind = "causal") -> tuple[Any, nn.Module]:
    """`(config, whole model)` on the meta device: shapes only, no storage, no remote code."""
    import torch
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

    config = to_config(source, causal=kind != "encoder")
    auto: Any = AutoModelForCausalLM
    if kind == "encoder" and not _writes(config):
        auto = AutoModel
    if kind == "score":
        config.num_labels, auto = 1, AutoModelForSequenceClassification
    try:
        # float32 is torch's default already: asking for it changes no global while others train.
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = auto.from_config(config, trust_remote_code=False, dtype=torch.float32)
    except Exception as error:  # a model class may raise anything about a shape it cannot build
        lines = str(error).strip().splitlines() or ["no reason given"]
        raise ModelError(
            f"{source.name} cannot be built from its config: {lines[0][:200]}. Check its sizes."
        ) from error
    if kind == "encoder":
        model = getattr(model, model.base_model_prefix, model)
    return config, model


def _reduced(source: Source, kind: Kind, config: Any, model: Any) -> MetaModel:
    if unread := unread_sizes(source, config):
        source = replace(source, notes=(*source.notes, unread))
    total = sum(weight.numel() for weight in model.parameters())
    output = model.get_output_embeddings() or getattr(model, "score", None)
    head = next((name for name, module in model.named_modules() if module is output), None)
    inputs = model.get_input_embeddings()
    tied = output is not None and inputs is not None and inputs.weight is output.weight
    blocks = tuple(_reduce_lists(model, ""))
    found = MetaModel(source, kind, config, model, blocks, total, head, tied)
    named: Iterable[tuple[str, nn.Parameter]] = model.named_parameters()
    if sum(weight.numel() * found.copies(name) for name, weight in named) != total:
        raise ModelError(
            f"{source.name} cannot be counted: its layers share weights in a way that the "
            "calculator does not follow."
        )
    return found


def _reduce_lists(module: nn.Module, path: str) -> Iterator[Block]:
    """Keep the first of each kind of layer in every list of layers, under its own index."""
    from torch import nn

    for name, child in list(module.named_children()):
        here = f"{path}.{name}" if path else name
        if isinstance(child, nn.ModuleList):
            kinds: dict[Any, list[str]] = {}
            for index, layer in child.named_children():
                kinds.setdefault(_signature(layer), []).append(index)
            for indices in kinds.values():
                yield Block(here, tuple(indices))
                for index in indices[1:]:
                    del child._modules[index]  # pyright: ignore[reportPrivateUsage]
        yield from _reduce_lists(child, here)


def _signature(layer: nn.Module) -> object:
    """What makes two layers count alike: names, classes and shapes, all the way down."""
    return (
        tuple((name, type(module)) for name, module in _named_modules(layer)),
        tuple((name, tuple(weight.shape)) for name, weight in layer.named_parameters()),
    )


def _named_modules(module: nn.Module) -> Iterable[tuple[str, nn.Module]]:
    untyped: Any = module  # torch types these in part only
    return untyped.named_modules()
