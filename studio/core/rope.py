"""Longer contexts by scaled rotary embeddings, under transformers' names (`rope_parameters`).

A recipe gives the type, the factor and the original length; what the base says of itself, its theta
and how much of a head turns, stays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from studio.core.errors import ModelError

TYPES = ("linear", "dynamic", "yarn", "llama3")
FILE = "rope_parameters.json"
"""Beside an adapter: what its base's config has to say, as vLLM's `--hf-overrides` takes it."""
_NUMBERS = ("factor", "attention_factor", "beta_fast", "beta_slow", "low_freq_factor",
            "high_freq_factor")  # fmt: skip
_OPTIONAL: dict[str, tuple[str, ...]] = {
    "linear": (),
    "dynamic": (),
    "yarn": ("attention_factor", "beta_fast", "beta_slow"),
    "llama3": ("low_freq_factor", "high_freq_factor"),
}
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
_ORDERED = (("low_freq_factor", 1, "high_freq_factor", 4), ("beta_slow", 1, "beta_fast", 32))
"""Two ends of a ramp with what transformers takes where they are not given; the first is below."""
_FULL = "full_attention"


def checked(given: Mapping[str, Any]) -> dict[str, str | int | float]:
    """`rope_parameters` of a recipe with numbers as numbers; a `ValueError` says what is wrong."""
    if not given:
        return {}
    kind = given.get("rope_type")
    if kind not in TYPES:
        raise ValueError(
            f"rope_type is one of {', '.join(TYPES)}, such as rope_type=yarn, factor=4"
        )
    known = ("rope_type", "factor", "original_max_position_embeddings", *_OPTIONAL[kind])
    if unknown := [key for key in given if key not in known]:
        raise ValueError(f"{unknown[0]} is none of a {kind} RoPE's: {', '.join(known)}")
    if "factor" not in given:
        raise ValueError("give a factor, such as factor=4 for four times the context")
    found: dict[str, str | int | float] = {"rope_type": kind}
    for key in known[1:]:
        if key in given:
            found[key] = _number(key, given[key])
    if float(found["factor"]) <= 1:
        raise ValueError("factor is the new context over the old one, so it is above 1")
    if float(found["factor"]) > 1024:
        raise ValueError("factor is at most 1024")
    for low, least, high, most in _ORDERED:
        ends = float(found.get(low, least)), float(found.get(high, most))
        if (low in found or high in found) and ends[0] >= ends[1]:
            raise ValueError(f"{low} is below {high}: {ends[0]:g} is not below {ends[1]:g}")
    return found


def _number(key: str, value: Any) -> int | float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    whole = key not in _NUMBERS
    if isinstance(value, bool) or not 0 < number <= 1e9 or (whole and number != int(number)):
        raise ValueError(f"{key} is a {'whole ' if whole else ''}number above 0, not {value!r:.40}")
    return int(number) if whole or number == int(number) else number


def apply(config: Any, given: Mapping[str, Any], name: str) -> None:
    """Scale a config's rotary embedding, in place; once or twice is the same.

    yarn and llama3 keep the original length beside the new `max_position_embeddings`; linear and
    dynamic have no place for it, so there `max_position_embeddings` stays the original and the
    context is `factor` times that, as transformers' dynamic RoPE and vLLM read it. Where layers
    differ (Gemma 3), those with full attention are scaled: the others see no further than their
    window. A linear scaling there is in `max_position_embeddings` already, as Gemma 3 has it.

    Raises:
        ModelError: no RoPE, or one that is scaled in another way already.
    """
    text = config.get_text_config()
    own, nested = _own(text, name)
    kind = str(given["rope_type"])
    before = own.get("rope_type", "default")
    if before not in ("default", kind):
        raise ModelError(
            f"{name} was trained with a {before} RoPE, which a {kind} one would undo. "
            + (f"Choose rope_type={before}." if before in TYPES else "It cannot be scaled here.")
        )
    original = _original(text, own, nested, given, name)
    kept = {key: own[key] for key in ("rope_theta", "partial_rotary_factor") if key in own}
    scaled = {**kept, **(_LLAMA3 if kind == "llama3" else {}), **given}
    scaled.pop("original_max_position_embeddings", None)
    if kind in ("yarn", "llama3"):
        scaled["original_max_position_embeddings"] = original
    text.rope_parameters = {**text.rope_parameters, _FULL: scaled} if nested else scaled
    keeps = kind == "dynamic" or (kind == "linear" and not nested)
    text.max_position_embeddings = original if keeps else round(original * given["factor"])


def _own(text: Any, name: str) -> tuple[dict[str, Any], bool]:
    """The base's own parameters, and whether they are those of its layers with full attention."""
    found = getattr(text, "rope_parameters", None)
    if not found or not getattr(text, "max_position_embeddings", None):
        raise ModelError(
            f"{name} has no rotary position embeddings (RoPE), so rope_parameters cannot lengthen "
            "its context. Leave them empty, or choose another base."
        )
    nested = any(isinstance(value, Mapping) for value in found.values())
    own = dict((found.get(_FULL) or {}) if nested else found)
    if not own or "mrope_section" in own:
        raise ModelError(
            f"The rotary embedding of {name} has parts that rope_parameters do not reach. "
            "Leave them empty, or choose another base."
        )
    return own, nested


