"""What a tab's builder is given: the engine, the tabs and what this browser looks at."""

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
    """What a tab's builder is given beside the engine."""

    studio: Studio
    tabs: gr.Tabs
    status: gr.HTML
    """Its `change` says that a run, a dataset or a library came, went or changed its state; its
    `tick` that runs moved, each second. Both come once at first, neither while nothing changes."""
    session: gr.State
    """Holds a `Session`; change it with `dataclasses.replace`."""
    visits: Visits
    """Answers the page's questions to the model, and counts those of visitors."""

    def go(self, tab_id: str) -> gr.Tabs:
        """The update that brings a tab to the front (an output bound to `ctx.tabs`)."""
        return gr.Tabs(selected=tab_id)
