"""The rows behind an answer, as lists with bars: pure functions to escaped HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.ui.html import esc
from components.ui.traced_rows import row_item
from studio.core.formatting import thousands


def empty(cost: str = "") -> str:
    """Before anything was asked."""
    more = f" {esc(cost)}" if cost else ""
    return (
        '<p class="none">Which training rows pulled the model towards an answer, and which against '
        f"it.{more}</p>"
    )


def report(found: Mapping[str, Any], losses: Sequence[tuple[str, float]] = ()) -> str:
    """Everything that a question found.

    Args:
        losses: the answer's loss, in nats a token, under this run and under those without rows.
    """
    said = found["base"]["said"]
    before = f'<p class="why-said">{esc(said)}</p>' if said else ""
    checked = _checked(losses) if len(losses) > 1 else ""
    learned = "".join(_learned(entry) for entry in found["learned"])
    return f'<div class="why">{before}{checked}{learned}</div>'


def _checked(losses: Sequence[tuple[str, float]]) -> str:
    (name, own), *others = losses
    parts = "; ".join(f"{esc(other)} {loss:.2f}" for other, loss in others)
    return (
        f'<p class="why-said">Checked by training: the answer\'s loss is {own:.2f} nats a token '
        f"under {esc(name)}; {parts}.</p>"
    )


def _learned(entry: Mapping[str, Any]) -> str:
    where = "learned in" if entry["parent"] else "rows of"
    said = f'<p class="why-said">{esc(entry["said"])}</p>' if entry["said"] else ""
    head = f'<p class="token-head"><b>{where} {esc(entry["name"])}</b>{_count(entry)}</p>'
    if not entry["for"]:
        return f"<section>{head}{said}</section>"
    mixed = "".join(
        f"<li>{esc(one['dataset'])}: {one['for']} of {thousands(one['rows'])} rows stand out for "
        f"it, {one['against']} against</li>"
        for one in entry["datasets"]
    )
    lists = _list("for", entry["for"]) + _list("against", entry["against"])
    return (
        f'<section>{head}{said}<div class="cols" style="--cols:2">{lists}</div>'
        f"{f'<ul class=why-datasets>{mixed}</ul>' if mixed else ''}</section>"
    )


def _count(entry: Mapping[str, Any]) -> str:
    if "rows" not in entry:
        return ""
    return (
        f"<span>{thousands(entry['standing_out'])} of {thousands(entry['rows'])} stand out</span>"
    )


def _list(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    items = "".join(row_item(row) for row in rows)
    return f'<div><p class="why-side">{name}</p><ol class="why-rows {name}">{items}</ol></div>'


def choices(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, `dataset id:row`) of the run's own rows for an answer, to train without."""
    own = found["learned"][0]
    return [
        (f"row {row['row'] + 1:,} ({row['score']:+.2f})", f"{row['dataset_id']}:{row['row']}")
        for row in own["for"]
    ]


def standing_out(found: Mapping[str, Any]) -> list[str]:
    """The values of `choices` that stand out."""
    own = found["learned"][0]
    return [f"{row['dataset_id']}:{row['row']}" for row in own["for"] if row["stands_out"]]


def places(values: Sequence[str]) -> list[tuple[str, int]]:
    """(dataset id, row) of each chosen `dataset id:row`."""
    pairs = [one.rpartition(":") for one in values]
    return [(dataset, int(row)) for dataset, _, row in pairs]
