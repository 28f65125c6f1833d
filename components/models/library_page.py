"""Which cards of the library a page shows: those that fit its search and filter, as many as asked.

The order is settled when the tab is opened, so that no card moves away under the pointer: what a
star, an export or a finished run would sort anew stays where it is until the tab is opened again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from studio.engine.library import LibraryEntry

PAGE = 60  # cards sent at first, and more by each press of Show more
_VISITS = 64  # openings of the tab whose order is remembered


class Shown(BaseModel):
    """What a page shows: its search, its filter, how many cards, and which opening it is of.

    `brief` leaves out what takes longer to count than the cards.
    """

    find: str = Field("", max_length=200)
    kind: Literal["all", "run", "checkpoint", "export", "base", "star"] = "all"
    most: int = Field(PAGE, ge=1, le=100_000)
    visit: str = Field("", max_length=40)
    brief: bool = False


def fitting(items: Sequence[LibraryEntry], wanted: Shown) -> list[LibraryEntry]:
    """The entries that the search and the filter leave, in their order."""
    words = wanted.find.lower().split()
    return [
        item
        for item in items
        if _of_kind(item, wanted.kind, bool(words)) and all(word in said(item) for word in words)
    ]


def _of_kind(item: LibraryEntry, kind: str, searched: bool) -> bool:
    """Checkpoints are many and rarely needed: they have their own filter."""
    if kind == "star":
        return item.mark.star
    return (item.kind != "checkpoint" or searched) if kind == "all" else item.kind == kind


def said(item: LibraryEntry) -> str:
    """What an entry is found by, in lower case."""
    words = [item.name, item.model, item.what, *item.mark.tags, item.mark.note]
    return " ".join([*words, *(name for _, name in item.lineage)]).lower()


class Visits:
    """The order of the entries at each opening of the tab; shared by all browsers."""

    def __init__(self) -> None:
        self._orders: OrderedDict[str, list[str]] = OrderedDict()
        self._lock = threading.Lock()

    def ordered(self, visit: str, items: Sequence[LibraryEntry]) -> list[LibraryEntry]:
        """The entries in the order of this opening; what came since follows what it is made of."""
        if not visit:
            return list(items)
        with self._lock:
            known = self._orders.pop(visit, None)
            order = [item.id for item in items] if known is None else _joined(known, items)
            self._orders[visit] = order
            while len(self._orders) > _VISITS:
                self._orders.popitem(last=False)
        place = {identifier: at for at, identifier in enumerate(order)}
        return sorted(items, key=lambda item: place[item.id])


def _joined(known: Sequence[str], items: Sequence[LibraryEntry]) -> list[str]:
    """The known order with the new entries in it; deleted ones stay, they may be restored."""
    order, seen = list(known), set(known)
    for item in items:
        if item.id in seen:
            continue
        source = item.run.id if item.run is not None else ""
        order.insert(order.index(source) + 1 if source in seen else len(order), item.id)
        seen.add(item.id)
    return order
