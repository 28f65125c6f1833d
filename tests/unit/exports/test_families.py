"""Every family, method and format of an export, on small random models and the pocket model.

`make test` runs one family; `make test-exports` runs all, and writes the tables in docs/exports.md
anew from what it saw: llama.cpp's only where llama-cpp-python is installed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio import Studio
from studio.exports import OUTTYPES, TOLERANCE
from tests.unit.exports.conftest import exported
from tests.unit.exports.shapes import SHAPES, make
from tests.unit.training.conftest import sft_rows, small

ALL = bool(os.environ.get("STUDIO_EXPORTS"))
TABLE = Path(__file__).resolve().parents[3] / "docs" / "exports.md"
MARK = "<!-- written by make test-exports -->"
LLAMA = "<!-- and this with llama-cpp-python -->"
METHODS = ("lora", "dora", "qlora", "full")
CASES = [(shape, method) for shape in ("Pocket", *SHAPES) for method in METHODS]
FORMATS = ["adapter", "merged", *(f"gguf {outtype}" for outtype in OUTTYPES)]
BY_LLAMA = [f"llama.cpp {outtype}" for outtype in OUTTYPES]
CELLS = len(CASES) * len(FORMATS) - len(SHAPES) - 1  # full runs have no adapter
Seen = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Studio, Path]]:
    folder = tmp_path_factory.mktemp("families")
    studio = Studio(folder / "home")
    studio.datasets.from_rows(sft_rows(), "prompt_completion", "facts")
    yield studio, folder
    studio.close()


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """Figures by (family and method, format); a full run writes them down at the end."""
    found: Seen = {}
    yield found
    if ALL and len([to for _, to in found if to in FORMATS]) == CELLS:
        before, _, after = TABLE.read_text(encoding="utf-8").partition(MARK)
        between, _, llama = after.partition(LLAMA)
        words = between.rpartition("|\n\n")[2]
        if any(to in BY_LLAMA for _, to in found):
            llama = f"\n\n{table(found, BY_LLAMA)}\n"
        written = f"{before}{MARK}\n\n{table(found, FORMATS)}\n\n{words}{LLAMA}{llama}"
        TABLE.write_text(written, encoding="utf-8")


def table(found: Seen, formats: list[str]) -> str:
    """A row a model and method: largest logit difference, of the largest logit, and agreement."""
    lines = [
        "| model | method | " + " | ".join(formats) + " |",
        "|---|---|" + "---|" * len(formats),
    ]
    for shape, method in CASES:
        cells = []
        for to in formats:
            figures = found.get((f"{shape} {method}", to))
            cells.append(_cell(figures) if figures else "none")
        lines.append(f"| {shape} | {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figures: dict[str, Any]) -> str:
    share = figures["largest_difference"] / figures["largest_logit"]
    return f"{figures['largest_difference']:.2g} ({share:.2%}), {figures['agreement']:.0%}"


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "method"), CASES if ALL else [("Gemma-2", "lora")])
def test_every_format_is_the_run(
    shape: str, method: str, own: tuple[Studio, Path], seen: Seen
) -> None:
    studio, folder = own
    model = folder / shape
    if shape != "Pocket" and not model.exists():
        make(shape, model)
    rate = 2e-3 if method == "full" else 1e-2
    recipe = small(
        "sft",
        "facts",
        method=method,
        learning_rate=rate,
        max_steps=8,
        save_steps=100,
        model_name_or_path="pocket" if shape == "Pocket" else str(model),
        name=f"{shape} {method}",
    )
    run = studio.wait(studio.train(recipe).id)
    assert run.state == "finished", run.error
    for name in FORMATS if ALL else ("gguf q8_0", "gguf f32"):
        to, _, outtype = name.partition(" ")
        if to == "adapter" and method == "full":
            continue
        record = exported(studio, run, to, folder / "out", outtype or "q8_0")
        shutil.rmtree(folder / "out")
        figures = record["figures"]
        assert figures["tolerance"] == TOLERANCE[record["stored_as"]]
        if name == "gguf f32":
            assert figures["same_answers"] == figures["prompts"]
        seen[run.name, name] = figures
        if read := record.get("llama_cpp"):
            assert "error" not in read
            seen[run.name, f"llama.cpp {outtype}"] = read


@pytest.mark.skipif(ALL, reason="written at the end of this very run")
def test_the_table_in_the_docs_has_every_cell() -> None:
    text = TABLE.read_text(encoding="utf-8").partition(MARK)[2]
    for part, formats in zip(text.split(LLAMA), (FORMATS, BY_LLAMA), strict=True):
        rows = [line for line in part.splitlines() if line.startswith("| ")]
        assert len(rows) == len(CASES) + 1
        assert rows[0].count("|") == len(formats) + 3
        cells = sum(line.count("%)") for line in rows)
        assert cells == (CELLS if formats is FORMATS else len(CASES) * len(OUTTYPES))
