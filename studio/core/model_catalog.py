"""The models that ship by name in `presets/models.yaml`: what one is chosen by, and its sizes.

Numbers and names only; weights and tokenizers come from the Hub. `python -m benchmarks.models`
counts every entry anew and compares it with what its makers publish.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from studio.core.formatting import DOT
from studio.core.workspace import PRESETS

FILE = PRESETS / "models.yaml"
_LICENSES = {"apache-2.0": "Apache 2.0", "mit": "MIT"}


@dataclass(frozen=True)
class CatalogModel:
    """One model. `parameters` are the language model's own, `context` is in tokens.

    `learning_rates` are by objective and method, such as "sft lora", and come from `rates_from`;
    `moe` holds the experts of a layer and how many of them a token uses; `config` is what
    `config.json` says of its sizes.
    """

    id: str
    parameters: int
    published: float
    context: int
    license: str
    template: str
    config: dict[str, Any]
    gated: bool = False
    kind: Literal["chat", "base"] = "chat"
    thinking: Literal["never", "optional", "always"] = "never"
    tools: bool = False
    vision: bool = False
    published_with_towers: bool = False
    moe: dict[str, int] = field(default_factory=dict[str, int])
    learning_rates: dict[str, float] = field(default_factory=dict[str, float])
    rates_from: str = ""

    @property
    def open(self) -> bool:
        """Whether its license is one of the Open Source Initiative's, for any use."""
        return self.license in _LICENSES

    def about(self) -> str:
        """Its size, kind, context and license on one line."""
        said = [
            size(self.parameters),
            self.kind,
            *(["thinks"] if self.thinking == "always" else []),
            *(["can think"] if self.thinking == "optional" else []),
            *([f"{self.moe['experts']} experts, {self.moe['used']} used"] if self.moe else []),
            *(["reads images, trained on text here"] if self.vision else []),
            f"{self.context:,} tokens",
            _LICENSES.get(self.license, f"license {self.license}"),
            *(["gated"] if self.gated else []),
        ]
        return DOT.join(said)


def size(parameters: int) -> str:
    """A number of parameters, such as 135M or 1.7B."""
    billions = parameters / 1e9
    return f"{billions:.3g}B" if billions >= 0.9995 else f"{parameters / 1e6:.0f}M"


@functools.cache
def catalog() -> dict[str, CatalogModel]:
    """Every model by its ID, in the file's order."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast
    with FILE.open(encoding="utf-8") as file:
        entries: list[dict[str, Any]] = yaml.load(file, loader)
    return {entry["id"]: CatalogModel(**entry) for entry in entries}


def find(name: str) -> CatalogModel | None:
    """The model of that ID, in any letter case; None for one that does not ship by name."""
    found = catalog().get(name.strip())
    return found or _lower().get(name.strip().lower())


@functools.cache
def _lower() -> dict[str, CatalogModel]:
    return {name.lower(): model for name, model in catalog().items()}


def config_of(name: str) -> dict[str, Any] | None:
    """A model's `config.json` as far as sizes go, a copy; None for one that is not in the file."""
    model = find(name)
    if model is None:
        return None
    own = {} if "n_positions" in model.config else {"max_position_embeddings": model.context}
    return own | model.config
