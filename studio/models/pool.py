"""Models in memory: each base once, whatever the number of adapters and users.

Imports torch; only the worker's thread calls it, except for `names()`.
"""

from __future__ import annotations

import functools
import gc
import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from studio.core import rope as rope_parameters
from studio.core.errors import ModelError
from studio.core.formatting import bytes_text
from studio.core.library_types import AdaptedModel, LanguageModel, TextEncoder, Tokenizer
from studio.core.model_names import ModelRef, resolve
from studio.models import loading, rope
from studio.runs import checkpoints, launch_configs
from studio.runs.lineage import merged_parent
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.runs.store import Run, RunStore

KEEP_MODELS = 4  # bases in memory where it allows; the least recently used is dropped first
_SPARE = 1.1  # a base takes its weights, and a little to work with
KEEP_ADAPTERS = 4  # adapters per base, as many as columns; the least recently used is dropped first


class Adapter(NamedTuple):
    """An adapter in memory: the view that carries it, its folder, its file's time, its bytes."""

    view: str
    folder: Path
    stamp: float
    bytes: int


@dataclass
class LoadedModel:
    """A base in memory with its tokenizer, and weight-sharing views that carry adapters."""

    key: tuple[Any, ...]
    name: str
    model: LanguageModel
    tokenizer: Tokenizer
    fingerprint: str
    location: str = ""
    device: torch.device = torch.device("cpu")  # noqa: RUF009  (devices do not change)
    shared: bool = True
    """Whether others use the base too, so that training must leave it as it is."""
    used: float = 0.0
    views: dict[str, AdaptedModel] = field(default_factory=dict)
    adapters: dict[str, Adapter] = field(default_factory=dict)
    encoders: dict[tuple[Any, ...], TextEncoder] = field(default_factory=dict)
    """Text encoders on this base, see `studio.models.text_encoder`."""
    scaled: dict[str, LoadedModel] = field(default_factory=dict)
    """The same weights under another RoPE, each with its own views and the base's key."""

    def adapted(self, name: str) -> AdaptedModel:
        """The weight-sharing view that carries an adapter."""
        return self.views[self.adapters[name].view]

    @functools.cached_property
    def bytes(self) -> int:
        """Bytes of the weights, without adapters."""
        return self.model.get_memory_footprint()


