"""The widgets of the Chat sub-tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr
from gradio.blocks import BlockContext
from gradio.components import Component

from components.compare import chat_html as views
from components.compare.controls import Controls
from components.compare.conversation import Chat
from components.compare.token_logprobs import TokenView
from components.compare.why_panel import WhyPanel
from components.ui.visitor_quota import Visits
from studio.workflows.comparisons import finished

if TYPE_CHECKING:
    from studio import Studio


class ChatLayout:
    """What the Chat sub-tab shows. `chat` holds the browser's conversation."""

    def __init__(self, studio: Studio, left: Controls, visits: Visits):
        self.studio, self.left, self.visits = studio, left, visits
        self.chat = gr.State(Chat())
        self.saved = gr.BrowserState("", storage_key="studio-chat", secret="alignment-studio")
        self.former = gr.State({})
        """The id of this browser's last chat with each choice of models."""

    def lay_out(self) -> None:
        with gr.Column(elem_id="chat-box"):
            # True as the app starts; `ChatTab.restore` says it anew as a page opens.
            self.view = gr.HTML(
                views.chat_empty(bool(finished(self.studio))), elem_id="chat-view", autoscroll=True
            )
            with gr.Accordion("Exact prompt", open=False, elem_classes="fold quiet"):
                self.exact = gr.HTML(views.prompts_given(None, ()), elem_id="chat-exact")
            self.tokens = TokenView(self.studio, self.visits)
            self.tokens.lay_out()
            self.why = WhyPanel(self.studio)
            self.why.lay_out()
            with gr.Column(elem_id="chat-ask"):
                with gr.Row(visible=False, elem_id="chat-vote") as self.vote_row:
                    gr.HTML('<span class="vote-label">Your vote</span>')
                    self.votes = {
                        choice: gr.Button(text, size="sm", min_width=60)
                        for choice, text in (
                            ("a", "A is better"),
                            ("b", "B is better"),
                            ("tie", "Tie"),
                            ("both_bad", "Both bad"),
                        )
                    }
                self.message = gr.HTML("", elem_id="chat-message")
                with gr.Row(visible=False, elem_id="chat-result-line") as self.result_row:
                    self.result = gr.Textbox(
                        label="Result of the tool",
                        info="Sent as the tool's turn. For several tools: an object of results.",
                        lines=1,
                        max_lines=8,
                        elem_id="chat-result",
                        scale=6,
                    )
                    self.give = gr.Button("Send result", elem_id="chat-give", min_width=84, scale=0)
                with gr.Row(elem_id="chat-line"):
                    self.prompt = gr.Textbox(
                        label="Message",
                        show_label=False,
                        placeholder="Message all models",
                        lines=1,
                        max_lines=8,
                        elem_id="chat-prompt",
                        scale=6,
                        container=False,
                        autofocus=False,
                    )
                    self.send = gr.Button(
                        "Send", variant="primary", elem_id="chat-send", min_width=84, scale=0
                    )
                    self.stop = gr.Button(
                        "Stop", visible=False, elem_id="chat-stop", min_width=84, scale=0
                    )
                with gr.Row(visible=False, elem_id="chat-more") as self.more:
                    self.again = gr.Button("Regenerate", size="sm", min_width=60)
                    self.edit = gr.Button("Edit prompt", size="sm", min_width=60)
                    self.mark = gr.Button("Show differences", size="sm", min_width=60)
                    self.new = gr.Button("New chat", size="sm", min_width=60, elem_id="chat-new")

    @property
    def parts(self) -> list[Component | BlockContext]:
        """What a turn may change."""
        return [
            self.view,
            self.prompt,
            self.result,
            self.result_row,
            self.send,
            self.stop,
            self.chat,
            self.exact,
            self.vote_row,
            self.message,
            self.more,
            self.saved,
        ]
