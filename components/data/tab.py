"""Data: bring rows, see what they are and what is wrong with them, prepare them for training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from components.data import import_form, preview_layout
from components.data.dataset_handlers import PreparedHandlers, show
from components.data.import_handlers import SourceHandlers
from components.data.open_sources import Shelf
from components.data.option_choices import sample_choices
from components.data.row_browser import RowBrowser
from components.data.token_statistics import Measuring
from components.data.token_view import TokenHandlers
from components.ui.page_context import PageContext
from studio.core.model_names import choices

if TYPE_CHECKING:
    from studio import Studio

__all__ = ["DataHandles", "build", "show"]


@dataclass(frozen=True)
class DataHandles:
    """What the page's wiring uses."""

    subject: gr.State
    """Holds a `Subject`; its `dataset_id` is set once something prepared is shown."""
    train: gr.Button
    """Pressed to train on the prepared dataset that is shown."""
    knobs: gr.State
    """Knobs chosen by hand on the token view, by their names in a recipe."""
    opening: gr.State
    """Set to `show(dataset_id)` to show a dataset here."""


def build(studio: Studio, ctx: PageContext) -> DataHandles:
    """Lay the tab out and bind it."""
    with gr.Row(elem_classes="desk"):
        left = import_form.settle_column(sample_choices())
        right = preview_layout.see_column(choices())
    shelf = Shelf(studio)
    looker = RowBrowser(shelf, right)
    tokens = TokenHandlers(shelf, right, looker)
    measuring = Measuring(shelf, right, looker, tokens)
    source = SourceHandlers(shelf, left, right, looker, tokens)
    prepared = PreparedHandlers(shelf, left, right, looker, tokens, source)
    looker.bind(tokens.follow)
    tokens.bind()
    measuring.bind()
    source.bind()
    prepared.bind()
    return DataHandles(looker.subject, right.actions.train, tokens.chosen, prepared.opening)
