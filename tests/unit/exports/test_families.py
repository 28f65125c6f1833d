"""Every family, method and format of an export, on small random models and the pocket model.

`make test` runs one family; `make test-exports` runs all, and writes the tables in docs/exports.md
anew from what it saw: llama.cpp's only where llama-cpp-python is installed.
`STUDIO_EXPORTS=Pocket,Llama` runs these with LoRA, and writes their rows of the table by type.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio import Studio
from studio.exports import OUTTYPES, QUANTIZED, TOLERANCE, WRITTEN, llama_cpp_installed
from tests.unit.exports.conftest import exported
from tests.unit.exports.shapes import SHAPES, make
from tests.unit.training.conftest import sft_rows, small

ASKED = os.environ.get("STUDIO_EXPORTS", "")
ALL = ASKED == "1"
TABLE = Path(__file__).resolve().parents[3] / "docs" / "exports.md"
MARK = "<!-- written by make test-exports -->"
LLAMA = "<!-- and this with llama-cpp-python -->"
TYPES = "<!-- perplexity and agreement by type -->"
METHODS = ("lora", "dora", "qlora", "full")
CASES = [(shape, method) for shape in ("Pocket", *SHAPES) for method in METHODS]
CHOSEN = [(shape, "lora") for shape in ASKED.split(",")] if ASKED and not ALL else None
RUN = CASES if ALL else CHOSEN or [("Gemma-2", "lora")]
FORMATS = ["adapter", "merged", *(f"gguf {outtype}" for outtype in WRITTEN)]
BY_LLAMA = [f"llama.cpp {outtype}" for outtype in WRITTEN]
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
    if ASKED:
        write_types(found)
    if ALL and len([to for _, to in found if to in FORMATS]) == CELLS:
        before, _, after = TABLE.read_text(encoding="utf-8").partition(MARK)
        between, _, llama = after.partition(LLAMA)
        words = between.rpartition("|\n\n")[2]
        if any(to in BY_LLAMA for _, to in found):
            llama = f"\n\n{table(found, BY_LLAMA)}\n"
        written = f"{before}{MARK}\n\n{table(found, FORMATS)}\n\n{words}{LLAMA}{llama}"
        TABLE.write_text(written, encoding="utf-8")


def write_types(found: Seen) -> None:
    """Put the rows of the models that were run into the table by type; others stay."""
    before, _, after = TABLE.read_text(encoding="utf-8").partition(TYPES)
    _, _, rest = after.partition("\n\n")
    kept, _, words = rest.partition("\n\n")
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in kept.splitlines()[2:]}
    for shape in ("Pocket", *SHAPES):
        cells = [found.get((f"{shape} lora", f"gguf {outtype}")) for outtype in OUTTYPES]
        if any(cells):
            shown = " | ".join(_by_type(figures) if figures else "not run" for figures in cells)
            rows[shape] = f"| {shape} | {shown} |"
    lines = [f"| model | {' | '.join(OUTTYPES)} |", "|---|" + "---|" * len(OUTTYPES)]
    lines += [rows[shape] for shape in ("Pocket", *SHAPES) if shape in rows]
    written = "\n".join(lines)
    TABLE.write_text(f"{before}{TYPES}\n\n{written}\n\n{words}", encoding="utf-8")


def _by_type(figures: dict[str, Any]) -> str:
    return f"{figures['perplexity_ratio']:.3f}, {figures['agreement']:.0%}"


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
@pytest.mark.parametrize(("shape", "method"), RUN)
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
    for name in formats_for(method):
        to, _, outtype = name.partition(" ")
        if to == "adapter" and method == "full":
            continue
        record = exported(studio, run, to, folder / "out", outtype or "q8_0")
        shutil.rmtree(folder / "out")
        figures = record["figures"]
        assert figures["tolerance"] == TOLERANCE.get(record["stored_as"])
        if name == "gguf f32":
            assert figures["same_answers"] == figures["prompts"]
        seen[run.name, name] = figures
        if read := record.get("llama_cpp"):
            assert "error" not in read
            seen[run.name, f"llama.cpp {outtype}"] = read


def formats_for(method: str) -> list[str]:
    """What a run is exported to: all types with LoRA alone, which the table by type is of."""
    if not ASKED:
        return ["gguf q8_0", "gguf f32"]
    if method != "lora":
        return FORMATS
    quantized = [f"gguf {outtype}" for outtype in QUANTIZED] if llama_cpp_installed() else []
    return [*FORMATS, *quantized, "gguf-lora"]


@pytest.mark.skipif(bool(ASKED), reason="written at the end of this very run")
def test_the_table_in_the_docs_has_every_cell() -> None:
    before, _, text = TABLE.read_text(encoding="utf-8").partition(MARK)
    types = [line for line in before.partition(TYPES)[2].splitlines() if line.startswith("| ")]
    assert types[0] == f"| model | {' | '.join(OUTTYPES)} |"
    assert all(line.count("%") == len(OUTTYPES) for line in types[1:])
    assert len(types) == len(SHAPES) + 2
    for part, formats in zip(text.split(LLAMA), (FORMATS, BY_LLAMA), strict=True):
        rows = [line for line in part.splitlines() if line.startswith("| ")]
        assert len(rows) == len(CASES) + 1
        assert rows[0].count("|") == len(formats) + 3
        cells = sum(line.count("%)") for line in rows)
        assert cells == (CELLS if formats is FORMATS else len(CASES) * len(WRITTEN))
