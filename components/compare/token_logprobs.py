"""Token probabilities of a chat answer, or of a text entered, under every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from components.compare import diff_html as marks
from components.compare.conversation import Chat
from components.ui.access import person
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from components.ui.visitor_quota import Visits
from studio.core.errors import ConfigError
from studio.workflows.comparisons import LETTERS

if TYPE_CHECKING:
    from studio import Studio
    from studio.evaluation.token_logprobs import AnswerReading

_OWN_TEXT = "my own text"
_ASK = """
const ask = (event) => {
  const token = event.target.closest('[data-letter]');
  if (token) trigger('click', {...token.dataset});
};
element.addEventListener('click', ask);
element.addEventListener('keydown', (event) => { if (event.key === 'Enter') ask(event); });
"""
_TIMEOUT = 120.0  # seconds: a training step or another answer may come first


class TokenView:
    """The folded panel under the chat."""

    def __init__(self, studio: Studio, visits: Visits):
        self.studio, self.visits = studio, visits

    def lay_out(self) -> None:
        with gr.Accordion("Token probabilities", open=False, elem_classes="fold quiet"):
            with gr.Row(elem_id="token-row"):
                self.which = gr.Radio(
                    [*(f"answer {letter}" for letter in LETTERS[:2]), _OWN_TEXT],
                    value="answer B",
                    show_label=False,
                    container=False,
                    elem_id="token-which",
                    scale=3,
                )
                self.show = gr.Button(
                    "Analyze", size="sm", scale=0, min_width=90, elem_id="token-show"
                )
            self.own_text = gr.Textbox(
                "",
                lines=2,
                max_lines=6,
                visible=False,
                show_label=False,
                elem_id="token-mine",
                placeholder="Any answer to the last prompt, for example the correct one",
            )
            self.view = gr.HTML(marks.token_empty(), js_on_load=_ASK, elem_id="token-view")

    def bind(self, chat: gr.State) -> None:
        self.which.change(
            guard(lambda which: gr.update(visible=which == _OWN_TEXT), "everybody"),
            self.which,
            self.own_text,
            **QUIET,
        )
        self.show.click(
            guard(self.read, "everybody"),
            [chat, self.which, self.own_text],
            self.view,
            api_visibility="private",
            show_progress="minimal",
        )

    def read(self, chat: Chat, which: str, own_text: str) -> str:
        """One forward pass per model over the last prompt and the chosen answer."""
        try:
            return marks.tokens(self._reading(chat, which, own_text), _asks(chat, which))
        except TimeoutError:
            return notice("error", "The model is busy; try again in a minute.")
        except Exception as error:
            return notice("error", sentence(error))

    def _reading(self, chat: Chat, which: str, own_text: str) -> AnswerReading:
        if not chat.turns:
            raise ConfigError("Send a prompt first; its answer is analyzed here.")
        turn = chat.turns[-1]
        answer: str | tuple[int, ...] = own_text or ""
        at = 0
        if which != _OWN_TEXT:
            at = LETTERS.index(which[-1])
            if at >= len(turn.answers):
                raise ConfigError(f"There is no answer {LETTERS[at]}.")
            answer = turn.answers[at].ids or turn.answers[at].text
        prompt = turn.prompt if chat.raw else turn.asked[at]
        columns = [side.column for side in chat.sides]
        self.visits.check(columns)
        self.visits.count(len(columns))
        return self.studio.read_answer(columns, prompt, answer, chat.raw).result(_TIMEOUT)


def _asks(chat: Chat, which: str) -> tuple[str, str] | None:
    """The letter and the answer of a tuned model, whose tokens can be asked about."""
    at = -1 if which == _OWN_TEXT else LETTERS.index(which[-1])
    side = chat.sides[at] if 0 <= at < len(chat.sides) else None
    if side is None or side.run is None or side.endpoint or not person().owner:
        return None
    return LETTERS[at], chat.turns[-1].answers[at].text
