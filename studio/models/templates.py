"""Chat templates: the model's own, or one of ours where it has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.errors import ModelError, did_you_mean

FOLDER = Path(__file__).resolve().parents[2] / "presets" / "templates"
DEFAULT = "plain"


def names() -> list[str]:
    """Templates that the studio can lend to a model without one."""
    return sorted(path.stem for path in FOLDER.glob("*.jinja"))


def read(name: str) -> str:
    """The Jinja text of one of our templates."""
    if name not in names():
        raise ModelError(f"There is no chat template {name!r}.{did_you_mean(name, names())}")
    return (FOLDER / f"{name}.jinja").read_text(encoding="utf-8").strip("\n")


def ensure(tokenizer: Any, name: str = DEFAULT) -> bool:
    """Give a tokenizer without a chat template one of ours; True when it was given.

    It is saved with the adapter, so training and use agree.
    """
    if tokenizer.chat_template:
        return False
    tokenizer.chat_template = read(name)
    return True
