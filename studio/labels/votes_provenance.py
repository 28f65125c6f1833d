"""Which votes stand behind a dataset's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.data import PreparedDataset


def learned_from(dataset: PreparedDataset) -> dict[str, Any] | None:
    """What a run's lineage says about votes behind its rows; None where there are none."""
    made = dataset.provenance
    if made.get("made_by") != "labels":
        return None
    votes = made.get("votes", {})
    return {
        "project": made.get("project"),
        "project_name": made.get("project_name"),
        "pairs": votes.get("used"),
        "votes": votes.get("count"),
        "people": votes.get("people"),
        "newest": votes.get("newest"),
        "rule": votes.get("rule"),
    }
