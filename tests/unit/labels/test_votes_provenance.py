"""What a run's lineage says about the votes behind its rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from studio.labels.votes_provenance import learned_from


def test_only_rows_made_of_votes_have_votes_behind_them():
    def dataset(**provenance: Any) -> Any:
        return cast("Any", SimpleNamespace(provenance=provenance))

    assert learned_from(dataset(source="a file")) is None
    votes = {"used": 3, "count": 5, "people": 2, "newest": 9, "rule": "One row per item."}
    made = learned_from(dataset(made_by="labels", project="labels-1", votes=votes))
    assert made is not None
    assert (made["project"], made["pairs"], made["votes"], made["people"]) == ("labels-1", 3, 5, 2)
