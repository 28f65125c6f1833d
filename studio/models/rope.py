"""Scaling the rotary embeddings of a loaded model. Imports torch; for the worker's thread."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, cast

from torch import nn

from studio.core import rope
from studio.core.errors import ModelError
from studio.core.library_types import LanguageModel


def rescale(model: LanguageModel, given: Mapping[str, Any], name: str) -> None:
    """Give a model a scaled RoPE, in place: its config, and new rotary modules.

    A clone that shares its weights with others may be changed so: the frequencies are buffers of
    the new modules, and its config is its own.

    Raises:
        ModelError: no RoPE, or one that is not made from the config.
    """
    places = list(_rotary(cast(Any, model)))
    rope.apply(model.config, given, name)
    text: Any = model.config.get_text_config()
    if not places or any(not _plain(old) for _, _, old in places):
        raise ModelError(
            f"{name} computes its rotary embedding in a way that rope_parameters do not reach. "
            "Leave them empty, or choose another base."
        )
    for module, child, old in places:
        where = next(old.buffers()).device
        made = type(old)(text).to(where)
        setattr(module, child, made.train(old.training))
    for module in model.modules():  # copies of the config that some families make
        own: Any = getattr(module, "config", None)
        if own is not text and type(own) is type(text):
            own.rope_parameters = text.rope_parameters
            own.max_position_embeddings = text.max_position_embeddings


def _rotary(model: nn.Module) -> Iterator[tuple[nn.Module, str, Any]]:
    """(parent, name, module) of every rotary embedding of the text model."""
    for module in list(model.modules()):
        for child, old in module.named_children():
            held = any(key.endswith("inv_freq") for key, _ in old.named_buffers(recurse=False))
            if held and hasattr(old, "rope_type"):
                yield module, child, old


def _plain(old: Any) -> bool:
    """Whether it is made from a config alone."""
    return set(inspect.signature(type(old).__init__).parameters) <= {"self", "config", "device"}
