"""The Data tab: import data, browse and check its rows, and prepare it for training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from components.data import import_form, preview_layout
from components.data.dataset_handlers import DatasetHandlers, show
from components.data.import_handlers import ImportHandlers
from components.data.influence import InfluenceHandlers
from components.data.make_data import MakeData
from components.data.open_sources import OpenSources
from components.data.option_choices import sample_choices
from components.data.row_browser import RowBrowser
from components.data.source_shape import SourceShape
from components.data.token_statistics import StatisticsHandlers
from components.data.token_view import TokenHandlers
from components.ui.page_context import PageContext
from studio.core.model_names import choices

if TYPE_CHECKING:
    from studio import Studio

__all__ = ["DataHandles", "build", "show"]


@dataclass(frozen=True)
class DataHandles:
    """What `page.tab_links` connects to."""

    subject: gr.State
    """Holds a `Subject`; its `dataset_id` is set while a prepared dataset is shown."""
    train: gr.Button
    """Trains on the prepared dataset that is shown."""
    parameters: gr.State
    """Recipe fields set by hand in the token view."""
    opening: gr.State
    """Set to `show(dataset_id)` to show a dataset here, or to `show(dataset_id, row)`."""


def build(studio: Studio, ctx: PageContext) -> DataHandles:
    """Build the tab and bind its events."""
    sources, making = OpenSources(studio), MakeData(studio)
    with gr.Row(elem_classes="desk"):
        form = import_form.import_column(sample_choices(), SourceShape(sources), making)
        preview = preview_layout.preview_column(choices())
    row_browser = RowBrowser(sources, preview)
    tokens = TokenHandlers(sources, preview, row_browser)
    statistics = StatisticsHandlers(sources, preview, row_browser, tokens)
    source = ImportHandlers(sources, form, preview, row_browser, tokens)
    prepared = DatasetHandlers(sources, form, preview, row_browser, tokens, source)
    row_browser.bind(tokens.follow)
    tokens.bind()
    statistics.bind()
    source.bind()
    prepared.bind()
    InfluenceHandlers(sources, row_browser, prepared.opening).bind()
    making.bind(prepared.opening)
    return DataHandles(row_browser.subject, preview.actions.train, tokens.chosen, prepared.opening)
