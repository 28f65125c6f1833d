"""Trees of messages (Open Assistant): a prompt, its replies, their replies, ranked by people.

Rule: a tree becomes one conversation; at every fork the reply ranked best goes on (the first, where
none is ranked), and turns after the last answer are left out.
"""

from __future__ import annotations

from studio.data.formats.base import Family, Mapping, Match, Row
from studio.data.formats.chat_turns import Message, to_messages
from studio.data.formats.column_profile import Profile
from studio.data.types import RowError

REPLIES = ("replies", "children", "responses")
_MOST_TURNS = 1000


def replies_of(node: object) -> list[Row]:
    """The messages that answer one."""
    if not isinstance(node, dict):
        return []
    found = next((node[name] for name in REPLIES if isinstance(node.get(name), list)), [])
    return [reply for reply in found if isinstance(reply, dict) and not reply.get("deleted")]


def best_of(replies: list[Row]) -> Row:
    """The reply ranked best; the first one of those that share the lowest rank, or have none."""

    def rank(reply: Row) -> float:
        value = reply.get("rank")
        return value if isinstance(value, int | float) and value == value else float("inf")

    return min(replies, key=rank)


def best_path(node: Row, column: str) -> list[Message]:
    """The conversation down from a message, up to its last answer."""
    turns: list[Message] = []
    while node is not None and len(turns) < _MOST_TURNS:
        bare = {name: value for name, value in node.items() if name not in REPLIES}
        turns.extend(to_messages([bare], column))
        replies = replies_of(node)
        node = best_of(replies) if replies else None  # type: ignore[assignment]
    while turns and turns[-1]["role"] != "assistant":
        turns.pop()
    if not turns:
        raise RowError("no_assistant", f'No message of "{column}" is answered.', column)
    return turns


def _recognise(profile: Profile) -> Match | None:
    for column in profile.columns.values():
        trees = [value for value in column.values if replies_of(value)]
        if trees and len(trees) >= 0.5 * len(column.values):
            why = (
                f'"{column.name}" holds trees of messages: each becomes one conversation along '
                "the replies that are ranked best."
            )
            return Match("message-tree", 0.95, why, {"messages": column.name})
    return None


def _convert(row: Row, mapping: Mapping) -> Row:
    column = mapping["messages"]
    node = row.get(column)
    if not isinstance(node, dict):
        raise RowError("missing_field", f'"{column}" holds no message.', column)
    return {"messages": best_path(node, column)}


FAMILIES = [
    Family(
        "message-tree",
        "conversational",
        "Trees of messages with ranked replies (Open Assistant)",
        {"messages": "the first message, its replies inside it"},
        ("messages",),
        _recognise,
        _convert,
    )
]
