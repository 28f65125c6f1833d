"""The answers of a long conversation, found piece by piece.

To find an answer, the conversation is rendered as far as the answer, several times over
(`studio.data.tokens.answer_spans`): the work grows with the square of the turns. Chat templates
write a turn by what stands near it, so a long conversation is cut into pieces that begin with a
user's turn or with a tool's result, and each piece is rendered between its head and its neighbors.
What comes out counts only where the pieces, laid end to end, are the whole rendering character by
character, and where the last answers of a few pieces are found the same way by the whole. Otherwise
nothing is taken from here, and every answer is found by the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from studio.data.tokens.answer_spans import Rendering, Span, SpanError

LONG = 12  # exchanges, or calls with results; what is shorter is found as quickly by the whole
PIECE = 4  # exchanges a piece
_AFTER = 2  # exchanges that follow it: enough for a template to see that it is not the last
_TRIED = 3  # pieces whose last answer is found by the whole too


class Found(NamedTuple):
    """Where an answer stands, and whether the template writes it differently once others follow."""

    span: Span
    changed: bool


@dataclass(frozen=True)
class _Piece:
    """Messages `start` to `end` of a conversation, rendered as `window`: messages 0 to `head`,
    `first` to `last`, and where that ends within a chain of calls the user's turn `then`, after
    which some templates write a chain without its thinking."""

    head: int
    first: int
    start: int
    end: int
    last: int
    then: int | None

    def within(self, turn: int) -> int:
        """The place in the window of a message of the conversation."""
        return turn if self.first <= self.head else turn - self.first + self.head

    def messages(self, rendering: Rendering) -> list[dict[str, object]]:
        given = rendering.messages
        then = [] if self.then is None else [given[self.then]]
        if self.first <= self.head:
            return [*given[: self.last], *then]
        return [*given[: self.head], *given[self.first : self.last], *then]


def answers(rendering: Rendering) -> dict[int, Found]:
    """Turn -> where its answer is; empty where the conversation is short or does not come apart."""
    from jinja2 import TemplateError

    pieces = _pieces(rendering)
    if not pieces:
        return {}
    try:
        found = _laid_end_to_end(rendering, pieces)
        if found and all(_found(rendering, turn) == found[turn] for turn in _tried(pieces)):
            return found
    except (SpanError, TemplateError):
        pass  # the whole may do, or say why not
    return {}


def _pieces(rendering: Rendering) -> list[_Piece]:
    """The pieces of a long conversation, which meet where a user's turn or a tool's result follows
    an answer; each has the head of its kind, the first turns that one of these follows."""
    roles = [message["role"] for message in rendering.messages]
    borders = [("assistant", role) for role in ("user", "tool")]
    cuts = [at for at in range(1, len(roles)) if (roles[at - 1], roles[at]) in borders]
    if len(cuts) < LONG:
        return []
    edges = [0, *cuts, len(roles)]
    heads = {roles[at]: at for at in reversed(cuts)}
    made = []
    for at in range(0, len(edges) - 1, PIECE):
        first, last = edges[max(0, at - 1)], edges[min(at + PIECE + _AFTER, len(edges) - 1)]
        made.append(
            _Piece(
                head=heads[roles[first]] if first else cuts[0],
                first=first,
                start=edges[at],
                end=edges[min(at + PIECE, len(edges) - 1)],
                last=last,
                then=_next_user(roles, last),
            )
        )
    return made


def _next_user(roles: list[str], last: int) -> int | None:
    """The user's turn after a chain of calls that is cut at `last`; None where it is not cut, or
    where no user speaks again."""
    if last == len(roles) or roles[last] != "tool":
        return None
    return next((at for at in range(last, len(roles)) if roles[at] == "user"), None)


def _tried(pieces: list[_Piece]) -> list[int]:
    """The last answers of some pieces, spread over the conversation."""
    inner = pieces[:-1]  # they end with an answer
    step = max(1, len(inner) // _TRIED)
    return [piece.end - 1 for piece in inner[step - 1 :: step]]


def _found(rendering: Rendering, turn: int) -> Found:
    before = len(rendering.changed)
    span = rendering.answer(turn)
    changed = rendering.changed[before:] == [turn]
    del rendering.changed[before:]
    return Found(span, changed)


def _laid_end_to_end(rendering: Rendering, pieces: list[_Piece]) -> dict[int, Found]:
    """The answers of all pieces, moved to where they stand in the whole; empty where the pieces do
    not join to it."""
    found: dict[int, Found] = {}
    place = 0  # where the last answer before the piece ends in the whole
    for piece in pieces:
        window = Rendering(piece.messages(rendering), rendering.tokenizer, rendering.options)
        begin = _found(window, piece.within(piece.start - 1)).span.end if piece.start else 0
        end = begin
        for turn in range(piece.start, piece.end):
            if rendering.messages[turn]["role"] != "assistant":
                continue
            span, changed = _found(window, piece.within(turn))
            moved = Span(turn, span.start - begin + place, span.end - begin + place)
            found[turn], end = Found(moved, changed), span.end
        end = len(window.text) if piece is pieces[-1] else end
        if not rendering.text.startswith(window.text[begin:end], place):
            return {}
        place += end - begin
    return found if place == len(rendering.text) else {}
