"""The thought that stands in a column of its own beside the answer, by the column's name.

Where the name says so (`reasoning`, `Complex_CoT`, `deepseek_thinking`) it becomes the answer's
`reasoning_content`. A rationale or an explanation may also have been written after the answer, and
a worked solution beside a bare answer may be the answer itself: then a person is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from studio.core import answers
from studio.data.formats import column_names
from studio.data.formats.base import Match, Row, asked
from studio.data.formats.chat_turns import Message, kind_of
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.field_values import listed_texts
from studio.data.types import RowError

_SHAPES = ("string", "strings")
_LONGEST_FLAG = 20  # characters: `thinking: enabled` says how, not what was thought


@dataclass(frozen=True)
class Thoughts:
    """Columns beside the answer: one that is a thought by its name, those that may be one."""

    clear: str | None
    unclear: str | None
    worked: str | None
    """A worked solution beside a bare answer."""

    @property
    def columns(self) -> set[str]:
        """All of them: none is part of the prompt."""
        return {name for name in (self.clear, self.unclear, self.worked) if name}


def beside(profile: Profile, answer: str) -> Thoughts:
    """The thoughts beside the column `answer`; none where the answers hold thinking themselves."""
    if 2 * sum(map(_thinks, profile.columns[answer].values)) > profile.columns[answer].filled:
        return Thoughts(None, None, None)
    clear = _named(profile, column_names.THOUGHT, answer)
    unclear = None if clear else _named(profile, column_names.MAYBE_THOUGHT, answer)
    return Thoughts(clear, unclear, None if clear else _worked(profile, answer))


def clear(profile: Profile, column: str) -> str | None:
    """The column that is a thought by its name, beside whole conversations or judged answers."""
    return _named(profile, column_names.THOUGHT, column)


def of_side(profile: Profile, side: str) -> str | None:
    """The thought of one side of a preference: `chosen_reasoning` beside `chosen`."""
    own = set(profile.columns[side].key.split("_"))
    for column in profile.columns.values():
        words = column.key.split("_")
        rest = "_".join(word for word in words if word not in own)
        if column.name != side and rest != column.key and rest in column_names.THOUGHT:
            return column.name if column.is_(*_SHAPES) else None
    return None


def _thinks(value: object) -> bool:
    return isinstance(value, str) and bool(answers.read(value).reasoning)


def _named(profile: Profile, names: Sequence[str], answer: str) -> str | None:
    others = [c.name for c in profile.columns.values() if c.name == answer or not _is_text(c)]
    return profile.find(names, *_SHAPES, without=others)


def _is_text(column: Column) -> bool:
    """Whether a column holds texts that are about this answer, and not a flag."""
    if set(column.key.split("_")) & column_names.NO_THOUGHT:
        return False
    texts = [" ".join(listed_texts(value) or [str(value)]).strip() for value in column.values]
    told = sum(" " in text or len(text) > _LONGEST_FLAG for text in texts)
    return 2 * told > len(texts)


def _worked(profile: Profile, answer: str) -> str | None:
    """The worked solution beside a bare answer: at least twice its length."""
    if profile.columns[answer].key not in column_names.BARE:
        return None
    found = profile.find(column_names.WORKED, "string", without={answer})
    if not found or not profile.columns[answer].is_("string"):
        return None
    bare = profile.columns[answer].mean_characters
    return found if profile.columns[found].mean_characters >= 2 * max(1.0, bare) else None


def readings(match: Match, found: Thoughts, profile: Profile) -> Match:
    """A claim on prompt and answer with the thoughts beside it: read so, or asked about."""
    answer = match.mapping["completion"]
    if found.clear:
        return _thinking(match, found.clear)
    if found.worked:
        why = match.why.replace(f'"{answer}"', f'"{found.worked}"')
        why = f'{why} The bare "{answer}" is left out.'
        whole = replace(match, why=why, mapping={**match.mapping, "completion": found.worked})
        first = _thinking(match, found.worked)
        # Where most solutions end in the bare answer, they are whole answers.
        both = [whole, first] if _holds(profile, found.worked, answer) else [first, whole]
        return asked([*both, _alone(match, found.worked)]) or match
    if found.unclear:
        both = [_thinking(match, found.unclear), _alone(match, found.unclear)]
        return asked(both) or match
    return match


def _thinking(match: Match, column: str) -> Match:
    why = f'{match.why} "{column}" is the thought before the answer.'
    return replace(match, why=why, mapping={**match.mapping, "reasoning": column})


def _alone(match: Match, column: str) -> Match:
    return replace(match, why=f'{match.why} "{column}" is left out.')


def _holds(profile: Profile, worked: str, answer: str) -> bool:
    """Whether most worked solutions hold the bare answer."""
    pairs = [(row.get(worked), row.get(answer)) for row in profile.sample]
    known = [(str(one), str(other).strip()) for one, other in pairs if one and other is not None]
    return 2 * sum(other in one for one, other in known) > len(known)


def with_thought(message: Message, row: Row, column: str | None) -> Message:
    """The answer with the row's thought as `reasoning_content`, unless it has one of its own."""
    thought = _text(row, column) if column else ""
    if not thought or answers.thought(message):
        return message
    return {**message, "reasoning_content": thought}


def _text(row: Row, column: str) -> str:
    """A thought without the marks around it; steps in a list stand in paragraphs."""
    value = row.get(column)
    texts = listed_texts(value)
    if texts is not None:
        value = "\n\n".join(texts)
    if value is None or value == []:
        return ""
    if not isinstance(value, str):
        raise RowError("wrong_type", f'"{column}" is {kind_of(value)}, not text.', column)
    return answers.read(value).reasoning or value.strip()
