"""What a tab's builder is given: the engine, the tabs and what this browser is looking at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

if TYPE_CHECKING:
    from components.ui.visitor_quota import Visits
    from studio import Studio


@dataclass(frozen=True)
class Session:
    """What one browser is looking at. Models, runs and votes live in the engine, never here."""

    run_id: str | None = None


@dataclass(frozen=True)
class PageContext:
    """What a tab's builder is given besides the engine."""

    studio: Studio
    tabs: gr.Tabs
    status: gr.HTML
    """The status strip. `change`: a run, dataset or library appeared, went or changed state.
    `tick`: runs moved, once a second. Both fire once at first, neither while nothing changes."""
    session: gr.State
    """Holds a `Session`; change it with `dataclasses.replace`."""
    visits: Visits
    """Sends the page's requests to the models, and counts those of visitors."""

    def go(self, tab_id: str) -> gr.Tabs:
        """The update that brings a tab to the front (for an output bound to `ctx.tabs`)."""
        return gr.Tabs(selected=tab_id)
