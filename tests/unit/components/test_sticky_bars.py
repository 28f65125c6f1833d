"""Bars that stay in view hide what scrolls past behind them."""

import re

import components

FOLDER = components.__path__[0]
GRADIO_LABELS = 40  # --layer-4, the labels of fields


def test_bars_at_the_bottom_stand_above_the_labels_of_fields():
    from pathlib import Path

    rules = [
        (path.name, rule)
        for path in sorted((Path(FOLDER) / "static").glob("*.css"))
        for rule in re.findall(r"[^{}]+\{[^{}]*position: sticky[^{}]*\}", path.read_text())
        if "bottom:" in rule
    ]
    assert len(rules) >= 4
    for name, rule in rules:
        found = re.search(r"z-index: (\d+)", rule)
        assert found and int(found[1]) > GRADIO_LABELS, (name, rule.strip())
