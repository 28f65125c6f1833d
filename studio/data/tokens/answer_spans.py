"""Where each turn stands in the whole rendering of a conversation; the template needs no marks.

The conversation is rendered up to each answer, as the model is asked for it, and through each
answer. Where both are how the whole begins, the answer is what lies between them: all that the
template writes for it, its end mark included. Some templates write a turn differently once others
follow (Qwen3 drops earlier thinking). Such a turn is found by its text instead: it is replaced by a
placeholder, and what changes is the turn.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from studio.core import answers
from studio.core.library_types import Tokenizer
from studio.core.messages import Message

_PRIVATE_USE = range(0xE000, 0xF900)  # characters that no template strips
_END_OF_THOUGHT = "</think>"

Offsets = Sequence[tuple[int, int]]


class Span(NamedTuple):
    """Characters `start` to `end` of a rendering: what the model writes at message `turn`."""

    turn: int
    start: int
    end: int


class SpanError(Exception):
    """A turn that cannot be found in the rendering, as what the template does to it."""


@dataclass
class Rendering:
    """A conversation as its template writes it.

    `text` is the whole, `ids` and `offsets` its tokens and their characters. `changed` holds the
    turns that the template writes differently once others follow.
    """

    messages: Sequence[Message]
    tokenizer: Tokenizer
    options: Mapping[str, Any] = field(default_factory=dict)
    changed: list[int] = field(default_factory=list)
    _made: dict[tuple[int, bool, int | None], str] = field(default_factory=dict, repr=False)

    @cached_property
    def text(self) -> str:
        return self._render(len(self.messages))

    @cached_property
    def _encoded(self) -> Any:
        return self.tokenizer(self.text, add_special_tokens=False, return_offsets_mapping=True)

    @property
    def ids(self) -> list[int]:
        return self._encoded["input_ids"]

    @property
    def offsets(self) -> Offsets:
        return self._encoded["offset_mapping"]

    def answer(self, turn: int) -> Span:
        """The span of an assistant's turn; raises `SpanError`."""
        if turn:
            asked, through = self._asked(turn), self._through(turn)
            span = Span(turn, len(asked), self._end_of_common(through))
            found = self.text.startswith(asked) and self._complete(span, through)
            if found and (span.end == len(through) or self._holds(span)):
                return span
        return self._by_placeholder(turn)

    def other(self, turn: int) -> Span:
        """The span of a turn that is not the assistant's: its text and its end mark."""
        before, after = self._around(len(self.messages), turn)
        return Span(turn, before, self._end_after(turn, after)[0])

    def _complete(self, span: Span, through: str) -> bool:
        """Whether a span holds what its message says, and the end mark where there is one."""
        text = self.text[span.start : span.end]
        said = _said(self.messages[span.turn])
        whole = bool(text) and all(part in text for part in said)
        return whole and (span.end == len(through) or not text.rstrip().endswith(said[-1]))

    def _holds(self, span: Span) -> bool:
        """Whether a turn's own text stands within a span: it may say what a header says too."""
        before, after = self.content(span.turn)
        return span.start <= before and after <= span.end

    def content(self, turn: int) -> tuple[int, int]:
        """Where the text of a turn, without its thinking and calls, begins and ends."""
        return self._around(len(self.messages), turn)

    @cached_property
    def _placeholder(self) -> str:
        """A character that stands nowhere in the conversation."""
        written = repr((self.messages, self.options)) + self.text
        return next(chr(code) for code in _PRIVATE_USE if chr(code) not in written)

    # ---- a turn found by its text

    def _by_placeholder(self, turn: int) -> Span:
        before, after = self._around(len(self.messages), turn)
        end, same_end = self._end_after(turn, after)
        if not turn and _is_more_than_text(self.messages[0]):
            raise SpanError("writes turn 1 after no prompt, so its thinking or call has no start")
        start, same_start = self._start_after(turn, before) if turn else (before, True)
        self._refuse_overlap(turn, start, end)
        if not (same_start and same_end and self._same_alone(turn, start, after)):
            self.changed.append(turn)
        return Span(turn, start, end)

    def _refuse_overlap(self, turn: int, start: int, end: int) -> None:
        """Raise `SpanError` where the next turn's text stands within this one (Gemma 4's tools)."""
        if turn + 1 < len(self.messages) and self.messages[turn + 1].get("content"):
            before, after = self.content(turn + 1)
            if before < end and start < after:
                raise SpanError(f"writes turn {turn + 2} within the answer of turn {turn + 1}")

    def _same_alone(self, turn: int, start: int, after: int) -> bool:
        """Whether the template writes a turn the same way when no other follows."""
        through = self._through(turn)
        _, alone = self._around(turn + 1, turn)
        begin = len(self._asked(turn)) if turn else alone - (after - start)
        return through[begin:alone] == self.text[start:after]

    def _start_after(self, turn: int, before: int) -> tuple[int, bool]:
        """Where the answer starts: after as much of the generation prompt as the whole has; and
        whether that is all of it."""
        asked = self._asked(turn)
        _, prompt_from = self._around(turn, turn - 1, asks=True)
        _, whole_from = self._around(len(self.messages), turn - 1)
        same = _common(asked[prompt_from:], self.text[whole_from:])
        start, complete = whole_from + same, prompt_from + same == len(asked)
        if not complete:
            start = min(self._boundary(start), before)
        if not whole_from < start <= before:
            raise SpanError(
                f"does not write turn {turn + 1} after the prompt that the model is given there"
            )
        return start, complete

    def _end_after(self, turn: int, after: int) -> tuple[int, bool]:
        """Where a turn ends whose text ends at `after`, and whether it ends so when alone.

        A turn that ends differently in the middle (gpt-oss) ends with the special token after it.
        """
        through = self._through(turn)
        _, alone = self._around(turn + 1, turn)
        same = _common(through[alone:], self.text[after:])
        if alone + same == len(through):
            return after + same, True
        end = self._boundary(after + same)
        if end > after:
            return end, True
        at = next((at for at, (start, _) in enumerate(self.offsets) if start >= after), None)
        if at is None or self.ids[at] not in self.tokenizer.added_tokens_decoder:
            raise SpanError(f"ends turn {turn + 1} differently when other turns follow")
        return self.offsets[at][1], False

    def _around(self, count: int, turn: int, asks: bool = False) -> tuple[int, int]:
        """Where the text of a turn begins and ends in a rendering of the first messages."""
        text, other = self._render(count, asks), self._render(count, asks, hidden=turn)
        if self._placeholder not in other:
            raise SpanError(f"leaves out turn {turn + 1} ({self.messages[turn]['role']})")
        before = _common(text, other)
        rest = min(len(text), len(other)) - before
        return before, len(text) - _common(text[::-1], other[::-1], rest)

    # ---- rendering

    def _render(self, count: int, asks: bool = False, hidden: int | None = None) -> str:
        """The first `count` messages, each rendering made once; `hidden` is the turn that the
        placeholder stands for."""
        key = (count, asks, hidden)
        if key not in self._made:
            messages = list(self.messages[:count])
            if hidden is not None:
                messages[hidden] = _with_placeholder(messages[hidden], self._placeholder)
            self._made[key] = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=asks, **self.options
            )
        return self._made[key]

    def _asked(self, turn: int) -> str:
        """The prompt that the model is given for a turn."""
        return self._render(turn, asks=True)

    def _through(self, turn: int) -> str:
        """The conversation as it stands right after a turn."""
        return self._render(turn + 1)

    def _end_of_common(self, through: str) -> int:
        same = _common(through, self.text)
        return same if same == len(through) else self._boundary(same)

    def _boundary(self, at: int) -> int:
        """The last end of a token at or before a character: an end mark is never cut in two."""
        place = bisect_right(self.offsets, at, key=lambda offset: offset[1])
        return self.offsets[place - 1][1] if place else 0


