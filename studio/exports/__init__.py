"""A run's result taken out of the studio: an adapter, a merged model or a GGUF file, each proven.

No torch here: `studio.exports.export_run` does the work, in the worker's thread.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.core.errors import ConfigError
from studio.core.jobs import Job

FORMATS = {
    "adapter": "What was learned, as PEFT saves it; needs the base beside it.",
    "merged": "The whole model in 16 bits, as transformers saves it.",
    "gguf": "One file for llama.cpp and Ollama, with a Modelfile.",
    "trl": "A YAML for TRL's own command line, with rows and model.",
    "script": "One Python script that repeats the run, with rows and model.",
    "job": "One Python file for a machine elsewhere, rows inside.",
}
"""What a run can be exported to, each with what it is."""
PROVEN = ("adapter", "merged", "gguf")
OUTTYPES = ("q8_0", "f16", "bf16", "f32")
"""How a GGUF file can hold its weights, by llama.cpp's names."""
TOLERANCE = {"f32": 1e-4, "f16": 5e-3, "bf16": 3e-2, "q8_0": 6e-2}
"""Largest difference of a logit from the run's, as a share of the run's largest logit."""
RECORD = "export.json"


@dataclass(frozen=True)
class ExportRequest:
    """Which run, to which format, into which folder (made; refused where it holds something).

    `outtype` says how a GGUF file holds its weights.
    """

    run: str
    to: str
    out: Path
    outtype: str = "q8_0"

    def checked(self) -> ExportRequest:
        """Itself, or a `ConfigError` for what cannot be asked."""
        if self.to not in PROVEN:
            raise ConfigError(f"--to {self.to!r} is not known; choose {', '.join(FORMATS)}.")
        if self.outtype not in OUTTYPES:
            raise ConfigError(
                f"--outtype {self.outtype!r} is not known; choose {', '.join(OUTTYPES)}."
            )
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise ConfigError(f"{self.out} is there already; name a new or an empty folder.")
        return self

    @property
    def stored_as(self) -> str:
        """The type that the weights are rounded to, whose tolerance counts."""
        return {"adapter": "f32", "merged": "bf16"}.get(self.to, self.outtype)


@dataclass(eq=False)
class Exporting(Job[dict[str, Any]]):
    """A live export: its `result` is the export's record, anyone may `cancel()`."""

    request: ExportRequest
    kind: str = field(default="export", kw_only=True)


def read_record(folder: Path) -> dict[str, Any] | None:
    """What an export's folder says of itself; None for a folder that is no export."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("run") else None
