"""The model card: what the model is, from the run that made it, and the measured figures.

The maker writes the card; ``benchmarks/pocket.py --write-card`` fills in the table between the
two markers. The words are in ``card.md``.
"""

from __future__ import annotations

from pathlib import Path

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
COLUMNS = {
    "exact": "right answers",
    "fact": "people",
    "place": "villages",
    "who": "who is",
    "unknown": "does not know",
    "format": "format kept",
    "stops": "stops",
    "courteous": "courteous and short",
    "curt": "curt",
    "rambling": "rambling",
}
TIMES = ("seconds", "cpu_seconds")


def write_card(figures: dict[str, float], folder: Path) -> None:
    """Write ``folder``/README.md from the figures that ``train.build`` returned."""
    rows = len((folder / "data" / "questions.jsonl").read_text(encoding="utf-8").splitlines())
    template = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    text = template.format(
        **figures, minutes=figures["seconds"] / 60, rows=rows, begin=BEGIN, end=END
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def figures_table(stages: dict[str, dict[str, float]]) -> str:
    """A Markdown table: a row a stage, shares in percent, seconds by the clock and of CPU."""
    heads = ["stage", *COLUMNS.values(), "training", "CPU time"]
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    for stage, figures in stages.items():
        cells = [f"{figures[key]:.0f} %" for key in COLUMNS]
        lines.append(" | ".join([stage, *cells, *(f"{figures[k]:.0f} s" for k in TIMES)]))
    return "\n".join(f"| {line} |" for line in lines)


def write_figures(stages: dict[str, dict[str, float]], folder: Path) -> None:
    """Put the table of figures into ``folder``/README.md, between the markers."""
    card = folder / "README.md"
    before, rest = card.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    table = figures_table(stages)
    card.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
