"""Model names: the built-in model, folders, and Hub ids. Loads nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import ModelError, did_you_mean
from studio.core.workspace import PRESETS

POCKET = "pocket"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
# Hub models to start with on one GPU.
SUGGESTED = (
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    "Qwen/Qwen2-0.5B-Instruct",
    "Qwen/Qwen2.5-0.5B-Instruct",
    "meta-llama/Llama-3.2-3B-Instruct",
)


@dataclass(frozen=True)
class ModelRef:
    """A resolved model name: `location` is what `from_pretrained` takes."""

    name: str
    kind: str  # builtin | folder | hub
    location: str
    revision: str | None = None

    @property
    def label(self) -> str:
        return "Pocket, built in" if self.kind == "builtin" else self.name


def resolve(name: str, revision: str | None = None) -> ModelRef:
    """The built-in model, a folder, or a Hub id; a `ModelError` for anything else.

    A name that looks like a path is always a path, and a Hub id is never read as a folder.
    """
    name = name.strip()
    if name == POCKET:
        return ModelRef(name, "builtin", str(PRESETS / "pocket"))
    if name.startswith((".", "/", "~")) or "\\" in name:
        folder = Path(name).expanduser()
        if not (folder / "config.json").is_file():
            raise ModelError(f"{name} is not a model folder: it has no config.json.")
        return ModelRef(name, "folder", str(folder))
    if _HUB_ID.fullmatch(name) and ".." not in name and "--" not in name:
        return ModelRef(name, "hub", name, revision)
    raise ModelError(
        f"{name!r} is neither {POCKET!r}, nor a Hub id such as Qwen/Qwen2-0.5B-Instruct, "
        f"nor a folder such as ./my-model.{did_you_mean(name, (POCKET, *SUGGESTED))}"
    )


def choices() -> list[tuple[str, str]]:
    """(label, name) pairs to suggest; any Hub id or folder can be typed as well."""
    return [("Pocket, built in", POCKET), *((name, name) for name in SUGGESTED)]
