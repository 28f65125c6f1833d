"""The tokens of a conversation, and which of them the loss counts: the answers, unless a message
says otherwise (`studio.data.turn_training`).

This is what the trainer is given, what the token view draws, and what is counted; nothing else
decides. The template needs no `{% generation %}` (`studio.data.tokens.answer_spans`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from studio.core import chat_templates, rendering
from studio.core.errors import ModelError
from studio.core.library_types import Tokenizer
from studio.core.messages import Message
from studio.data import turn_training
from studio.data.rows import tidy
from studio.data.tokens import long_chats, template_checks
from studio.data.tokens.answer_spans import Rendering, Span, SpanError
from studio.data.types import Row

LAST_ONLY = "mask_history"


@dataclass(frozen=True)
class Masked:
    """A conversation's tokens: `trained` says of each whether the loss counts it, and `decided_by`
    which field of its message decided that, "" for none. `changed`: turns (from 0) that the chat
    template writes differently once others follow. `shared`: turns that share a token with what
    stands before or after them, as where the tokenizer has no token for an end mark."""

    ids: list[int]
    trained: list[bool]
    decided_by: list[str]
    changed: list[int] = field(default_factory=list)
    shared: list[int] = field(default_factory=list)

    @property
    def labels(self) -> list[int]:
        """The ids, -100 where the loss does not count the token."""
        return [id if lit else -100 for id, lit in zip(self.ids, self.trained, strict=True)]


def applies(row: Row, assistant_only_loss: bool | None) -> bool:
    """Whether a row is masked here: a chat unless that is turned off, and a prompt and completion
    of messages where it is asked for."""
    if assistant_only_loss is False:
        return False
    if "messages" in row:
        return True
    return bool(assistant_only_loss) and isinstance(row.get("prompt"), list) and "completion" in row


def unheeded(fields: Iterable[str]) -> str:
    """A sentence where messages with these keys say whether they are trained, and nothing reads it;
    "" where none does."""
    found = [name for name in turn_training.FIELDS if name in fields]
    if not found:
        return ""
    return (
        f"The messages say by {' and '.join(found)} whether they are trained, which is read only "
        "where answers alone are: leave assistant_only_loss empty for chats, set it to true for "
        "prompts with completions."
    )


def mask(row: Row, tokenizer: Tokenizer, mask_history: bool = False) -> Masked:
    """A row with `messages`, or with a `prompt` and a `completion` of messages, tokenized once.

    Args:
        mask_history: only the last answer is trained.

    Raises `ModelError` in a sentence where the template refuses the row, or where an answer cannot
    be found in its rendering.
    """
    from jinja2 import TemplateError

    row = tidy(row)
    turns = rendering.turns(_turns(row), tokenizer)
    given = [turn_training.without(turn) for turn in turns]
    rendered = Rendering(given, tokenizer, rendering.options(row))
    try:
        return _Mask(rendered, turns, mask_history, _first_learned(row)).whole()
    except TemplateError as error:
        raise ModelError(template_checks.refusal(row, tokenizer, error)) from error
    except NotImplementedError as error:  # a tokenizer written in Python knows no offsets
        raise ModelError(
            "This model's tokenizer does not say where its tokens stand in the text, so answers "
            "cannot be found in it. Set assistant_only_loss: false to train on all tokens."
        ) from error
    except SpanError as error:
        raise ModelError(
            "The answers of this row cannot be found in its rendering: the chat template "
            f"{error}. {template_checks.OTHER}{_twin(tokenizer)}, or set assistant_only_loss: "
            "false to train on all tokens."
        ) from error
    except (RuntimeError, ValueError, TypeError, KeyError) as error:
        raise ModelError(template_checks.unrenderable(error, tokenizer)) from error


def changed_turns(changed: list[int], tokenizer: Tokenizer) -> list[str]:
    """A sentence on turns that stand in the row as the model would not write them there."""
    if not changed:
        return []
    listed = ", ".join(str(turn + 1) for turn in changed)
    told = (
        f"The chat template writes the answer of turn {listed} differently from what the model is "
        "to write there: it drops or adds thinking, or ends otherwise, once turns follow. What "
        "stands here is trained."
    )
    if _twin(tokenizer):
        told += " The chat template training (TRL's variant) writes every turn alike."
    return [told]


def shared_tokens(shared: list[int]) -> list[str]:
    """A sentence on answers whose first or last token belongs to other turns too."""
    if not shared:
        return []
    listed = ", ".join(str(turn + 1) for turn in shared[:6])
    return [
        f"The answer of turn {listed} shares a token with the text beside it: this model's "
        "tokenizer has no token for the marks of its chat template. Asked turn by turn, the model "
        "reads other tokens there, and may not stop where an answer ends. "
        f"{template_checks.OTHER}."
    ]


def _twin(tokenizer: Tokenizer) -> str:
    return ", such as training, TRL's variant" if chat_templates.training_twin(tokenizer) else ""


def _turns(row: Row) -> list[Message]:
    return row["messages"] if "messages" in row else [*row["prompt"], *row["completion"]]


def _first_learned(row: Row) -> int:
    return 0 if "messages" in row else len(row["prompt"])


class _Mask:
    """Lights the tokens of one rendering, turn by turn."""

    def __init__(self, rendering: Rendering, turns: list[Message], mask_history: bool, first: int):
        self.rendering, self.turns, self.first = rendering, turns, first
        self.last_only = mask_history
        self.starts = [start for start, _ in rendering.offsets]
        self.ends = [end for _, end in rendering.offsets]
        self.trained = [False] * len(rendering.ids)
        self.decided_by = [""] * len(rendering.ids)
        self.shared: list[int] = []
        self.found = long_chats.answers(rendering)

    def whole(self) -> Masked:
        answers = {at for at, turn in enumerate(self.turns) if turn["role"] == "assistant"}
        last = max(answers, default=-1)
        for at, turn in enumerate(self.turns):
            trained, why = turn_training.decision(turn) or (at in answers, "")
            if trained and (at < self.first or (self.last_only and at != last)):
                trained, why = False, LAST_ONLY if at >= self.first else ""
            if trained or why:
                self._turn(at, trained, why)
        rendering = self.rendering
        return Masked(rendering.ids, self.trained, self.decided_by, rendering.changed, self.shared)

    def _turn(self, at: int, trained: bool, why: str) -> None:
        asked = self.turns[at]["role"] != "assistant"
        try:
            span = self.rendering.other(at) if asked else self._answer(at)
        except SpanError:
            if trained:
                raise
            return  # what is not trained need not be found
        first, last = self._tokens(span.start, span.end)
        beyond = last > first and self.ends[last - 1] > span.end
        if trained and (beyond or (last > first and self.starts[first] < span.start)):
            self.shared.append(at)
        self.trained[first:last] = [trained] * (last - first)
        self.decided_by[first:last] = [why] * (last - first)
        if trained and self.turns[at].get(turn_training.DETAIL):
            self._detail(at, span)

    def _answer(self, at: int) -> Span:
        if at not in self.found:
            return self.rendering.answer(at)
        span, changed = self.found[at]
        if changed:
            self.rendering.changed.append(at)
        return span

    def _tokens(self, start: int, end: int) -> tuple[int, int]:
        """The tokens with a character of `start` to `end`, as a range."""
        first = bisect_right(self.ends, start)
        return first, max(first, bisect_left(self.starts, end))

    def _detail(self, at: int, span: Span) -> None:
        """Mask the characters of a message that are in no trained range of its `train_detail`."""
        content = str(self.turns[at]["content"])
        shown = content.strip()
        before, after = self.rendering.content(at)  # its thinking may say the same words
        stands = self.rendering.text.find(shown, max(before, span.start), min(after, span.end))
        if not shown or stands < 0:
            raise SpanError(f"changes the text of turn {at + 1}, whose train_detail counts on it")
        begin = stands - (len(content) - len(content.lstrip()))  # where the whole text would begin
        trained = [False] * len(content)
        for one in self.turns[at][turn_training.DETAIL]:
            stop = min(one["end_offset"] + 1, len(content))
            size = max(0, stop - one["begin_offset"])
            trained[one["begin_offset"] : stop] = [one["train"]] * size
        for token in range(*self._tokens(stands, stands + len(shown))):
            start = max(0, self.starts[token] - begin)
            chars = range(start, max(start + 1, self.ends[token] - begin))
            said = [at for at in chars if not content[at : at + 1].isspace()] or chars
            # the space that most tokenizers put before a word does not decide on the word
            self.trained[token] = all(trained[at : at + 1] == [True] for at in said)
            self.decided_by[token] = turn_training.DETAIL
