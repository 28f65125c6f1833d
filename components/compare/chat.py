"""Chat with two to four columns at once: sent together, written together, stopped together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.compare import chat_html as views
from components.compare.controls import Controls
from components.compare.conversation import Chat, Turn, bring_back, keep, vote
from components.compare.token_logprobs import TokenView
from components.ui.access import person
from components.ui.handlers import QUIET, guard, page_loads, sentence
from components.ui.html import notice
from components.ui.visitor_quota import Visits
from studio.core.formatting import plural
from studio.generation.request import Generation, GenerationRequest
from studio.workflows.comparisons import finished, sides

if TYPE_CHECKING:
    from studio import Studio

Updates = dict[Any, Any]
_REFRESH = 0.12  # seconds between looks at what is being written


@dataclass(frozen=True)
class _Asking:
    """What a chat needs to go on: the generation under way and its turn."""

    turn: Turn
    generation: Generation


class ChatTab:
    """The widgets and handlers of the Chat sub-tab. A browser's conversation lives in `chat`."""

    def __init__(self, studio: Studio, left: Controls, visits: Visits):
        self.studio, self.left, self.visits = studio, left, visits
        self.chat = gr.State(Chat())
        self.kept: Any = gr.BrowserState("", storage_key="studio-chat", secret="alignment-studio")

    def lay_out(self) -> None:
        with gr.Column(elem_id="chat-box"):
            self.view = gr.HTML(
                views.chat_empty(bool(finished(self.studio))), elem_id="chat-view", autoscroll=True
            )
            with gr.Accordion("Exact prompt", open=False, elem_classes="fold quiet"):
                self.exact = gr.HTML(views.prompts_given(None, ()), elem_id="chat-exact")
            self.tokens = TokenView(self.studio, self.visits)
            self.tokens.lay_out()
            with gr.Column(elem_id="chat-ask"):
                with gr.Row(visible=False, elem_id="chat-verdict") as self.verdict:
                    gr.HTML('<span class="verdict-label">Your verdict</span>')
                    self.votes = {
                        choice: gr.Button(text, size="sm", min_width=60)
                        for choice, text in (
                            ("a", "A is better"),
                            ("b", "B is better"),
                            ("tie", "Tie"),
                            ("both_bad", "Both bad"),
                        )
                    }
                self.said = gr.HTML("", elem_id="chat-said")
                with gr.Row(elem_id="chat-line"):
                    self.prompt = gr.Textbox(
                        show_label=False,
                        placeholder="Ask every column",
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
                    self.again = gr.Button("Answer again", size="sm", min_width=60)
                    self.edit = gr.Button("Edit prompt", size="sm", min_width=60)
                    self.mark = gr.Button("Mark differences", size="sm", min_width=60)
                    self.new = gr.Button("New chat", size="sm", min_width=60, elem_id="chat-new")

    def bind(self) -> None:
        given = {self.prompt, self.chat, *self.left.inputs}
        parts = [
            self.view,
            self.prompt,
            self.send,
            self.stop,
            self.chat,
            self.exact,
            self.verdict,
            self.said,
            self.more,
            self.kept,
        ]
        streaming: dict[str, Any] = {**QUIET, "concurrency_limit": None}
        gr.on(
            [self.prompt.submit, self.send.click],
            guard(self.ask, "everybody"),
            given,
            parts,
            **streaming,
        )
        self.again.click(guard(self.ask_again, "everybody"), given, parts, **streaming)
        self.stop.click(guard(self.halt, "everybody"), self.chat, None, **QUIET)
        self.new.click(guard(self.begin_anew, "everybody"), self.chat, parts, **QUIET)
        self.edit.click(guard(self.edit_last, "everybody"), self.chat, parts, **QUIET)
        self.mark.click(
            guard(self.mark_differences, "everybody"), self.chat, [self.view, self.mark], **QUIET
        )
        self.tokens.bind(self.chat)
        # A tab that was never opened is not in the page yet: its state comes with it, as a change.
        arrivals = [self.kept.change, *page_loads()]
        gr.on(
            arrivals,
            guard(self.restore, "everybody"),
            {self.kept, self.chat},
            [self.chat, self.view, self.more, self.exact],
            **QUIET,
        )
        # Column B is filled as soon as there is a run to put in it.
        self.left.choices[1].change(guard(self.invite, "everybody"), self.chat, self.view, **QUIET)
        for choice, button in self.votes.items():
            button.click(
                guard(self._voter(choice), "everybody"),
                self.chat,
                [self.said, self.verdict],
                **QUIET,
            )

    def invite(self, chat: Chat) -> Any:
        """The empty chat says what can be compared by now; a conversation stays as it is."""
        return gr.skip() if chat.turns else views.chat_empty(bool(finished(self.studio)))

    # ---- asking ---------------------------------------------------------------------------------

    def ask(self, data: Mapping[Any, Any]) -> Iterator[Updates]:
        """Send the prompt to every column and show the answers as they are written."""
        prompt = (data[self.prompt] or "").strip()
        chat: Chat = data[self.chat]
        if not prompt or (chat.live is not None and not chat.live.finished):
            return
        yield from self._asked(data, chat, prompt)

    def ask_again(self, data: Mapping[Any, Any]) -> Iterator[Updates]:
        """The last prompt once more, from the next seed."""
        chat: Chat = data[self.chat]
        if not chat.turns or (chat.live is not None and not chat.live.finished):
            return
        if self._always_same(data, chat):
            said = "Greedy always gives the same answer; choose another sampling to vary it."
            yield {self.said: notice("info", said)}
            return
        yield from self._asked(data, chat, chat.turns[-1].prompt, again=True)

    def _always_same(self, data: Mapping[Any, Any], chat: Chat) -> bool:
        """Whether asking again could only repeat: greedy before and now, by the same columns."""
        greedy = (
            not data[self.left.knobs["temperature"]] and not chat.turns[-1].sampling.temperature
        )
        return greedy and sides(self.studio, self.left.columns(data)) == chat.sides

    def _asked(
        self, data: Mapping[Any, Any], chat: Chat, prompt: str, again: bool = False
    ) -> Iterator[Updates]:
        """`again` puts new answers in the last turn's place."""
        chat.begin()
        raw = bool(data[self.left.raw])
        try:
            chosen = sides(self.studio, self.left.columns(data))
            sampling = self.left.sampling(data)
        except Exception as error:
            yield {self.said: notice("error", sentence(error))}
            return
        if again:
            seed = chat.turns[-1].sampling.seed + 1
            sampling = sampling.model_copy(update={"seed": seed})
        system = self.left.system_text(data)
        told = chosen, system.strip(), raw
        if told != (chat.sides, chat.system.strip(), chat.raw):
            chat = Chat(chosen, system, raw=raw, marked=chat.marked)
        chat.follow = self.left.followed(data)
        before = list(chat.turns)
        if again:
            del chat.turns[-1:]
        try:
            asking = self._begin(chat, prompt, sampling)
        except Exception as error:
            chat.turns = before
            yield {self.said: notice("error", sentence(error))}
            return
        try:
            yield {
                self.chat: chat,
                self.view: views.chat(chat),
                self.prompt: "",
                self.said: "",
                self.send: gr.update(visible=False),
                self.stop: gr.update(visible=True),
                self.verdict: gr.update(visible=False),
                self.more: gr.update(visible=True),
            }
            yield from self._written(chat, asking)
        finally:
            if not asking.generation.finished:  # the page was left: nobody waits for the rest
                asking.generation.cancel()
        reward = data[self.left.reward]
        unscored = self._score(asking.turn, reward) if reward else ""
        yield self._ended(chat, asking.turn, unscored)

    def _begin(self, chat: Chat, prompt: str, sampling: Any) -> _Asking:
        asked = [chat.messages(at, prompt) for at in range(len(chat.sides))]
        columns = tuple(
            replace(side.column, prompts=(messages,))
            for side, messages in zip(chat.sides, asked, strict=True)
        )
        request = GenerationRequest((asked[0],), columns, sampling, raw=chat.raw)
        generation = self.visits.generate(request)
        first = generation.snapshot()
        answers = [cells[0] for cells in first.answers]
        turn = Turn(prompt, asked, sampling, answers, [0.0] * len(answers), waiting=True)
        chat.turns.append(turn)
        chat.live = generation
        return _Asking(turn, generation)

    def _written(self, chat: Chat, asking: _Asking) -> Iterator[Updates]:
        """The view whenever it changed, until every column is done."""
        shown = ""
        while True:
            over = asking.generation.wait(_REFRESH)
            snapshot = asking.generation.snapshot()
            turn = asking.turn
            running = [at for at, answer in enumerate(turn.answers) if answer.ended is None]
            turn.answers = [cells[0] for cells in snapshot.answers]
            for at in running:
                turn.spent[at] = snapshot.seconds
            turn.shared, turn.held = snapshot.shared, snapshot.held
            turn.waiting, turn.error, turn.done = snapshot.waiting, snapshot.error, over
            markup = views.chat(chat)
            if markup != shown:
                shown = markup
                yield {self.view: markup}
            if over:
                return

    def _score(self, turn: Turn, reward: str) -> str:
        """A reward for every answer; what went wrong, where one cannot be given."""
        if turn.error or any(answer.error for answer in turn.answers):
            return ""
        texts = [answer.text for answer in turn.answers]
        try:
            self.visits.count(len(texts))
            graded = self.studio.reward([reward], None, turn.asked, texts).result()
        except Exception as error:
            return sentence(error)
        turn.rewards = [one.total for one in graded]
        return ""

    def _ended(self, chat: Chat, turn: Turn, unscored: str) -> Updates:
        two = len(chat.sides) == 2 and not turn.error
        fair = two and turn.same_question and all(a.text.strip() for a in turn.answers)
        different = fair and turn.answers[0].text.strip() != turn.answers[1].text.strip()
        said = ""
        keep(self.studio, chat)
        if two and not turn.same_question:
            said = (
                "Votes need both columns to have read the same: start a new chat, or let all go "
                "on from one column."
            )
        return {
            self.send: gr.update(visible=True),
            self.stop: gr.update(visible=False),
            self.exact: views.prompts_given(turn, chat.sides),
            self.verdict: gr.update(visible=different),
            self.said: notice("error", unscored) or (f'<p class="none">{said}</p>' if said else ""),
            self.view: views.chat(chat),
            self.chat: chat,
            self.kept: chat.id,
        }

    def halt(self, chat: Chat) -> None:
        if chat.live is not None:
            chat.live.cancel()

    def begin_anew(self, chat: Chat) -> Updates:
        if chat.live is not None:
            chat.live.cancel()
        return {
            self.chat: Chat(),
            self.view: views.chat_empty(bool(finished(self.studio))),
            self.exact: views.prompts_given(None, ()),
            self.verdict: gr.update(visible=False),
            self.said: "",
            self.more: gr.update(visible=False),
            self.kept: "",
        }

    def edit_last(self, chat: Chat) -> Any:
        """The last prompt goes back into the box, and its answers go."""
        if not chat.turns or (chat.live is not None and not chat.live.finished):
            return gr.skip()
        last = chat.turns.pop()
        keep(self.studio, chat)
        view = views.chat(chat) if chat.turns else views.chat_empty(bool(finished(self.studio)))
        return {
            self.chat: chat,
            self.view: view,
            self.prompt: last.prompt,
            self.said: "",
            self.verdict: gr.update(visible=False),
            self.more: gr.update(visible=bool(chat.turns)),
        }

    def mark_differences(self, chat: Chat) -> Any:
        if not chat.turns:
            return gr.skip()
        chat.marked = not chat.marked
        label = "Hide differences" if chat.marked else "Mark differences"
        return [views.chat(chat), gr.update(value=label)]

    def restore(self, data: Mapping[Any, Any]) -> Any:
        """After a refresh, the conversation that this browser had, unless one has begun."""
        kept, chat = bring_back(self.studio, str(data[self.kept] or "")), data[self.chat]
        if kept is None or not kept.turns or not chat.begin():
            return gr.skip()
        # Into the very object that a question asked meanwhile is given, so that it goes on there.
        vars(chat).update(vars(kept) | {"begun": True})
        return {
            self.chat: chat,
            self.view: views.chat(chat),
            self.more: gr.update(visible=True),
            self.exact: views.prompts_given(chat.turns[-1], chat.sides),
        }

    # ---- voting ---------------------------------------------------------------------------------

    def _voter(self, choice: str) -> Any:
        def cast(chat: Chat) -> Updates:
            if not chat.turns or not chat.turns[-1].done:
                return {}
            name, count = vote(self.studio, chat, choice, person("me").name)
            said = f"Kept: {views.VERDICTS[choice]}. {plural(count, 'vote')} in '{name}'."
            return {self.said: notice("good", said), self.verdict: gr.update(visible=False)}

        return cast