class ModelPool:
    """Bases by name and precision; the least recently used is dropped first.

    A pool that is not `shared` is a launched process's own: its base is trained itself.
    """

    def __init__(self, shared: bool = True) -> None:
        self.shared = shared
        self._residents: dict[tuple[Any, ...], LoadedModel] = {}
        self.training: tuple[str, LanguageModel] | None = None
        """(run id, model) of the run in training; usable between its steps."""
        self._pinned: set[tuple[Any, ...]] = set()

    def names(self) -> list[str]:
        """Labels of the models in memory, for the status strip."""
        return [resident.name for resident in list(self._residents.values())]

    def base(
        self,
        name: str,
        revision: str | None = None,
        dtype: str = "auto",
        bits: dict[str, Any] | None = None,
        attention: str | None = None,
        on: torch.device | None = None,
        encoder: bool = False,
    ) -> LoadedModel:
        """The one copy of a base model, loaded if needed.

        `bits`, `attention` and `encoder` are as in `loading.load_model`. Without `on` a copy on any
        device will do, and a new one goes where most memory is free.
        """
        return self._resident(resolve(name, revision), dtype, bits, attention, on, encoder)

    def base_of(
        self, recipe: Recipe, runs: RunStore, on: torch.device | None = None
    ) -> LoadedModel:
        """The base that a recipe trains on, in the precision it trains in.

        This is the merged model where the run, or one it continues, starts from a merged run. A run
        names the device that it trains `on`.
        """
        return self._base_of(recipe, runs, quantization(recipe), on)

    def _base_of(
        self, recipe: Recipe, runs: RunStore, bits: dict[str, Any] | None, on: torch.device | None
    ) -> LoadedModel:
        parent = merged_parent(recipe, runs)
        if parent is not None:
            return self._scaled(self._merged(parent, runs, on), recipe)
        name, revision = recipe.model_name_or_path, recipe.model_revision
        encoder = OBJECTIVES[recipe.objective].embeds
        base = self.base(
            name, revision, recipe.dtype, bits, recipe.attn_implementation, on, encoder
        )
        return self._scaled(base, recipe)

    def _scaled(self, resident: LoadedModel, recipe: Recipe) -> LoadedModel:
        """A base as a recipe's `rope_parameters` have it: a view of its weights of its own.

        A base that is not shared is changed itself.
        """
        given = recipe.rope_parameters
        if not given:
            return resident
        key = json.dumps(given, sort_keys=True)
        if key not in resident.scaled:
            model = loading.clone_sharing_weights(resident.model) if self.shared else resident.model
            rope.rescale(model, given, resident.name)
            name = f"{resident.name} ({rope_parameters.words(given)})"
            resident.scaled[key] = replace(
                resident, name=name, model=model, views={}, adapters={}, encoders={}, scaled={}
            )
        return resident.scaled[key]

    def _merged(self, parent: Run, runs: RunStore, on: torch.device | None) -> LoadedModel:
        """A finished run as a model of its own: its adapter merged into an unquantized base."""
        if OBJECTIVES[parent.objective].embeds:
            raise ModelError(f"{parent.name} is a text encoder: nothing starts from it merged.")
        if parent.weights is not None:
            return self.of_folder(parent.weights, parent.name, on)
        if not self.shared:
            raise ModelError(
                f"{parent.name} would have to be merged in every process, whole. Export it merged, "
                "and name that folder as model_name_or_path."
            )
        base = self._base_of(parent.recipe, runs, None, on)
        key = (*base.key, "merged", parent.id)
        resident = self._residents.get(key)
        if resident is None:
            name = f"{base.name} with {parent.name}"
            resident = LoadedModel(
                key,
                name,
                self._merge(base, adapter_of(parent, base), name),
                base.tokenizer,
                f"{base.fingerprint}+{parent.id}",
                base.location,
                base.device,
            )
            self._residents[key] = resident
        resident.used = time.monotonic()
        return resident

    def _merge(self, base: LoadedModel, folder: Path, name: str) -> LanguageModel:
        """A base with an adapter merged: a copy where both fit, else the base itself, let go."""
        self._let_go(base.bytes, base.device, keep=base.key)
        short = loading.memory_free(base.device) < _SPARE * base.bytes
        if short and base.key not in self._pinned:
            base.views.clear()
            base.adapters.clear()
            base.encoders.clear()
            self.drop(base)
            return loading.merge(loading.load_adapter(base.model, folder), folder)
        self._make_room(name, base.bytes, base.device, keep=base.key)
        return loading.merged(base.model, folder)

    def of_folder(self, folder: Path, label: str, on: torch.device | None = None) -> LoadedModel:
        """A model from a run's folder: a full fine-tune's weights."""
        return self._resident(ModelRef(label, "folder", str(folder)), "auto", None, None, on)

    def _resident(
        self,
        reference: ModelRef,
        dtype: str,
        bits: dict[str, Any] | None,
        attention: str | None,
        on: torch.device | None,
        encoder: bool = False,
    ) -> LoadedModel:
        weights = (
            reference.location,
            reference.revision or "main",
            loading.weights_dtype(dtype),
            tuple(sorted(bits.items())) if bits else None,
            attention,
            *(["encoder"] if encoder and loading.headless(reference) else []),
        )
        resident = self._copy_of(weights, on)
        if resident is None:
            on = on or loading.roomiest_device()
            key = (*weights, str(on))
            self._make_room(reference.label, loading.weight_bytes(reference, dtype, bits), on)
            tokenizer = loading.load_tokenizer(reference)
            loading.check_vocabulary(reference, tokenizer)
            model = loading.load_model(
                reference, dtype, bits, attention, on, **({"encoder": True} if encoder else {})
            )
            kept = "8-bit" if bits and "load_in_8bit" in bits else "4-bit"
            label = reference.label + (f" ({kept})" if bits else "")
            stamp = loading.fingerprint(reference, model)
            resident = LoadedModel(
                key, label, model, tokenizer, stamp, reference.location, on, self.shared
            )
            self._residents[key] = resident
        resident.used = time.monotonic()
        return resident

    def _copy_of(self, weights: tuple[Any, ...], on: torch.device | None) -> LoadedModel | None:
        """These weights on a device, or on any; the copy that trains first, then the newest."""
        copies = [
            resident
            for resident in self._residents.values()
            if resident.key[:-1] == weights and on in (None, resident.device)
        ]
        return max(copies, key=lambda one: (one.key in self._pinned, one.used), default=None)

    def pin(self, resident: LoadedModel) -> None:
        """Keep a base while a run trains on it, and let go of all that nobody is using."""
        self._pinned = {resident.key}
        self.release_idle()

    def unpin(self) -> None:
        self._pinned = set()

    def release_idle(self) -> None:
        """Let go of every base that is not pinned, on a device whose memory training needs."""
        training = {self._residents[key].device for key in self._pinned if key in self._residents}
        for resident in self._idle():
            if resident.device.type != "cpu" and (not training or resident.device in training):
                self.drop(resident)

    def _idle(self, keep: tuple[Any, ...] | None = None) -> list[LoadedModel]:
        """The bases that may go, least recently used first."""
        idle = [r for r in self._residents.values() if r.key not in self._pinned | {keep}]
        return sorted(idle, key=lambda resident: resident.used)

    def _make_room(
        self, name: str, needed: int, on: torch.device, keep: tuple[Any, ...] | None = None
    ) -> None:
        """Let idle bases on a device go until `needed` bytes more fit there.

        Raises `ModelError` where they cannot, because a run trains on what is left: a second model
        would end it. With nothing in training the load itself decides.
        """
        self._let_go(needed, on, keep)
        free = loading.memory_free(on)
        if self._pinned and free < _SPARE * needed:
            raise ModelError(
                f"{name} takes about {bytes_text(needed)}, and {bytes_text(free)} are free while a "
                "run trains. Wait for the run, or choose a smaller model."
            )

    def _let_go(self, needed: int, on: torch.device, keep: tuple[Any, ...] | None) -> None:
        """Let idle bases go, least recently used first, while `needed` bytes more do not fit."""
        for resident in self._idle(keep):
            many = len(self._residents) >= KEEP_MODELS
            short = loading.memory_free(on) < _SPARE * needed
            if many or (short and resident.device == on):
                self.drop(resident)

    def drop(self, resident: LoadedModel) -> None:
        """Drop a base and its adapters; their memory is freed once no job holds them."""
        self._residents.pop(resident.key, None)
        release_memory()

    def with_adapter(self, resident: LoadedModel, run: Run, checkpoint: Path | None = None) -> str:
        """Load the adapter of a run or a checkpoint; its name for `adapted`.

        LoRA adapters share one view, so that their rows can share a batch. An adapter of another
        method, or with trained tokens, gets a view of its own: a PEFT model holds one method.
        """
        folder = adapter_of(run, resident, checkpoint)
        stamp = (folder / "adapter_config.json").stat().st_mtime
        name = f"{run.id}-{checkpoint.name}" if checkpoint else run.id
        if name in resident.adapters:
            if resident.adapters[name].stamp == stamp:
                resident.adapters[name] = resident.adapters.pop(name)  # most recently used
                return name
            self._unload(resident, name)
        while len(resident.adapters) >= KEEP_ADAPTERS:
            self._unload(resident, next(iter(resident.adapters)))
        # Adapters with tokens of their own would share one embedding: PEFT uses one at a time. Of
        # those on stacked weights PEFT wants the same stacks on one model.
        plain = METHODS[run.method].config == "LoraConfig"
        whole = run.recipe.train_embeddings_and_norms
        own = run.recipe.trainable_token_indices or whole or adapts_stacks(run)
        kind = "lora" if plain and not own else name
        view = resident.views.get(kind)
        if view is None:
            view = loading.clone_sharing_weights(resident.model)
        try:
            resident.views[kind] = loading.load_adapter(view, folder, name).eval()
        except Exception:
            self._renew(resident, kind)
            raise
        size = sum(path.stat().st_size for path in folder.glob("adapter_model.*"))
        resident.adapters[name] = Adapter(kind, folder, stamp, size)
        return name

    @staticmethod
    def _renew(resident: LoadedModel, kind: str) -> None:
        """Make a view anew in which PEFT left half an adapter: the others must not suffer."""
        resident.views.pop(kind, None)
        others = {name: one for name, one in resident.adapters.items() if one.view == kind}
        for name, one in list(others.items()):
            if not (one.folder / "adapter_config.json").is_file():  # of a run deleted meanwhile
                del others[name], resident.adapters[name]
        view: Any = loading.clone_sharing_weights(resident.model) if others else None
        for name, one in others.items():
            view = resident.views[kind] = loading.load_adapter(view, one.folder, name).eval()

    def try_adapter(self, run: Run, runs: RunStore) -> None:
        """Load a run's adapter on a wrapper that is thrown away; `ModelError` where it cannot."""
        resident = self.base_of(run.recipe, runs)
        view = loading.clone_sharing_weights(resident.model)
        loading.load_adapter(view, adapter_of(run, resident))

    @staticmethod
    def _unload(resident: LoadedModel, name: str) -> None:
        kind = resident.adapters.pop(name).view
        if any(other.view == kind for other in resident.adapters.values()):
            resident.views[kind].delete_adapter(name)
        else:  # a PEFT model needs an adapter, so the view is made anew
            del resident.views[kind]


