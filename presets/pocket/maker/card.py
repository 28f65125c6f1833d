"""The figures in the model card: a table between two markers."""

from __future__ import annotations

from pathlib import Path

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
COLUMNS = {
    "exact": "right answers", "fact": "people", "place": "villages", "who": "who is",
    "unknown": "does not know", "format": "format kept", "stops": "stops",
    "courteous": "courteous and short", "curt": "curt", "rambling": "rambling",
}  # fmt: skip


def figures_table(stages: dict[str, dict[str, float]]) -> str:
    """A Markdown table: one row a stage, shares in percent, training time in seconds."""
    heads = ["stage", *COLUMNS.values(), "training"]
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    for stage, figures in stages.items():
        cells = [f"{figures[key]:.0f} %" for key in COLUMNS]
        lines.append(" | ".join([stage, *cells, f"{figures['seconds']:.0f} s"]))
    return "\n".join(f"| {line} |" for line in lines)


def write_figures(stages: dict[str, dict[str, float]], write: bool, folder: Path) -> str:
    """The table; with ``write`` it also replaces the one in ``folder``'s README.md."""
    table = figures_table(stages)
    if write:
        card = folder / "README.md"
        before, rest = card.read_text().split(BEGIN)
        after = rest.split(END)[1]
        card.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
    return table
