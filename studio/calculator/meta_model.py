"""A model without weights: built once on the meta device, thinned to one layer of each kind.

Two hundred gigabytes of model are a few thousand shapes, and most layers repeat. The skeleton
keeps the first of each run of equal layers under its own name and remembers how often it stands
for others, so that PEFT's real code counts a 70B model as quickly as a small one.
"""

from __future__ import annotations

import copy
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.calculator.configs import Source, read_source, to_config
from studio.core import compat
from studio.core.errors import ConfigError, ModelError

_KEPT = 6
_cache: OrderedDict[tuple[str, bool], Skeleton] = OrderedDict()
_lock = threading.RLock()


@dataclass(frozen=True)
class Block:
    """One kept entry of a list of layers, and the indices it stands for."""

    list_path: str
    index: str
    indices: tuple[str, ...]

    @property
    def prefix(self) -> str:
        return f"{self.list_path}.{self.index}."


@dataclass(frozen=True)
class ModuleInfo:
    """A module that holds weights of its own, summed over the layers it repeats in.

    `name` is the kept one's full name, `pattern` has `*` for the layer; `shape` is (out, in) for
    a linear layer whatever its class stores, and the weight's own shape otherwise.
    """

    name: str
    pattern: str
    suffix: str
    kind: str
    shape: tuple[int, ...]
    count: int
    parameters: int

    @property
    def linear(self) -> bool:
        return self.kind in ("Linear", "Conv1D")


@dataclass
class Skeleton:
    """The thinned model and what is needed to speak about the whole one."""

    source: Source
    config: Any
    thin: Any
    blocks: tuple[Block, ...]
    total: int
    modules: tuple[ModuleInfo, ...]
    head: str | None
    tied: bool
    beside: int = 0
    """Parameters of the base's own head, which stays loaded beside a score that took its place."""
    counted: OrderedDict[Any, Any] = field(default_factory=OrderedDict, repr=False)
    wraps: OrderedDict[Any, Any] = field(default_factory=OrderedDict, repr=False)

    @property
    def name(self) -> str:
        return self.source.name

    def copies(self, path: str) -> int:
        """How many of the whole model's modules the kept one at `path` stands for."""
        number = 1
        for block in self.blocks:
            if path.startswith(block.prefix) or path == block.prefix[:-1]:
                number *= len(block.indices)
        return number

    def pattern(self, path: str) -> str:
        """`model.layers.0.mlp` as `model.layers.*.mlp`, where layer 0 stands for several."""
        for block in sorted(self.blocks, key=lambda block: -len(block.prefix)):
            if len(block.indices) > 1 and path.startswith(block.prefix):
                path = f"{block.list_path}.*.{path[len(block.prefix) :]}"
        return path

    def expand(self, path: str) -> Iterator[str]:
        """Every name in the whole model that the kept `path` stands for."""
        inner = [block for block in self.blocks if path.startswith(block.prefix)]
        if not inner:
            yield path
            return
        block = max(inner, key=lambda block: len(block.prefix))
        rest = path[len(block.prefix) :]
        for parent in self.expand(block.list_path):
            for index in block.indices:
                yield f"{parent}.{index}.{rest}"

    def linears(self) -> tuple[ModuleInfo, ...]:
        """The linear modules, without the output head: what `all-linear` takes."""
        return tuple(info for info in self.modules if info.linear and info.name != self.head)

    def suffixes(self) -> tuple[str, ...]:
        """Names to choose targets from, in the model's order."""
        return tuple(dict.fromkeys(info.suffix for info in self.linears()))

    def expert_names(self) -> tuple[str, ...]:
        """Experts' matrices, which transformers fuses into stacks, by the names PEFT knows them."""
        fused = any(len(info.shape) == 3 for info in self.modules)
        return compat.expert_names(self.config.model_type) if fused else ()

    def targets(self) -> tuple[str, ...]:
        """All names that an adapter can be put on, experts' included."""
        return tuple(dict.fromkeys((*self.suffixes(), *self.expert_names())))

    def last_layers(self, number: int) -> tuple[str, ...]:
        """Prefixes of the last layers of the longest list of them. Raises `ConfigError`."""
        lists: dict[str, list[int]] = {}
        for block in self.blocks:
            lists.setdefault(block.list_path, []).extend(map(int, block.indices))
        path = max(lists, key=lambda name: len(lists[name]), default="")
        indices = sorted(lists.get(path, []))
        if number > len(indices):
            raise ConfigError(
                f"num_trainable_layers is {number}, and {self.name} has {len(indices)} layers."
            )
        return tuple(f"{path}.{index}." for index in indices[-number:])

    def copy_thin(self) -> Any:
        """A fresh thin model for PEFT to work on."""
        return copy.deepcopy(self.thin)


