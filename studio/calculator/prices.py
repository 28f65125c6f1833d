"""What a GPU costs per hour: list prices of hosted hardware, overridden by the user's own."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import cache
from typing import Any

from studio.calculator.gpus import GPUS
from studio.core.errors import ConfigError, did_you_mean
from studio.core.workspace import PRESETS, Workspace, write_json

_SHIPPED = PRESETS / "prices.json"
_FILE = "prices.json"


@cache
def _shipped() -> dict[str, Any]:
    return json.loads(_SHIPPED.read_text(encoding="utf-8"))


def source() -> str:
    """Where the shipped prices are from."""
    return str(_shipped()["source"])


def prices(workspace: Workspace) -> dict[str, float | None]:
    """Hourly price of every GPU, None where none is known; the workspace's own come first."""
    own: dict[str, float | None]
    try:
        own = json.loads((workspace.home / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        own = {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{_FILE} in the workspace cannot be read: {error}.") from None
    shipped = _shipped()["prices"]
    return {name: own.get(name, shipped.get(name)) for name in GPUS}


def keep_prices(workspace: Workspace, rows: Iterable[tuple[Any, Any]]) -> dict[str, float | None]:
    """Keep (GPU, hourly price) rows; an empty price is none. Raises `ConfigError`."""
    kept: dict[str, float | None] = {}
    for name, price in rows:
        gpu = str(name or "").strip()
        if gpu not in GPUS:
            raise ConfigError(f"No GPU is called {gpu!r}.{did_you_mean(gpu, GPUS)}")
        kept[gpu] = _price(gpu, price)
    write_json(workspace.home / _FILE, kept)
    return prices(workspace)


def _price(gpu: str, value: Any) -> float | None:
    text = str("" if value is None else value).strip().lstrip("$").strip()
    if text in ("", "nan", "None"):
        return None
    try:
        price = float(text)
    except ValueError:
        price = math.nan
    if not 0 <= price < 10_000:
        raise ConfigError(f"The price of {gpu} is {value!r}; give an hourly amount, such as 0.8.")
    return price
