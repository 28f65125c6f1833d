"""Token by token: one answer of the chat, or a text given, under every column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from components.compare import diff_html as marks
from components.compare.conversation import Chat
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from components.ui.visitor_quota import Visits
from studio.core.errors import ConfigError
from studio.workflows.comparisons import LETTERS

if TYPE_CHECKING:
    from studio import Studio

_MINE = "a text of mine"
_PATIENCE = 120.0  # seconds: a run's step or another answer may be in the way


class TokenView:
    """The folded panel under the chat."""

    def __init__(self, studio: Studio, visits: Visits):
        self.studio, self.visits = studio, visits

    def lay_out(self) -> None:
        with gr.Accordion("Token by token", open=False, elem_classes="fold quiet"):
            with gr.Row(elem_id="token-row"):
                self.which = gr.Radio(
                    [*(f"answer {letter}" for letter in LETTERS[:2]), _MINE],
                    value="answer B",
                    show_label=False,
                    container=False,
                    elem_id="token-which",
                    scale=3,
                )
                self.show = gr.Button(
                    "Read it", size="sm", scale=0, min_width=90, elem_id="token-show"
                )
            self.mine = gr.Textbox(
                "",
                lines=2,
                max_lines=6,
                visible=False,
                show_label=False,
                elem_id="token-mine",
                placeholder="Any answer to the last prompt: the right one, say",
            )
            self.view = gr.HTML(marks.token_empty(), elem_id="token-view")

    def bind(self, chat: gr.State) -> None:
        self.which.change(
            guard(lambda which: gr.update(visible=which == _MINE), "everybody"),
            self.which,
            self.mine,
            **QUIET,
        )
        self.show.click(
            guard(self.read, "everybody"),
            [chat, self.which, self.mine],
            self.view,
            api_visibility="private",
            show_progress="minimal",
        )

    def read(self, chat: Chat, which: str, mine: str) -> str:
        """One forward pass a column over the last prompt and the chosen answer."""
        try:
            return marks.tokens(self._reading(chat, which, mine))
        except TimeoutError:
            return notice("error", "The model is busy with something longer; ask again.")
        except Exception as error:
            return notice("error", sentence(error))

    def _reading(self, chat: Chat, which: str, mine: str) -> Any:
        if not chat.turns:
            raise ConfigError("Ask something first; its answer is read here.")
        turn = chat.turns[-1]
        answer: str | tuple[int, ...] = mine or ""
        at = 0
        if which != _MINE:
            at = LETTERS.index(which[-1])
            if at >= len(turn.answers):
                raise ConfigError(f"There is no answer {LETTERS[at]}.")
            answer = turn.answers[at].ids or turn.answers[at].text
        prompt: Any = turn.prompt if chat.raw else turn.asked[at]
        columns = [side.column for side in chat.sides]
        self.visits.check(columns)
        self.visits.count(len(columns))
        return self.studio.read_answer(columns, prompt, answer, chat.raw).result(_PATIENCE)
