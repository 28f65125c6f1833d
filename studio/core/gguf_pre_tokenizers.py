"""Which tokenizers llama.cpp has a counterpart of, asked before training and when exporting."""

from __future__ import annotations

import json
from typing import Any

from studio.core import compat
from studio.core.errors import ModelError
from studio.core.library_types import Tokenizer


def unwritable(tokenizer: Tokenizer) -> str | None:
    """Why a model with this tokenizer cannot be exported as GGUF, as a sentence; None where it can
    as far as the tokenizer goes."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return "This model's tokenizer is written in Python, so it cannot be written as GGUF."
    whole = json.loads(backend.to_str())
    try:
        check_kind(whole["model"])
        if not whole["model"].get("byte_fallback"):
            pre_tokenizer(whole)
    except ModelError as error:
        return str(error)
    return None


def check_kind(model: dict[str, Any]) -> None:
    """Raise `ModelError` for a tokenizer that is no BPE."""
    if model["type"] != "BPE":
        raise ModelError(
            f"A {model['type']} tokenizer cannot be written as GGUF here; byte-level BPE and "
            "SentencePiece's BPE can. Export it merged instead."
        )


def steps_of(step: dict[str, Any] | None, inner: str) -> list[dict[str, Any]]:
    """The steps of a normalizer or pre-tokenizer, one after the other."""
    if step is None:
        return []
    return step[inner] if step["type"] == "Sequence" else [step]


def pre_tokenizer(whole: dict[str, Any]) -> str:
    """llama.cpp's name of the rule that cuts text into words before the merges."""
    steps = steps_of(whole.get("pre_tokenizer"), "pretokenizers")
    kinds = [step["type"] for step in steps]
    if kinds == ["ByteLevel"] and steps[0]["use_regex"] and not steps[0]["add_prefix_space"]:
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"]:
        bare = steps[1]["use_regex"] and not steps[1]["add_prefix_space"]
        if bare and steps[0]["individual_digits"]:
            return "smollm"  # llama.cpp has the same rule as starcoder, refact and command-r
    if kinds == ["Split", "ByteLevel"]:
        rule = steps[0]["pattern"].get("Regex")
        for name in ("llama-bpe", "qwen2", "tekken", "gpt-4o"):
            if compat.gguf_pre_tokenizers()[name] == rule:
                return name
    raise ModelError(
        "This tokenizer's pre-tokenizer has no counterpart in llama.cpp, so it "
        "cannot be written as GGUF. Export it merged instead."
    )
