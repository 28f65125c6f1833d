"""Chats of people, one message a row (Discord, Slack, Telegram): put together as one conversation a
file or channel, so that a person can say whose turns are the assistant's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from studio.data.formats.column_names import ROLES
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.left_out import texts
from studio.data.prepared.chat_files import MessageLists, find_log, message_list, named_turns
from studio.data.types import Notes, RawRow, Row, RowSource

_SPEAKERS = ("author", "sender", "from", "username", "user_name", "user", "name", "speaker",
             "author_name", "nickname", "sender_name", "from_name")  # fmt: skip
_SENDERS = ("sender_name", "source", "from_user")
_SAID = ("content", "text", "message", "body", "msg")
_MARKS = ("timestamp", "date", "time", "ts", "id", "message_id", "type", "created_at", "sent_at",
          "channel", "datetime")  # fmt: skip
"""Columns of which a log of messages has one at least."""
_NAMES = ("name", "username", "nickname", "global_name", "display_name", "real_name", "id")
_MOST_PEOPLE = 200


@dataclass(frozen=True)
class PeopleChat:
    """A source of single messages of people; looks like a `Located` that holds conversations."""

    located: RowSource
    speaker: str
    text: str
    channel: str | None

    @property
    def name(self) -> str:
        return self.located.name

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """A row a channel: `{"spoken": [{"name", "text"}]}` in the order of the file."""
        note(
            "Each row is one message of a person; they are put together, a conversation a channel."
        )
        channels: dict[tuple[str, str], RawRow] = {}
        for raw in self.located.rows(note):
            said, who = raw.data.get(self.text), name_of(raw.data.get(self.speaker))
            if raw.error is not None or not isinstance(said, str) or not said.strip() or not who:
                continue
            key = raw.file, str(raw.data.get(self.channel)) if self.channel else ""
            row = channels.setdefault(key, RawRow(raw.number, {"spoken": []}, raw.file))
            row.data["spoken"].append({"name": who, "text": said})
        yield from channels.values()


def find_people(located: RowSource, profile: Profile) -> RowSource | None:
    """How messages of people are kept, or None where the rows are none."""
    if log := find_log(located, profile):
        return log
    if found := message_list(profile, _SPEAKERS + _SENDERS):
        names = _listed_names(profile, *found[:2])
        if _people(Column("", "", len(names), values=names)):
            return MessageLists(located, *found)
    if found := named_turns(profile):
        return MessageLists(located, *found, left_out=tuple(texts(profile, {found[0]})))
    keys = {column.key: column for column in profile.columns.values()}
    speaker = next((keys[word] for word in _SPEAKERS if word in keys and _people(keys[word])), None)
    text = next((keys[word].name for word in _SAID if word in keys), None)
    if speaker is None or text is None or not set(_MARKS) & keys.keys():
        return None
    if not profile.columns[text].is_("string"):
        return None
    channel = next((keys[word].name for word in ("channel", "channel_id") if word in keys), None)
    return PeopleChat(located, speaker.name, text, channel)


def _listed_names(profile: Profile, column: str, speaker: str) -> list[object]:
    lists = [value for value in profile.columns[column].values if isinstance(value, list)]
    return [
        one[speaker]
        for value in lists
        for one in value
        if isinstance(one, dict) and one.get(speaker)
    ]


def _people(column: Column) -> bool:
    """Whether a column names two people or more, and none by a role."""
    names = [name for value in column.values if (name := name_of(value))]
    several = set(names)
    if not 2 <= len(several) <= _MOST_PEOPLE or len(names) < 0.8 * len(column.values):
        return False
    roles = {name.strip().lower() for name in several} & ROLES.keys()
    return not roles and len(several) <= 0.6 * len(names)


def name_of(value: object) -> str | None:
    """A person's name, also inside an object."""
    if isinstance(value, dict):
        held: Row = value
        return next((str(held[name]) for name in _NAMES if held.get(name)), None)
    return value if isinstance(value, str) and value else None
