"""Compare: the same prompt to base and tuned, side by side, from one copy of the weights."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.events import api

from components.common import Shell, guard
from components.compare_chat import ChatTab
from components.compare_left import Left
from components.compare_score import ScoreTab
from components.compare_set import SetTab
from components.comparison import side
from components.visits import Visits
from studio.generation.request import GenerationRequest, Sampling

if TYPE_CHECKING:
    from studio import Studio


@dataclass(frozen=True)
class CompareHandles:
    """What the page's wiring uses."""

    opening: gr.State
    """Set to `ask(runs)` to put these runs beside their base."""
    prompt: gr.Textbox
    """The chat's prompt box."""
    send_button: gr.Button
    """Pressed to send a prompt set's pairs to Label; `project` changes once they are there."""
    project: gr.State
    """The id of the labelling project that was made last."""


def ask(runs: tuple[str, ...]) -> dict[str, Any]:
    """A value for `CompareHandles.opening`; asking for the same again counts as a change."""
    return {"runs": runs, "asked": time.monotonic()}


def build(studio: Studio, shell: Shell) -> CompareHandles:
    """Lay the tab out inside the open `gr.Tab` and bind it."""
    left = Left(studio, shell)
    visits = Visits(studio)
    chat, prompts, score = (
        ChatTab(studio, left, visits),
        SetTab(studio, left),
        ScoreTab(studio, left),
    )
    opening = gr.State(None)
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
            with gr.Tab("Score", id="score") as score_tab:
                score.lay_out()
    left.bind(opening)
    chat.bind()
    prompts.bind(set_tab)
    score.bind(score_tab)
    _endpoints(studio, visits)
    return CompareHandles(opening, chat.prompt, prompts.send, prompts.project)


def _endpoints(studio: Studio, visits: Visits) -> None:
    """The public one: for scripts and for `gradio_client`."""

    def generate(
        prompt: str, columns: list[str], temperature: float = 0.0, max_new_tokens: int = 128,
        seed: int = 0,
    ) -> list[str]:  # fmt: skip
        sampling = Sampling.model_validate(
            {"temperature": temperature, "max_new_tokens": max_new_tokens, "seed": seed}
        )
        chosen = tuple(side(studio, column).column for column in columns)
        generation = visits.generate(GenerationRequest((prompt,), chosen, sampling))
        generation.wait()
        snapshot = generation.snapshot()
        if snapshot.error:
            raise gr.Error(snapshot.error, print_exception=False)
        return [column[0].error or column[0].text for column in snapshot.answers]

    api(
        guard(generate, "everybody"), api_name="generate", concurrency_limit=None,
        api_description="One prompt to several columns, each `base:<model>` or `run:<id>`.",
    )  # fmt: skip
