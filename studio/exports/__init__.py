"""Exports of a run: adapter, merged model, GGUF file or GGUF adapter, each compared with the run.

Imports no torch; `studio.exports.export_run` does the work, in the worker's thread.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.core.errors import ConfigError
from studio.core.formatting import percent_text
from studio.core.jobs import Job

FORMATS = {
    "adapter": "The adapter as PEFT saves it; needs the base model.",
    "merged": "The merged model in 16 bits, as transformers saves it.",
    "gguf": "One file for llama.cpp and Ollama, with a Modelfile.",
    "gguf-lora": "The adapter as one file for llama.cpp and Ollama; needs the base as GGUF.",
    "trl": "A YAML for TRL's command line, with dataset and model.",
    "script": "A Python script that repeats the run, with dataset and model.",
    "launch": "What starts the run on several machines, with dataset and model.",
    "job": "A single Python file for another machine, with the dataset inside.",
}
"""Export formats, each with a description."""
PROVEN = ("adapter", "merged", "gguf", "gguf-lora")
WRITTEN = ("q8_0", "f16", "bf16", "f32")
QUANTIZED = ("q6_k", "q5_k_m", "q4_k_m", "q4_0", "iq4_xs")
"""Types that llama.cpp itself quantizes to, through llama-cpp-python."""
OUTTYPES = (*WRITTEN, *QUANTIZED)
"""Types of the weights in a GGUF file, by llama.cpp's names."""
BITS = {
    "f32": 32.0,
    "f16": 16.0,
    "bf16": 16.0,
    "q8_0": 8.5,
    "q6_k": 6.6,
    "q5_k_m": 5.7,
    "q4_k_m": 4.9,
    "q4_0": 4.7,
    "iq4_xs": 4.5,
}
"""Bits a weight of each type, as llama.cpp's quantize tool has them for an 8B Llama."""
TOLERANCE = {"f32": 1e-4, "f16": 5e-3, "bf16": 3e-2, "q8_0": 6e-2}
"""Largest allowed difference of a logit, relative to the run's largest logit. The types that
llama.cpp quantizes to are judged by `PERPLEXITY_RATIO` alone."""
PERPLEXITY_RATIO = {
    "f32": 1.002,
    "f16": 1.005,
    "bf16": 1.02,
    "q8_0": 1.03,
    "q6_k": 1.05,
    "q5_k_m": 1.1,
    "q4_k_m": 1.25,
    "q4_0": 1.4,
    "iq4_xs": 1.3,
}
"""Largest allowed ratio of a GGUF file's perplexity to its run's, on the same rows."""
LLAMA_CPP_COMMAND = "pip install llama-cpp-python==0.3.36"
BASE = "BASE.gguf"
"""Stands for the base's own file in the commands of a GGUF adapter."""
RECORD = "export.json"


@dataclass(frozen=True)
class ExportRequest:
    """Which run to export, to which format, into which new or empty folder.

    `outtype` is the type of the weights in a GGUF file. With `importance_matrix`, llama.cpp
    rounds those weights least that the run's training rows use most.
    """

    run: str
    to: str
    out: Path
    outtype: str = "q8_0"
    importance_matrix: bool = False

    def checked(self) -> ExportRequest:
        """Itself; raises a `ConfigError` for an invalid request."""
        if self.to not in PROVEN:
            raise ConfigError(f"--to {self.to!r} is not known; choose {', '.join(FORMATS)}.")
        if self.outtype not in OUTTYPES:
            raise ConfigError(
                f"--outtype {self.outtype!r} is not known; choose {', '.join(OUTTYPES)}."
            )
        if self.importance_matrix and not self.quantizes:
            raise ConfigError(
                "importance_matrix is for --to gguf with an outtype that llama.cpp quantizes to: "
                f"{', '.join(QUANTIZED)}."
            )
        if self.quantizes and not llama_cpp_installed():
            raise ConfigError(
                f"llama.cpp quantizes to {self.outtype}, and llama-cpp-python is not installed; "
                f"`{LLAMA_CPP_COMMAND}` compiles it. Without it, choose {', '.join(WRITTEN)}."
            )
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise ConfigError(f"{self.out} exists and is not empty; name a new or an empty folder.")
        return self

    @property
    def stored_as(self) -> str:
        """The type the weights are rounded to, which decides the tolerance."""
        stored = {"adapter": "f32", "merged": "bf16", "gguf-lora": "f32"}
        return stored.get(self.to, self.outtype)

    @property
    def quantizes(self) -> bool:
        """Whether llama.cpp is needed to write it."""
        return self.to == "gguf" and self.outtype in QUANTIZED


@dataclass(eq=False)
class Exporting(Job[dict[str, Any]]):
    """A live export: its `result` is the export's record, anyone may `cancel()`."""

    request: ExportRequest
    kind: str = field(default="export", kw_only=True)


def llama_cpp_installed() -> bool:
    """Whether llama-cpp-python is there, to quantize and to read a file as llama.cpp does."""
    return importlib.util.find_spec("llama_cpp") is not None


def proof(record: Mapping[str, Any]) -> tuple[str, ...]:
    """How near an export came to its run, in a few words each."""
    found = record["figures"]
    off = percent_text(found["largest_difference"] / found["largest_logit"])
    words = [
        f"{percent_text(found['agreement'])} of tokens match the run",
        f"logits off by {off} at most",
    ]
    if (ratio := found.get("perplexity_ratio")) is not None:
        words.append(f"perplexity {ratio:.3f} times the run's")
    return tuple(words)


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record in an export's folder; None for any other folder."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("run") else None
