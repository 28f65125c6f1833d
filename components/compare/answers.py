"""The answers of a turn: asked of every model at once, followed as they are written, scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from components.compare.conversation import Chat, Turn
from components.ui.access import visitor
from components.ui.handlers import sentence
from components.ui.visitor_quota import Visits
from studio.core.errors import ConfigError
from studio.generation.request import Generation, GenerationRequest, Sampling
from studio.rewards import parse
from studio.workflows.asking import Asking

if TYPE_CHECKING:
    from studio import Studio

_REFRESH = 0.12  # seconds between updates of what is being written


class Answers:
    """Asks the models of a chat, within what a visitor may ask."""

    def __init__(self, studio: Studio, visits: Visits):
        self.studio, self.visits = studio, visits

    def begin(self, chat: Chat, prompt: str, sampling: Sampling, asking: Asking, role: str) -> Chat:
        """The chat with a new turn whose answers are being generated (`live`)."""
        asked = [asking.prompt(chat.messages(at, prompt, role)) for at in range(len(chat.sides))]
        columns = tuple(
            replace(side.column, prompts=(messages,))
            for side, messages in zip(chat.sides, asked, strict=True)
        )
        request = GenerationRequest((asked[0],), columns, sampling, raw=chat.raw)
        generation = self.visits.generate(request)
        answers = [cells[0] for cells in generation.snapshot().answers]
        turn = Turn(prompt, asked, sampling, answers, [0.0] * len(answers), waiting=True, role=role)
        return replace(chat, turns=(*chat.turns, turn), live=generation)

    def written(self, chat: Chat, generation: Generation) -> Iterator[Chat]:
        """The chat whenever its last turn changed, until every model is done."""
        turn = chat.turns[-1]
        while True:
            over = generation.wait(_REFRESH)
            snapshot = generation.snapshot()
            spent = [
                snapshot.seconds if answer.ended is None or not seconds else seconds
                for answer, seconds in zip(turn.answers, turn.spent, strict=True)
            ]
            after = replace(
                turn,
                answers=[cells[0] for cells in snapshot.answers],
                spent=spent,
                shared=snapshot.shared,
                held=snapshot.held,
                waiting=snapshot.waiting,
                error=snapshot.error,
                done=over,
            )
            if after != turn:
                turn = after
                yield replace(chat, turns=(*chat.turns[:-1], turn))
            if over:
                return

    def scored(self, turn: Turn, reward: str) -> tuple[Turn, str]:
        """The turn with a reward for every answer, or why there is none."""
        if turn.error or any(answer.error for answer in turn.answers):
            return turn, ""
        texts = [answer.written for answer in turn.answers]
        try:
            self.visits.count(len(texts))
            if visitor() is not None and any(not part.run for part in parse([reward])):
                raise ConfigError("Visitors score answers with reward models only.")
            results = self.studio.reward([reward], None, turn.asked, texts).result()
        except Exception as error:
            return turn, sentence(error)
        return replace(turn, rewards=[each.total for each in results]), ""
