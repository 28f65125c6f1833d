"""The rows behind an answer, as lists with bars: pure functions to escaped HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.ui.html import esc
from components.ui.traced_rows import learned
from studio.workflows.claims import Check
from studio.workflows.rounds import duel_text


def empty(cost: str = "") -> str:
    """Before anything was asked."""
    more = f" {esc(cost)}" if cost else ""
    return (
        '<p class="none">Which training rows pulled the model towards an answer, and which against '
        f"it.{more}</p>"
    )


def report(found: Mapping[str, Any], own: float | None = None, checks: Sequence[Check] = ()) -> str:
    """Everything that a question found.

    Args:
        own: the answer's loss under this run, in nats a token.
        checks: the same under runs without some rows, with their duels.
    """
    said = found["base"]["said"]
    before = f'<p class="why-said">{esc(said)}</p>' if said else ""
    checked = "" if own is None else _checked(str(found.get("name", "this run")), own, checks)
    parts = "".join(learned(entry) for entry in found["learned"])
    return f'<div class="why">{before}{checked}{parts}</div>'


def _checked(name: str, own: float, checks: Sequence[Check]) -> str:
    items = "".join(
        f"<li>{esc(one.run.name)}: {one.loss:.2f} ({one.loss - own:+.2f}); "
        f"{esc(duel_text(one.duel, 'no duel of the two yet'))}</li>"
        for one in checks
    )
    return (
        f'<p class="why-said">Checked by training: the answer\'s loss is {own:.2f} nats a token '
        f'under {esc(name)}, and without rows</p><ul class="why-datasets">{items}</ul>'
    )


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
