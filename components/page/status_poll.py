"""What every open page asks for each second: the status strip, and whether anything else changed.

The page calls a server function rather than a Gradio event: an event makes the browser walk every
component of the page for each input and output, whatever it changes. Events follow only where
something did change: `change` for what the tabs list, `tick` while runs are at work, and after a
vote where this page shows the guided tour, which counts them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from components.page import header
from components.ui import access
from components.ui.handlers import sentence

if TYPE_CHECKING:
    from studio import Studio
    from studio.runs.store import Run

_LIVE = ("queued", "running", "stopping")


class Poll(TypedDict):
    """One answer to the page.

    `lists` is a checksum of which runs, datasets and libraries there are; `runs` of where each run
    stands; `votes` of the last vote, for a page that shows the guided tour. `visitor` hides the
    owners' tabs.
    """

    html: str
    lists: int
    runs: int
    votes: int
    live: bool
    visitor: bool


def server_functions(studio: Studio) -> list[Callable[[object], Poll | dict[str, str]]]:
    """The function to hand to `gr.HTML(server_functions=...)`."""
    listings = Listings(studio)

    def status(sent: object = None) -> Poll | dict[str, str]:
        try:
            return now(listings, touring=isinstance(sent, dict) and sent.get("tour") is True)
        except Exception as error:  # `sentence` logs whatever is not a StudioError
            return {"error": sentence(error)}

    return [status]


@dataclass(frozen=True)
class Listed:
    """What the checksums are of, at one moment; `live` are the runs that are at work or wait."""

    live: list[Run]
    lists: int
    runs: int


class Listings:
    """Runs and datasets, listed again only when one of them changed: pages ask every second."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._at: tuple[int, ...] = ()
        self._listed = Listed([], 0, 0)

    def now(self) -> Listed:
        """The newest listing; while runs are at work anew, for a killed one changes no file."""
        studio = self.studio
        datasets = studio.workspace.datasets.stat().st_mtime_ns
        at = (studio.runs.revision(), datasets, int(studio.worker.ready))
        if at != self._at or self._listed.live:
            self._listed, self._at = self._list(), at
        return self._listed

    def _list(self) -> Listed:
        runs = self.studio.runs.list()
        listed = [(run.id, run.state, run.name) for run in runs]
        datasets = [dataset.id for dataset in self.studio.datasets.list()]
        return Listed(
            [run for run in runs if run.state in _LIVE],
            _checksum(listed, datasets, self.studio.worker.ready),
            _checksum([(run.id, run.state, run.name, run.step) for run in runs]),
        )


def now(listings: Listings, touring: bool = False) -> Poll:
    """The strip's markup, whether a run is at work, and the checksums.

    Votes are read for pages that show the guided tour alone.
    """
    studio, listed = listings.studio, listings.now()
    return {
        "html": header.status_strip(studio.status(listed.live)),
        "lists": listed.lists,
        "runs": listed.runs,
        "votes": _checksum([studio.labels.newest() if touring else None]),
        "live": bool(listed.live),
        "visitor": access.visitor() is not None,
    }


def _checksum(*parts: Sequence[object] | bool) -> int:
    return zlib.crc32(repr(parts).encode())