def _original(
    text: Any, own: Mapping[str, Any], nested: bool, given: Mapping[str, Any], name: str
) -> int:
    asked = given.get("original_max_position_embeddings")
    if asked:
        if int(asked) > text.max_position_embeddings:
            raise ModelError(
                f"original_max_position_embeddings is {asked:,}, and {name} reads "
                f"{text.max_position_embeddings:,} tokens: the original length is what it was "
                "trained at. Leave it out, or give a smaller one."
            )
        return int(asked)
    known = own.get("original_max_position_embeddings")
    if known:
        return int(known)
    linear = nested and own.get("rope_type") == "linear"
    scaled = float(own["factor"]) if linear else 1.0
    return round(text.max_position_embeddings / scaled)


def context(config: Any) -> int | None:
    """Tokens that a model reads, its scaled RoPE counted; None where its config says nothing."""
    most = getattr(config, "max_position_embeddings", None)
    found: dict[str, Any] = getattr(config, "rope_parameters", None) or {}
    outside = ("linear", "dynamic") if _FULL not in found else ("dynamic",)
    found = found.get(_FULL) or found
    factor = found.get("factor")
    if most and factor and found.get("rope_type") in outside:
        return round(most * factor)
    return most


def overrides(config: Any) -> dict[str, Any]:
    """What a scaled config says otherwise than its base's, as JSON values."""
    text = config.get_text_config()
    said = {
        "rope_parameters": text.rope_parameters,
        "max_position_embeddings": text.max_position_embeddings,
    }
    return said if text is config else {"text_config": said}


def from_overrides(said: Mapping[str, Any]) -> dict[str, str | int | float]:
    """A recipe's `rope_parameters` from `overrides`; a `ValueError` says what is wrong."""
    inside = said.get("text_config") or said
    found = dict(inside["rope_parameters"]) if "rope_parameters" in inside else {}
    found = dict(found.get(_FULL) or found)
    kind = str(found.get("rope_type"))
    if kind in ("linear", "dynamic") and inside.get("max_position_embeddings"):
        found["original_max_position_embeddings"] = inside["max_position_embeddings"]
    asked = ("rope_type", "factor", "original_max_position_embeddings", *_OPTIONAL.get(kind, ()))
    return checked({key: found[key] for key in asked if key in found})


def beyond(config: Any, length: int, name: str) -> str | None:
    """A sentence where rows may be longer than a (scaled) model reads."""
    most = context(config.get_text_config())
    if not most or length <= most:
        return None
    return (
        f"max_length is {length:,}, and {name} reads {most:,} tokens: beyond them its positions "
        "are untrained. Lower max_length, or raise the factor of rope_parameters."
    )


def words(given: Mapping[str, Any]) -> str:
    """`yarn RoPE, 4 times`."""
    return f"{given['rope_type']} RoPE, {given['factor']:g} times"
