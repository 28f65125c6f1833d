"""Compare: the same prompt to base and tuned model, side by side, from one copy of the weights."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from components.compare.batch import SetTab
from components.compare.chat import ChatTab
from components.compare.context import ContextTab
from components.compare.controls import Controls
from components.compare.evaluation import ScoreTab
from components.compare.search import SearchTab
from components.ui.compat import Reply
from components.ui.page_context import PageContext

if TYPE_CHECKING:
    from studio import Studio


@dataclass(frozen=True)
class CompareHandles:
    """What the other tabs use."""

    opening: gr.State
    """Set to `ask(runs)` to compare these runs with their base model, in a chat of their own."""
    prompt: gr.Textbox
    """The chat's prompt box."""
    project: gr.State
    """The id of the labeling project last created from a prompt set's pairs."""
    traced: tuple[gr.HTML, ...]
    """Lists of training rows; a click sends the `data-dataset` and the `data-open` row."""


def ask(runs: tuple[str, ...], prompt: str = "") -> Reply:
    """A value for `CompareHandles.opening`; asking for the same runs again counts as a change.

    A `prompt` is sent to all of them at once.
    """
    return {"runs": runs, "prompt": prompt, "asked": time.monotonic()}


def build(studio: Studio, ctx: PageContext) -> CompareHandles:
    """Lay the tab out inside the open `gr.Tab` and bind it."""
    left = Controls(studio, ctx)
    chat, prompts, score = (
        ChatTab(studio, left, ctx.visits),
        SetTab(studio, left),
        ScoreTab(studio, left),
    )
    search, context = SearchTab(studio), ContextTab(studio)
    with gr.Row(elem_classes="desk", elem_id="compare-desk"):
        left.lay_out()
        with (
            gr.Column(elem_classes="see", elem_id="compare-see"),
            gr.Tabs(elem_classes="views", elem_id="compare-tabs"),
        ):
            with gr.Tab("Chat", id="chat"):
                chat.lay_out()
            with gr.Tab("Prompt set", id="set") as set_tab:
                prompts.lay_out()
            with gr.Tab("Scores", id="score") as score_tab:
                score.lay_out()
            with gr.Tab("Search", id="search") as search_tab:
                search.lay_out()
            with gr.Tab("Context", id="context") as context_tab:
                context.lay_out()
    opened = left.bind(chat.chat)
    chat.bind(opened)
    prompts.bind(set_tab)
    score.bind(score_tab)
    search.bind(search_tab)
    context.bind(context_tab)
    traced = (chat.why.view, score.errors.view)
    return CompareHandles(left.opening, chat.prompt, prompts.reader.project, traced)
