"""Parsed JSON with its types: an object or a list where it is one, else None."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast


def as_object(value: Any) -> dict[str, Any] | None:
    """The value where it is an object."""
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else None


def as_list(value: Any) -> list[Any] | None:
    """The value where it is a list."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def loads(text: str) -> Any:
    """What a text holds as JSON; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
