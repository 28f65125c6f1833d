"""A message's thinking in one place: `<think>` in its text and a field beside it are one thing."""

from __future__ import annotations

from studio.core import answers
from studio.core.messages import Message
from studio.data.types import Row

Finding = tuple[str, str, str | None, str]


def settled(row: Row, column: str, findings: list[Finding]) -> Row:
    """A row whose messages in `column` think once; `findings` says which thought was taken where
    two differ. The row itself where none thinks twice."""
    turns: list[Message] = row[column]
    made = [_once(turn, at, column, findings) for at, turn in enumerate(turns, 1)]
    return row if all(a is b for a, b in zip(made, turns, strict=True)) else {**row, column: made}


def _once(turn: Message, at: int, column: str, findings: list[Finding]) -> Message:
    held = [name for name in answers.FIELDS if str(turn.get(name) or "").strip()]
    if not held:
        return turn
    taken, *others = held
    thought = str(turn[taken])
    within = answers.read(str(turn["content"]))
    more = {f"`{name}`": str(turn[name]) for name in others}
    if within.reasoning and not within.cut:
        more["its text"] = within.reasoning
    if not more:
        return turn
    made = {name: value for name, value in turn.items() if name not in others}
    if "its text" in more:
        made["content"] = within.text
    if differ := [name for name, other in more.items() if other.split() != thought.split()]:
        left = " and ".join(differ)
        told = (
            f'Turn {at} of "{column}" thinks twice, and not the same: `{taken}` is taken, what '
            f"stands in {left} is left out."
        )
        findings.append(("two_thoughts", told, column, "warning"))
    return made
