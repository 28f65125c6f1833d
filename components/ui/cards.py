"""This machine's GPUs, for the lists of Train and the Calculator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio import Studio
    from studio.core.cards import Card


def card_list(studio: Studio) -> list[Card]:
    """The GPUs where there are several; empty while the libraries that tell are loading."""
    if not studio.worker.ready:
        return []
    from studio.core.cards import cards, several

    return cards() if several() else []
