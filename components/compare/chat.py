"""Chat with up to four models at once: sent together, streamed together, stopped together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import gradio as gr

from components.compare import chat_html as views
from components.compare.answers import Answers
from components.compare.chat_layout import ChatLayout
from components.compare.controls import Controls
from components.compare.conversation import Chat, bring_back, keep, vote
from components.ui.access import person
from components.ui.compat import Options, Update, Updates, Values
from components.ui.handlers import QUIET, guard, page_loads, sentence
from components.ui.html import notice
from components.ui.visitor_quota import Visits
from studio.core.errors import StudioError
from studio.core.formatting import plural
from studio.workflows.comparisons import Side, finished, sides

if TYPE_CHECKING:
    from gradio.events import Dependency

    from studio import Studio


class ChatTab(ChatLayout):
    """The handlers of the Chat sub-tab."""

    def __init__(self, studio: Studio, left: Controls, visits: Visits):
        super().__init__(studio, left, visits)
        self.answers = Answers(studio, visits)

    def bind(self, opened: Dependency) -> None:
        """`opened` is what follows when another tab sets `opening` (`Controls.bind`)."""
        inputs = {self.prompt, self.result, self.chat, self.saved, *self.left.inputs}
        parts = self.parts
        streaming: Options = {**QUIET, "concurrency_limit": None}
        gr.on(
            [self.prompt.submit, self.send.click],
            guard(self.ask, "everybody"),
            inputs,
            parts,
            **streaming,
        )
        gr.on(
            [self.result.submit, self.give.click],
            guard(self.give_result, "everybody"),
            inputs,
            parts,
            **streaming,
        )
        switch = {
            "fn": guard(self.switched, "everybody"),
            "inputs": {*inputs, self.former},
            "outputs": [*parts, self.former],
        }
        gr.on([choice.input for choice in self.left.choices], **switch, **QUIET)
        self.left.added.then(**switch, **QUIET)
        opened.then(guard(self.opened), {*inputs, self.former}, [*parts, self.former], **streaming)
        self.again.click(guard(self.ask_again, "everybody"), inputs, parts, **streaming)
        self.stop.click(guard(self.halt, "everybody"), self.chat, None, **QUIET)
        self.new.click(guard(self.begin_anew, "everybody"), self.chat, parts, **QUIET)
        self.edit.click(guard(self.edit_last, "everybody"), self.chat, parts, **QUIET)
        self.mark.click(
            guard(self.mark_differences, "everybody"),
            self.chat,
            [self.chat, self.view, self.mark],
            **QUIET,
        )
        self.tokens.bind(self.chat)
        self.why.bind(self.chat, self.tokens.view)
        # A tab that was never opened is not rendered yet: its state arrives with it, as a change.
        arrivals = [self.saved.change, *page_loads()]
        gr.on(
            arrivals,
            guard(self.restore, "everybody"),
            {self.saved, self.chat, self.left.opening},
            [
                *(self.chat, self.view, self.more, self.exact, self.result, self.result_row),
                *(*self.left.choices, self.left.more),
            ],
            **QUIET,
        )
        # Model B is set as soon as there is a run.
        self.left.choices[1].change(guard(self.invite, "everybody"), self.chat, self.view, **QUIET)
        for choice, button in self.votes.items():
            button.click(
                guard(self._voter(choice), "everybody"),
                self.chat,
                [self.message, self.vote_row],
                **QUIET,
            )

    def invite(self, chat: Chat) -> Update:
        """An empty chat says what can be compared now; a conversation stays as it is."""
        return gr.skip() if chat.turns else views.chat_empty(bool(finished(self.studio)))

    # ---- asking ---------------------------------------------------------------------------------

    def ask(self, data: Values) -> Iterator[Updates]:
        """Send the prompt to every model and stream the answers."""
        prompt = (data[self.prompt] or "").strip()
        chat = self._current(data)
        if prompt and not chat.busy:
            yield from self._asked(data, chat, prompt)

    def give_result(self, data: Values) -> Iterator[Updates]:
        """Send what the tool gave to every model that called it, and stream the answers."""
        result = (data[self.result] or "").strip()
        chat = self._current(data)
        if result and not chat.busy:
            yield from self._asked(data, chat, result, role="tool")

    def ask_again(self, data: Values) -> Iterator[Updates]:
        """The last prompt once more, with the next seed."""
        chat = self._current(data)
        if not chat.turns or chat.busy:
            return
        if self._always_same(data, chat):
            message = "Greedy always gives the same answer; choose another sampling to vary it."
            yield {self.message: notice("info", message)}
            return
        last = chat.turns[-1]
        yield from self._asked(data, chat, last.prompt, again=True, role=last.role)

    def _current(self, data: Values) -> Chat:
        """The browser's conversation; in the second after a refresh, the one being restored."""
        chat: Chat = data[self.chat]
        if chat.turns:
            return chat
        return bring_back(self.studio, str(data[self.saved] or "")) or chat

    def _always_same(self, data: Values, chat: Chat) -> bool:
        """Whether asking again could only repeat: greedy before and now, by the same models."""
        greedy = (
            not data[self.left.sampling_fields["temperature"]]
            and not chat.turns[-1].sampling.temperature
        )
        return greedy and sides(self.studio, self.left.columns(data)) == chat.sides

    def _asked(
        self, data: Values, chat: Chat, prompt: str, again: bool = False, role: str = "user"
    ) -> Iterator[Updates]:
        """`again` replaces the last turn's answers; `role`: who says the prompt."""
        raw = bool(data[self.left.raw])
        try:
            chosen = sides(self.studio, self.left.columns(data))
            sampling = self.left.sampling(data)
            if again:
                seed = chat.turns[-1].sampling.seed + 1
                sampling = sampling.model_copy(update={"seed": seed})
            system, asking = self.left.system_text(data), self.left.asking(data)
            if (chosen, system.strip(), raw) != (chat.sides, chat.system.strip(), chat.raw):
                chat = Chat(chosen, system, raw=raw, marked=chat.marked)
            turns = chat.turns[:-1] if again else chat.turns
            chat = replace(chat, turns=turns, follow=self.left.followed(data))
            chat = self.answers.begin(chat, prompt, sampling, asking, role)
        except Exception as error:
            yield {self.message: notice("error", sentence(error))}
            return
        generation = chat.live
        assert generation is not None
        try:
            yield {
                self.chat: chat,
                self.view: views.chat(chat),
                self.prompt: "",
                self.result: "",
                self.result_row: gr.update(visible=False),
                self.message: "",
                self.send: gr.update(visible=False),
                self.stop: gr.update(visible=True),
                self.vote_row: gr.update(visible=False),
                self.more: gr.update(visible=True),
            }
            for written in self.answers.written(chat, generation):
                chat = written
                # With the state: a restore that was under way must not put an older one there.
                yield {self.view: views.chat(chat), self.chat: chat}
        finally:
            if not generation.finished:  # the page was closed: nobody waits for the rest
                generation.cancel()
        reward, problem = data[self.left.reward], ""
        if reward:
            scored, problem = self.answers.scored(chat.turns[-1], reward)
            chat = replace(chat, turns=(*chat.turns[:-1], scored))
        yield self._ended(chat, problem)

    def _ended(self, chat: Chat, problem: str) -> Updates:
        turn = chat.turns[-1]
        two = len(chat.sides) == 2 and not turn.error
        fair = two and turn.same_question and all(a.text.strip() for a in turn.answers)
        different = fair and turn.answers[0].text.strip() != turn.answers[1].text.strip()
        hint = ""
        keep(self.studio, chat)
        if two and not turn.same_question:
            hint = (
                "To vote, both models must have read the same conversation: start a new chat, or "
                "let all models continue from the answers of one."
            )
        return {
            self.send: gr.update(visible=True),
            self.stop: gr.update(visible=False),
            self.exact: views.prompts_given(turn, chat.sides),
            **self._results(chat),
            self.vote_row: gr.update(visible=different),
            self.message: notice("error", problem)
            or (f'<p class="none">{hint}</p>' if hint else ""),
            self.view: views.chat(chat),
            self.chat: chat,
            self.saved: chat.id,
        }

    def _results(self, chat: Chat, value: str = "") -> Updates:
        """The box for a tool's result, where the last answers call one."""
        names = chat.called
        label = f"Result of {' and '.join(names)}" if names else "Result of the tool"
        return {
            self.result_row: gr.update(visible=bool(names)),
            self.result: gr.update(value=value, label=label),
        }

    def halt(self, chat: Chat) -> None:
        if chat.live is not None:
            chat.live.cancel()

    def begin_anew(self, chat: Chat) -> Updates:
        self.halt(chat)
        return {
            self.chat: Chat(),
            self.view: views.chat_empty(bool(finished(self.studio))),
            self.exact: views.prompts_given(None, ()),
            self.vote_row: gr.update(visible=False),
            self.message: "",
            self.more: gr.update(visible=False),
            self.saved: "",
            **self._results(Chat()),
        }

    def edit_last(self, chat: Chat) -> Update:
        """Put the last prompt back into the box and drop its answers."""
        if not chat.turns or chat.busy:
            return gr.skip()
        last = chat.turns[-1]
        chat = replace(chat, turns=chat.turns[:-1])
        keep(self.studio, chat)
        view = views.chat(chat) if chat.turns else views.chat_empty(bool(finished(self.studio)))
        return {
            self.chat: chat,
            self.view: view,
            self.prompt: "" if last.role == "tool" else last.prompt,
            **self._results(chat, last.prompt if last.role == "tool" else ""),
            self.message: "",
            self.vote_row: gr.update(visible=False),
            self.more: gr.update(visible=bool(chat.turns)),
        }

    def mark_differences(self, chat: Chat) -> Update:
        if not chat.turns or chat.busy:
            return gr.skip()
        chat = replace(chat, marked=not chat.marked)
        label = "Hide differences" if chat.marked else "Show differences"
        return chat, views.chat(chat), gr.update(value=label)

    def restore(self, data: Values) -> Update:
        """After a refresh, the conversation this browser had, unless another one has begun or
        another tab has chosen the models meanwhile."""
        if (data[self.left.opening] or {}).get("runs"):
            return gr.skip()
        saved = bring_back(self.studio, str(data[self.saved] or ""))
        if data[self.chat].turns:
            return gr.skip()
        if saved is None or not saved.turns:
            return {self.view: self.invite(data[self.chat])}
        return self._brought_back(saved) | self.left.chosen(saved.sides)

    def _brought_back(self, saved: Chat) -> Updates:
        return {
            self.chat: saved,
            self.view: views.chat(saved),
            self.more: gr.update(visible=True),
            self.exact: views.prompts_given(saved.turns[-1], saved.sides),
            **self._results(saved),
        }

    # ---- another pair ---------------------------------------------------------------------------

    def switched(self, data: Values) -> Update:
        """Other models begin a new chat, or go on with the one they had in this browser.

        While answers are being written they stay, each under its model's name.
        """
        chat: Chat = data[self.chat]
        try:
            chosen = sides(self.studio, self.left.columns(data))
        except StudioError:  # a list is empty, or holds what is being typed
            return gr.skip()
        if chosen == chat.sides or chat.busy or (chat.turns and not chat.turns[-1].done):
            return gr.skip()
        former: dict[str, str] = dict(data[self.former])
        if chat.turns:
            former[_models(chat.sides)] = chat.id
        before = bring_back(self.studio, former.get(_models(chosen), ""))
        if before is not None and before.turns:
            fresh = {self.message: "", self.vote_row: gr.update(visible=False)}
            return self._brought_back(before) | fresh | {self.saved: before.id, self.former: former}
        if not chat.turns:
            return gr.skip()
        said = "A new chat with these models. Choose the former ones to go back to theirs."
        fresh = {self.message: notice("info", said), self.former: former}
        return self.begin_anew(chat) | fresh

    def opened(self, data: Values) -> Iterator[Update]:
        """Another tab chose the models; a prompt that came with them is asked at once."""
        wanted = data[self.left.opening] or {}
        if not wanted.get("runs"):
            return
        prompt = str(wanted.get("prompt") or "")
        if prompt:
            yield from self._asked(data, Chat(), prompt)
        else:
            yield self.switched(data)

    # ---- voting ---------------------------------------------------------------------------------

    def _voter(self, choice: str) -> Callable[[Chat], Updates]:
        def cast(chat: Chat) -> Updates:
            if not chat.turns or not chat.turns[-1].done:
                return {}
            name, count = vote(self.studio, chat, choice, person("me").name)
            text = f"Saved: {views.VOTES[choice]}. {plural(count, 'vote')} in '{name}'."
            return {self.message: notice("good", text), self.vote_row: gr.update(visible=False)}

        return cast


def _models(compared: tuple[Side, ...]) -> str:
    """What tells one choice of models from another."""
    return "\n".join(side.key for side in compared)
