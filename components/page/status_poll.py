"""What every open page asks each second: the status strip, and whether anything else changed.

The page asks by a server function, outside of Gradio's events: an event costs the browser a walk
over every component of the page, for each of its inputs and outputs, whatever it changes. Events
follow only where something did change: `change` for what the tabs list, `tick` for runs at work.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from components.page import header
from components.ui import access
from components.ui.handlers import sentence

if TYPE_CHECKING:
    from studio import Studio

_LIVE = ("queued", "running", "stopping")


def server_functions(studio: Studio) -> list[Callable[[Any], dict[str, Any]]]:
    """The function to hand to `gr.HTML(server_functions=...)`."""

    def pulse(_: Any = None) -> dict[str, Any]:
        try:
            return now(studio)
        except Exception as error:  # logged by `sentence` unless it is one of ours
            return {"error": sentence(error)}

    return [pulse]


def now(studio: Studio) -> dict[str, Any]:
    """The strip's markup, whether a run is at work, two marks that differ after a change, and
    whether a visitor asks, from whom the page hides the owners' tabs.

    `lists` marks which runs, datasets and libraries there are; `runs` where each run stands.
    """
    runs = studio.runs.list()
    listed = [(run.id, run.state, run.name) for run in runs]
    datasets = [dataset.id for dataset in studio.datasets.list()]
    return {
        "html": header.status_strip(studio.status()),
        "lists": _mark(listed, datasets, studio.worker.ready),
        "runs": _mark([(run.id, run.state, run.name, run.step) for run in runs]),
        "live": any(run.state in _LIVE for run in runs),
        "visitor": access.visitor() is not None,
    }


def _mark(*parts: Any) -> int:
    return zlib.crc32(repr(parts).encode())
