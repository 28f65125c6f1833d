"""Which cards Models sends, in which order, however many runs there are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.models import library_api
from components.models.library_page import PAGE, Shown, Visits, fitting
from studio.engine import library
from studio.engine.library import LibraryEntry, Mark


def entry(name: str, kind: str = "base", used: float = 0.0, **more: Any) -> LibraryEntry:
    return LibraryEntry(name, kind, name, "what", 0.0, used, "pocket", **more)


def test_of_500_entries_60_cards_are_sent_and_measured(monkeypatch: pytest.MonkeyPatch):
    measured: list[Path] = []
    monkeypatch.setattr(library, "size_of", lambda folder: measured.append(folder) or 1)
    items = [entry(f"run {n}", folder=Path(f"{n}")) for n in range(500)]
    items[70] = entry("run 70", mark=Mark(tags=("kept",)), folder=Path("70"))
    collection = SimpleNamespace(items=lambda: items)
    api = library_api.LibraryApi(SimpleNamespace(collection=collection))  # pyright: ignore[reportArgumentType]

    reply = api.open(Shown(brief=True))
    assert reply["cards"].count("<article") == PAGE == 60
    assert "60 of 500 shown" in reply["cards"] and 'data-act="more"' in reply["cards"]
    assert reply["counts"]["all"] == "500" and len(measured) == PAGE
    more = api.open(Shown(most=2 * PAGE, brief=True))["cards"]
    assert more.count("<article") == 120 and "120 of 500 shown" in more
    found = api.open(Shown(find="KEPT", brief=True))["cards"]
    assert found.count("<article") == 1 and "Show more" not in found
    assert "No match" in api.open(Shown(find="nowhere", brief=True))["cards"]


def test_checkpoints_are_shown_by_their_filter_or_a_search_only():
    items = [entry("one"), entry("one at step 2", "checkpoint"), entry("two", mark=Mark(star=True))]
    names = {
        kind: [each.name for each in fitting(items, Shown.model_validate({"kind": kind}))]
        for kind in ("all", "checkpoint", "star", "run")
    }
    assert names == {
        "all": ["one", "two"],
        "checkpoint": ["one at step 2"],
        "star": ["two"],
        "run": [],
    }
    assert len(fitting(items, Shown(find="one"))) == 2


def test_a_visit_keeps_its_order_and_a_new_export_follows_its_run():
    visits = Visits()
    run: Any = SimpleNamespace(id="b")
    a, b, c = (entry(name) for name in "abc")
    assert [each.id for each in visits.ordered("now", [a, b, c])] == ["a", "b", "c"]
    export = entry("export", "export", run=run)
    later = [c, export, a, b, entry("downloaded")]  # as a star on c would sort them
    order = ["a", "b", "export", "c", "downloaded"]
    assert [each.id for each in visits.ordered("now", later)] == order
    assert [each.id for each in visits.ordered("next", later)] == [each.id for each in later]
    without = [each for each in later if each.id != "a"]  # deleted, then restored to its place
    visits.ordered("now", without)
    assert [each.id for each in visits.ordered("now", later)] == order
