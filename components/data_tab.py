"""Data: bring rows, see what they are and what is wrong with them, prepare them for training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from components import data_layout, data_see
from components.common import Shell
from components.data_choices import sample_choices
from components.data_looking import Looker
from components.data_measuring import Measuring
from components.data_prepared import PreparedHandlers, show
from components.data_shelf import Shelf
from components.data_source import SourceHandlers
from components.data_tokens import TokenHandlers
from studio.models.catalog import choices

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


def build(studio: Studio, shell: Shell) -> DataHandles:
    """Lay the tab out and bind it."""
    with gr.Row(elem_classes="desk"):
        left = data_layout.settle_column(sample_choices())
        right = data_see.see_column(choices())
    shelf = Shelf(studio)
    looker = Looker(shelf, right)
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
