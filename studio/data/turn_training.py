"""Fields on a message that say whether it is trained, as other tools write them.

`weight` is OpenAI's, `train` and `train_detail` Axolotl's, `loss` ms-swift's, `loss_weight`
LLaMA-Factory's. All decide yes or no: a weight between 0 and 1 is refused. `train_detail` lists
ranges of characters, `{"begin_offset", "end_offset", "train"}` with the last character included;
characters in no range are not trained, as in Axolotl.
"""

from __future__ import annotations

import json
from typing import Any, cast

from studio.core.messages import Message
from studio.data.types import Row, RowError

SWITCHES = ("weight", "train", "loss", "loss_weight")
DETAIL = "train_detail"
FIELDS = (*SWITCHES, DETAIL)
_RANGE = ("begin_offset", "end_offset", "train")


def read(turn: Row, where: str, field: str) -> Row:
    """The fields a turn has, checked; raises `RowError` for values that are not yes or no, and
    for fields that disagree."""
    found: Row = {
        name: _switch(turn[name], name, where, field) for name in SWITCHES if _has(turn, name)
    }
    if len(set(map(bool, found.values()))) > 1:
        raise RowError(
            "wrong_type",
            f"{where} is to be trained by one of {', '.join(found)} and not by another.",
            field,
        )
    if _has(turn, DETAIL):
        found[DETAIL] = _ranges(turn[DETAIL], where, field)
    return found


def _has(turn: Row, name: str) -> bool:
    return turn.get(name) is not None


def _switch(value: object, name: str, where: str, field: str) -> bool | int:
    if value not in (0, 1):  # True and False among them
        raise RowError(
            "wrong_type",
            f"{where} has {name} {json.dumps(value, default=str)[:40]}; write the number 1 for a "
            "turn that is trained, 0 for one that is not.",
            field,
        )
    number = name in ("weight", "loss_weight")
    return int(cast(int, value)) if number else bool(value)


def _ranges(value: object, where: str, field: str) -> list[Row]:
    ranges: list[Any] = value if isinstance(value, list) else [value]
    if not all(map(_is_range, ranges)):
        raise RowError(
            "wrong_type",
            f"{where} has a train_detail that is no list of ranges with begin_offset, "
            "end_offset, and train.",
            field,
        )
    return [{name: one[name] for name in _RANGE} for one in ranges]


def _is_range(one: Any) -> bool:
    if not isinstance(one, dict) or not all(name in one for name in _RANGE):
        return False
    begin, end = one["begin_offset"], one["end_offset"]
    numbers = type(begin) is int and type(end) is int and 0 <= begin <= end
    return numbers and isinstance(one["train"], bool)


def decision(message: Message) -> tuple[bool, str] | None:
    """Whether a message's own fields have it trained, and which says so ("weight 0"); None where
    none does.

    Only Axolotl's fields, `train` and `train_detail`, speak for turns that are not the assistant's.
    """
    for name in SWITCHES:
        value = message.get(name)
        if value is None or (message["role"] != "assistant" and name != "train"):
            continue
        shown = str(value).lower() if isinstance(value, bool) else f"{value:g}"
        return bool(value), f"{name} {shown}"
    if message.get(DETAIL):
        return True, DETAIL
    return None


def without(message: Message) -> Message:
    """The message as the chat template receives it."""
    return {name: value for name, value in message.items() if name not in FIELDS}
