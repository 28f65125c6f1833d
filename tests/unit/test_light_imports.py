"""Nothing heavy is imported before it is needed: the page and the shell start at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    *("torch", "transformers", "trl", "peft", "datasets", "bitsandbytes", "pandas", "gradio"),
    *("sentence_transformers", "sklearn"),
)


def loaded_by(statement: str, *names: str) -> list[str]:
    """Which of `names` are loaded in a fresh Python after a statement."""
    code = f"import sys; {statement}; print(*[n for n in {names!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    "statement",
    ["import studio", "import studio.cli", "import studio.runs.recipe, studio.runs.store"],
)
def test_the_light_parts_load_nothing_heavy(statement):
    assert loaded_by(statement, *HEAVY, "pyarrow", "sqlalchemy") == []


def test_the_engine_is_there_before_torch_is():
    assert loaded_by("from studio.engine.studio import Studio", *HEAVY) == []
