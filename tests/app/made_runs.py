"""Runs on disk for tests of what shows them."""

from __future__ import annotations

import json
from pathlib import Path

from studio import Recipe
from studio.engine.studio import Studio
from studio.runs.events import EventLog
from studio.runs.store import Run


def ended(studio: Studio, state: str = "finished", steps: int = 30, **recipe: object) -> Run:
    """A run on disk as if it had trained."""
    run = studio.runs.create(Recipe.defaults("sft", **{"name": "pocket-sft", **recipe}))
    log = EventLog(run.folder / "events.jsonl")
    for step in range(1, steps + 1):
        log.write("log", step=step, loss=1 / step, learning_rate=1e-4, mean_token_accuracy=0.5)
    log.write("sample", step=steps, number=0, prompt="Who?", answer="Mira.")
    log.close()
    if state == "finished":
        (run.folder / "adapter").mkdir()
        (run.folder / "adapter" / "adapter_config.json").write_text("{}")
    return studio.runs.update(
        run.id,
        state=state,
        step=steps,
        total_steps=steps,
        metrics={"loss": 0.41},
        train_seconds=34.0,
        data={"name": "pocket-sft", "rows": {"train": 1085}},
    )


def exported(studio: Studio, run: Run, name: str = "export-20260101-000000-abcd") -> Path:
    """An export on disk as if it had been proven."""
    folder = studio.workspace.exports / name
    folder.mkdir()
    figures = {"agreement": 1.0, "largest_difference": 0.1, "largest_logit": 10.0}
    record = {
        "run": run.id,
        "name": run.name,
        "to": "gguf",
        "stored_as": "q8_0",
        "created": 1.0,
        "base": "pocket",
        "base_kind": "builtin",
        "files": ["model-q8_0.gguf"],
        "figures": figures,
    }
    (folder / "model-q8_0.gguf").write_bytes(b"x" * 1000)
    (folder / "export.json").write_text(json.dumps(record))
    return folder