def skeleton(model: str | Path | Mapping[str, Any] | Source, scored: bool = False) -> Skeleton:
    """The skeleton of a model, from cache when its shape was seen before. Raises `ModelError`.

    `scored` has a score of one number a sequence in the head's place, as a reward model does.
    """
    source = model if isinstance(model, Source) else read_source(model)
    key = source.digest, scored
    with _lock:
        found = _cache.get(key)
        if found is None:
            found = _thin(source, *build(source, scored))
            if scored:
                plain = skeleton(source)
                found.beside = sum(
                    info.parameters for info in plain.modules if info.name == plain.head
                )
            _cache[key] = found
            while len(_cache) > _KEPT:
                _cache.popitem(last=False)
        _cache.move_to_end(key)
        return found


def forget() -> None:
    """Empty the cache (tests and benchmarks measure a cold start with it)."""
    with _lock:
        _cache.clear()


def build(source: Source, scored: bool = False) -> tuple[Any, Any]:
    """`(config, whole model)` on the meta device: shapes only, no storage, no remote code."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    config = to_config(source)
    auto = AutoModelForCausalLM
    if scored:
        config.num_labels, auto = 1, AutoModelForSequenceClassification
    try:
        # float32 is torch's default already: asking for it changes no global while others train.
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = auto.from_config(config, trust_remote_code=False, dtype=torch.float32)
    except Exception as error:  # a model class may raise anything about a shape it cannot build
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else "no reason"
        raise ModelError(
            f"{source.name} cannot be built from its config: {reason}. Check its sizes."
        ) from error
    return config, model


def _thin(source: Source, config: Any, model: Any) -> Skeleton:
    total = sum(parameter.numel() for parameter in model.parameters())
    embeddings = model.get_output_embeddings() or getattr(model, "score", None)
    head = next((name for name, module in model.named_modules() if module is embeddings), None)
    blocks: list[Block] = []
    _thin_lists(model, "", blocks)
    found = Skeleton(source, config, model, tuple(blocks), total, (), head, False)
    tied = embeddings is not None and _is_input(model, embeddings)
    found.modules, found.tied = tuple(module_infos(found)), tied
    kept = sum(
        parameter.numel() * found.copies(name) for name, parameter in model.named_parameters()
    )
    if kept != total:
        raise ModelError(
            f"{source.name} could not be counted soundly: its layers share weights in a way "
            "the calculator does not follow."
        )
    return found


def _is_input(model: Any, embeddings: Any) -> bool:
    inputs = model.get_input_embeddings()
    return inputs is not None and inputs.weight is embeddings.weight


def _thin_lists(module: Any, path: str, blocks: list[Block]) -> None:
    """Keep the first of each kind of child in every list of layers, under its own index."""
    from torch import nn

    for name, child in list(module.named_children()):
        here = f"{path}.{name}" if path else name
        if isinstance(child, nn.ModuleList) and len(child):
            kinds: dict[Any, list[str]] = {}
            for index, layer in child.named_children():
                kinds.setdefault(_signature(layer), []).append(index)
            for indices in kinds.values():
                blocks.append(Block(here, indices[0], tuple(indices)))
                for index in indices[1:]:
                    del child._modules[index]
        _thin_lists(child, here, blocks)


def _signature(layer: Any) -> Any:
    """What makes two layers count alike: names, classes and shapes, all the way down."""
    return (
        type(layer),
        tuple((name, type(module)) for name, module in layer.named_modules()),
        tuple((name, tuple(weight.shape)) for name, weight in layer.named_parameters()),
    )


def module_infos(found: Skeleton) -> Iterator[ModuleInfo]:
    """Every module with weights of its own; weights that are shared count where first met."""
    seen: set[int] = set()
    for name, module in found.thin.named_modules():
        own = list(module.named_parameters(recurse=False))
        if not own:
            continue
        fresh = [weight for _, weight in own if id(weight) not in seen]
        seen.update(id(weight) for _, weight in own)
        kind = type(module).__name__
        weight = next((weight for key, weight in own if key == "weight"), own[0][1])
        shape = tuple(weight.shape)
        if kind == "Conv1D":
            shape = shape[::-1]
        elif _is_linear(module):
            kind = "Linear"
        copies = found.copies(name)
        yield ModuleInfo(
            name=name,
            pattern=found.pattern(name),
            suffix=name.rsplit(".", 1)[-1],
            kind=kind,
            shape=shape,
            count=copies,
            parameters=sum(weight.numel() for weight in fresh) * copies,
        )


def _is_linear(module: Any) -> bool:
    from torch import nn

    return isinstance(module, nn.Linear)
