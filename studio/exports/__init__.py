"""Exports of a run: adapter, merged model, or GGUF file, each verified against the run.

Imports no torch; `studio.exports.export_run` does the work, in the worker's thread.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.core.errors import ConfigError
from studio.core.jobs import Job

FORMATS = {
    "adapter": "The adapter as PEFT saves it; needs the base model.",
    "merged": "The merged model in 16 bits, as transformers saves it.",
    "gguf": "One file for llama.cpp and Ollama, with a Modelfile.",
    "trl": "A YAML for TRL's command line, with dataset and model.",
    "script": "A Python script that repeats the run, with dataset and model.",
    "launch": "What starts the run on several machines, with dataset and model.",
    "job": "A single Python file for another machine, with the dataset inside.",
}
"""Export formats, each with a description."""
PROVEN = ("adapter", "merged", "gguf")
OUTTYPES = ("q8_0", "f16", "bf16", "f32")
"""Types of the weights in a GGUF file, by llama.cpp's names."""
TOLERANCE = {"f32": 1e-4, "f16": 5e-3, "bf16": 3e-2, "q8_0": 6e-2}
"""Largest allowed difference of a logit, relative to the run's largest logit."""
RECORD = "export.json"


@dataclass(frozen=True)
class ExportRequest:
    """Which run to export, to which format, into which new or empty folder.

    `outtype` is the type of the weights in a GGUF file.
    """

    run: str
    to: str
    out: Path
    outtype: str = "q8_0"

    def checked(self) -> ExportRequest:
        """Itself; raises a `ConfigError` for an invalid request."""
        if self.to not in PROVEN:
            raise ConfigError(f"--to {self.to!r} is not known; choose {', '.join(FORMATS)}.")
        if self.outtype not in OUTTYPES:
            raise ConfigError(
                f"--outtype {self.outtype!r} is not known; choose {', '.join(OUTTYPES)}."
            )
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise ConfigError(f"{self.out} exists and is not empty; name a new or an empty folder.")
        return self

    @property
    def stored_as(self) -> str:
        """The type the weights are rounded to, which decides the tolerance."""
        return {"adapter": "f32", "merged": "bf16"}.get(self.to, self.outtype)


@dataclass(eq=False)
class Exporting(Job[dict[str, Any]]):
    """A live export: its `result` is the export's record, anyone may `cancel()`."""

    request: ExportRequest
    kind: str = field(default="export", kw_only=True)


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record in an export's folder; None for any other folder."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("run") else None