def adapter_of(run: Run, resident: LoadedModel, checkpoint: Path | None = None) -> Path:
    """The folder of a run's adapter; refused where it is for other weights or a reward model."""
    folder = checkpoint or run.adapter
    if folder is None:
        raise ModelError(f"{run.name} has no adapter: it is {run.state}. Finish the run first.")
    if run.objective == "reward":
        raise ModelError(f"{run.name} is a reward model: it scores answers and generates none.")
    if OBJECTIVES[run.objective].embeds:
        raise ModelError(f"{run.name} is a text encoder: it gives vectors and writes no answers.")
    if run.base and run.base != resident.fingerprint:
        raise ModelError(
            f"{run.name} was trained on other weights than {run.model} holds now, so its "
            "adapter does not belong on them. Train it again, or bring the old weights back."
        )
    return folder


def adapts_stacks(run: Run) -> bool:
    """Whether a run's adapter stands on stacked weights, as a mixture's experts: PEFT runs no rows
    of other adapters beside it. all-linear may have named them without the recipe doing so."""
    if run.recipe.lora_target_parameters:
        return True
    folder = run.adapter or checkpoints.newest(run.checkpoints)
    try:
        config = json.loads((folder / "adapter_config.json").read_text("utf-8")) if folder else {}
    except (OSError, ValueError):
        return False  # loading it says what is wrong
    return bool(config.get("target_parameters"))


def quantization(recipe: Recipe) -> dict[str, Any] | None:
    """Arguments of `BitsAndBytesConfig` for a recipe's base; None for unquantized weights."""
    if not recipe.quantized:
        return None
    if recipe.load_in_8bit:
        return {"load_in_8bit": True}
    bits: dict[str, Any] = {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": recipe.bnb_4bit_quant_type,
        "bnb_4bit_use_double_quant": recipe.use_bnb_nested_quant,
    }
    if launch_configs.LAUNCH_CONFIGS[recipe.accelerate_config].fsdp:
        # FSDP divides weights of one floating type: what they are kept as is what they compute in.
        bits["bnb_4bit_quant_storage"] = loading.dtype_name(recipe.dtype)
    return bits


def release_memory() -> None:
    """Free what nothing refers to, on the host and on the device."""
    gc.collect()
    if loading.device().type == "cuda":
        torch.cuda.empty_cache()
