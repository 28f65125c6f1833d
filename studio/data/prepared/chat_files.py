"""Chats of people that a file holds whole: WhatsApp's text, and lists of messages under one key as
Telegram, Signal and Instagram export them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from studio.data.formats.chat_turns import unwrapped
from studio.data.formats.column_names import ROLES
from studio.data.formats.column_profile import Profile
from studio.data.readers.chunks import Chunking
from studio.data.readers.sources import Located
from studio.data.types import Notes, RawRow, Row, RowSource

_STAMP = r"[\u200e\u200f]?\[?(?:\d{1,4}[./-]\d{1,2}[./-]\d{2,4}),? \d{1,2}[:.]\d{2}(?:[:.]\d{2})?"
_LINE = re.compile(
    _STAMP
    + r"(?:[ \u00a0\u202f]?[AaPp]\.?[ ]?[Mm]\.?)?\]?(?: -|:)? (?P<who>[^:\n]{1,60}): (?P<said>.*)"
)
_EVENT = re.compile(_STAMP)
LEAST_LINES = 4
_WHOLE = Chunking(tokens=1 << 26)  # a chat is never cut
_SAID = ("text", "content", "body", "message")
_WHO = ("role", "from", "speaker", "name", "author", "sender", "user", "character")
_ONE = {"user", "assistant"}
_WHEN = ("date", "timestamp", "timestamp_ms", "sent_at", "date_unixtime", "time", "created_at")


def stamped(text: str) -> bool:
    """Whether a text is a log of messages: most of its lines begin with a time and a name."""
    lines = [line for line in text.splitlines() if line.strip()]
    return sum(map(bool, map(_LINE.match, lines))) >= max(LEAST_LINES, 0.5 * len(lines))


@dataclass(frozen=True)
class MessageLog:
    """A text file of dated messages; looks like a `Located` that holds one conversation a file."""

    located: RowSource

    @property
    def name(self) -> str:
        return self.located.name

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """`{"spoken": [{"name", "text"}]}`; lines without a name continue the message before."""
        note("Each line is a message of a person; they are put together as one conversation.")
        located = self.located
        if isinstance(located, Located):
            located = replace(located, chunks=_WHOLE)
        for raw in located.rows(Notes()):
            spoken: list[Row] = []
            for line in str(raw.data.get("text", "")).splitlines():
                _add(spoken, line)
            yield RawRow(raw.number, {"spoken": spoken}, raw.file)


def _add(spoken: list[Row], line: str) -> None:
    if match := _LINE.match(line):
        spoken.append({"name": match["who"].strip(), "text": match["said"]})
    elif spoken and line.strip() and not _EVENT.match(line):
        spoken[-1]["text"] += f"\n{line}"


@dataclass(frozen=True)
class MessageLists:
    """A source whose rows hold lists of people's messages; looks like a `Located` of
    conversations."""

    located: RowSource
    column: str
    speaker: str
    text: str
    left_out: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.located.name

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """A row a chat: `{"spoken": [{"name", "text"}]}`, messages without text left out."""
        note("Each row is a chat of people.")
        if self.left_out:
            note(f"Beside the chats is left out: {', '.join(self.left_out)}.")
        for raw in self.located.rows(note):
            listed = unwrapped(raw.data.get(self.column))
            said = [
                {"name": str(one.get(self.speaker)), "text": written}
                for one in (listed if isinstance(listed, list) else [])
                if isinstance(one, dict) and (written := spoken_text(one.get(self.text)).strip())
            ]
            yield RawRow(raw.number, {"spoken": said}, raw.file, raw.error)


def spoken_text(value: object) -> str:
    """A message's text, also where parts of it are marked up (`["see ", {"text": "this"}]`)."""
    if isinstance(value, dict):
        return spoken_text(value.get("text"))
    if isinstance(value, list):
        return "".join(map(spoken_text, value))
    return value if isinstance(value, str) else ""


def find_log(located: RowSource, profile: Profile) -> MessageLog | None:
    """A text of dated messages, or None where it is none."""
    column = profile.columns.get("text")
    if column is None or len(profile.columns) > 1 or not column.values:
        return None
    texts = [value for value in column.values if isinstance(value, str)]
    return MessageLog(located) if stamped("\n".join(texts)) else None


def message_list(profile: Profile, speakers: tuple[str, ...]) -> tuple[str, str, str] | None:
    """(column, who, text) of rows that hold lists of dated messages with people's names."""
    for column in profile.columns.values():
        messages = [one for value in column.values if isinstance(value, list) for one in value]
        told = [one for one in messages if isinstance(one, dict) and _dated(one)]
        if not told or 2 * len(told) < len(messages):
            continue
        who = next((name for name in speakers if any(name in one for one in told)), None)
        text = next((name for name in _SAID if any(name in one for one in told)), None)
        if who and text:
            return column.name, who, text
    return None


def named_turns(profile: Profile) -> tuple[str, str, str] | None:
    """(column, who, text) of conversations whose speakers go by names, two of them or more, where
    the roles of user and assistant do not both occur. A `role` that is neither, beside one that is,
    is a mistake rather than a name."""
    for column in profile.columns.values():
        chats = [chat for value in column.values if (chat := _turns(unwrapped(value)))]
        turns = [turn for chat in chats for turn in chat]
        if not turns or 2 * len(chats) < len(column.values):
            continue
        who = next((name for name in _WHO if all(isinstance(t.get(name), str) for t in turns)), "")
        text = next((name for name in (*_SAID, "value", "utterance") if name in turns[0]), "")
        named = [{turn[who].strip() for turn in chat} for chat in chats] if who and text else []
        told = who == "role" and any(ROLES.get(n.lower()) in _ONE for n in set().union(*named))
        if named and not told and 2 * sum(map(_of_people, named)) > len(named):
            return column.name, who, text
    return None


def _turns(value: object) -> list[Row]:
    """The turns of a list of two objects or more; empty for anything else."""
    if not isinstance(value, list) or len(value) < 2:
        return []
    return value if all(isinstance(turn, dict) for turn in value) else []


def _of_people(names: set[str]) -> bool:
    """Whether two or more speak, a name among them, and not both of user and assistant."""
    roles = {ROLES.get(name.lower()) for name in names}
    speak = sum(ROLES.get(name.lower()) != "system" for name in names)
    return speak > 1 and None in roles and roles <= {None, "system", *_ONE} and not roles >= _ONE


def _dated(message: Row) -> bool:
    return any(name in message for name in _WHEN)
