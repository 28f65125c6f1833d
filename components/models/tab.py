"""Models: bases, runs, checkpoints and exports in one list, to find, export or continue them.

One panel (`static/models.js`) that calls `library_api`; only what leads to another tab goes through
Gradio's events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from components.models.blend_form import BlendForm
from components.models.library_api import server_functions
from components.ui.compat import open_container
from components.ui.handlers import QUIET
from components.ui.page_context import PageContext

if TYPE_CHECKING:
    from studio import Studio

_ON_LOAD = "studioModels(element, server, detail => trigger('click', detail));"


@dataclass(frozen=True)
class ModelsHandles:
    """`panel.click` carries `{"do": "compare" | "continue", "run": id}`, or
    `{"do": "train", "model": name, "revision": text or none}`."""

    panel: gr.HTML


def build(studio: Studio, ctx: PageContext) -> ModelsHandles:
    """Build the tab inside the open `gr.Tab`."""
    tab = open_container()
    panel = gr.HTML(
        html_template='<div class="models-desk"></div>',
        js_on_load=_ON_LOAD,
        server_functions=server_functions(studio),
        apply_default_css=False,
        elem_id="models-panel",
    )
    BlendForm(studio).build()
    if isinstance(tab, gr.Tab):
        tab.select(None, None, None, js="() => { window.studioModelsRefresh?.(); }", **QUIET)
    return ModelsHandles(panel)
