"""One message a row, naming the message it answers (Open Assistant's flat form) or the conversation
that it is part of: put together before anything else looks at the rows.

Rule: as for trees of messages (`studio.data.formats.message_trees`), one conversation a tree, along
the replies that are ranked best.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from studio.data.formats import column_names
from studio.data.formats.column_profile import Profile
from studio.data.row_spool import Spool
from studio.data.types import Notes, RawRow, Row, RowError, RowSource

_GROUPS = (
    "conversation_id",
    "conv_id",
    "dialog_id",
    "dialogue_id",
    "thread_id",
    "session_id",
    "chat_id",
)
_IDS = ("message_id", "msg_id", "id", "uuid", "node_id", "post_id", "comment_id")
_PARENTS = ("parent_id", "parent", "parent_message_id", "reply_to", "in_reply_to", "parent_uuid")
_SPEAKERS = ("role", "from", "speaker", "author", "sender")
_SAID = ("text", "content", "value", "message", "body")


@dataclass(frozen=True)
class Threaded:
    """A source of single messages; looks like a `Located` that holds whole conversations."""

    located: RowSource
    text: str
    role: str
    id: str | None = None
    parent: str | None = None
    group: str | None = None

    @property
    def name(self) -> str:
        return self.located.name

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """A row a tree, under the number of its first message: `{"prompt": message}`."""
        told = f'"{self.group}" says which conversation it is part of, and they are put together.'
        if self.parent:
            told = (
                f'"{self.parent}" says which one it answers. They are put together: one '
                "conversation a tree, along the replies that are ranked best."
            )
        note(f"Each row is one message; {told}")
        with Spool() as spool:
            tree = _Tree()
            for count, raw in enumerate(self.located.rows(note), 1):
                note.report(count, "Putting messages together")
                column = self.id or self.group or ""
                key = raw.data.get(column)
                if raw.error is not None or not isinstance(key, str | int):
                    error = raw.error or RowError("missing_field", f'"{column}" is missing.')
                    yield RawRow(raw.number, raw.data, raw.file, error)
                    continue
                turn = {"role": raw.data.get(self.role), "content": raw.data.get(self.text)}
                spool.append(orjson.dumps([turn, raw.file], default=str))
                if self.parent:
                    tree.add(key, raw.data.get(self.parent), raw.data.get("rank"), raw.number)
                else:
                    tree.add_next(key, raw.number)
            for root in tree.roots():
                yield self._conversation(root, tree, spool)

    def _conversation(self, root: int, tree: _Tree, spool: Spool) -> RawRow:
        node: Row = {}
        file = ""
        for at in reversed(list(tree.path(root))):
            turn, file = orjson.loads(spool.one(at))
            node = {**turn, "replies": [node] if node else []}
        error = None
        if not tree.first[root]:
            error = RowError("no_partner", "The message that this one answers is not in the file.")
        return RawRow(tree.numbers[root], {"prompt": node}, file, error)


class _Tree:
    """Which message answers which; thirty bytes a message, texts are elsewhere."""

    def __init__(self) -> None:
        self.numbers, self.first = array("q"), bytearray()
        self._at: dict[str | int, int] = {}
        self._last: dict[str | int, int] = {}
        self._parents: list[object] = []
        self._ranks = array("d")
        self._best: dict[int, int] = {}

    def add(self, key: str | int, parent: object, rank: object, number: int) -> None:
        self._at.setdefault(key, len(self.numbers))
        self.numbers.append(number)
        self._parents.append(parent if parent != "" else None)
        ranked = isinstance(rank, int | float) and rank == rank
        self._ranks.append(rank if ranked else float("inf"))  # type: ignore[arg-type]

    def add_next(self, group: str | int, number: int) -> None:
        """The next message of a conversation: it answers the one before."""
        at = len(self.numbers)
        before = self._last.get(group)
        self._last[group] = at
        self.add(at, before, None, number)

    def roots(self) -> list[int]:
        """Messages that answer none, and those whose parent is missing. Before `path`, once."""
        found = []
        for at, parent in enumerate(self._parents):
            above = self._at.get(parent) if isinstance(parent, str | int) else None
            self.first.append(parent is None)
            if above is None or above == at:
                found.append(at)
            elif above not in self._best or self._ranks[at] < self._ranks[self._best[above]]:
                self._best[above] = at
        return found

    def path(self, root: int) -> Iterator[int]:
        """A message and the best reply to each."""
        seen = {root}
        at: int | None = root
        while at is not None:
            yield at
            at = self._best.get(at)
            if at in seen:
                return
            seen.add(at if at is not None else -1)


def find_threads(located: RowSource, profile: Profile) -> Threaded | None:
    """How single messages belong together, or None where the rows are no such messages."""
    keys = {column.key: column.name for column in profile.columns.values()}

    def called(words: tuple[str, ...]) -> str | None:
        return next((keys[word] for word in words if word in keys), None)

    parent, own = called(_PARENTS), called(_IDS)
    role, text = called(_SPEAKERS), called(_SAID)
    group = called(_GROUPS)
    if not (role and text and ((parent and own) or group)):
        return None
    spoken = {value.strip().lower() for value in profile.columns[role].distinct}
    if not spoken or not all(value in column_names.ROLES for value in spoken):
        return None
    if parent and own:
        return Threaded(located, text, role, id=own, parent=parent)
    return Threaded(located, text, role, group=group)