def _common(one: str, other: str, most: int | None = None) -> int:
    """How many characters two texts have in common at their start, by halving: slices compare
    faster than characters."""
    low, high = 0, min(len(one), len(other)) if most is None else most
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _said(message: Message) -> list[str]:
    """Parts of a message that every rendering of it holds: its calls and its answer, if any."""
    content = str(message.get("content") or "").rpartition(_END_OF_THOUGHT)[2].strip()
    return [part for part in (content, *_called(message)) if part] or ["\0"]


def _called(message: Message) -> list[str]:
    calls = message.get("tool_calls") or ()
    return [str((call.get("function") or call).get("name", "")) for call in calls]


def _is_more_than_text(message: Message) -> bool:
    return any(message.get(name) for name in ("tool_calls", *answers.FIELDS))


def _with_placeholder(message: Message, placeholder: str) -> Message:
    """A message with the placeholder as its text, or as its last call's name."""
    if message.get("content") or not message.get("tool_calls"):
        return {**message, "content": placeholder}
    *first, last = message["tool_calls"]
    named: Callable[[Message], Message] = lambda call: {**call, "name": placeholder}  # noqa: E731
    last = {**last, "function": named(last["function"])} if "function" in last else named(last)
    return {**message, "tool_calls": [*first, last]}
