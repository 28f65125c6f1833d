"""A finished run as the page's views read it, with markup in whatever people name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

EVIL = "<img src=x onerror=alert(1)>"


def run(**changes: Any) -> Any:
    """`changes` are fields that differ."""
    values = {
        "id": "run-1", "name": EVIL, "state": "finished", "objective": "sft", "method": "lora",
        "model": EVIL, "step": 120, "total_steps": 120, "eta_s": None, "created": 0.0,
        "started": 1.0, "ended": 35.0, "train_seconds": 34.0, "parent": None,
        "data": {"name": EVIL, "rows": {"train": 1085}}, "metrics": {"loss": 0.41}, "error": None,
        "warning": None,
        "live": False, "checkpoints": Path("nowhere"),
    }  # fmt: skip
    return SimpleNamespace(**{**values, **changes})
