"""How TRL's rows are laid out in Arrow: one schema for a whole dataset, known before it is
written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from studio.data.turn_training import DETAIL, FIELDS
from studio.data.types import Row

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Features

_MESSAGE_FIELDS = ("messages", "prompt", "completion", "chosen", "rejected")
_ORDER = (
    "messages",
    "prompt",
    "follow_ups",
    "answers",
    "completion",
    "label",
    "chosen",
    "rejected",
    "text",
    *(f"answer{at}" for at in range(1, 10)),
    "votes",
    "tools",
    "chat_template_kwargs",
    "provenance",
)


class Shape:
    """The fields and message keys seen in rows; grows row by row, ends as `datasets.Features`."""

    def __init__(self) -> None:
        self.fields: dict[str, str | None] = {}
        self.keys: dict[str, None] = {"role": None, "content": None}

    def see(self, row: Row) -> None:
        """Remember which fields this row has and what its messages carry."""
        for name, value in row.items():
            turns = name in _MESSAGE_FIELDS and isinstance(value, list)
            seen = "messages" if turns else _kind(value)
            known = self.fields.get(name)
            if seen != known or known is None:
                self.fields[name] = _merged(known, seen)
            if turns:
                for turn in value:
                    if len(turn) > 2:  # more than a role and a content
                        self.keys.update(dict.fromkeys(turn))

    def _type(self, name: str) -> str:
        kind = self.fields[name]
        return "string" if kind in (None, "text") else kind

    def features(self) -> Features:
        """`datasets.Features`; tool calls, their free-form arguments and what a chat template is
        given are `Json`."""
        from datasets import Features, Json, List, Value

        message: Row = {name: Value("string") for name in self.keys}
        message |= {name: _training_type(name) for name in FIELDS if name in message}
        if "tool_calls" in message:
            message["tool_calls"] = List(Json())
        special = {
            "label": Value("bool"),
            "follow_ups": List(Value("string")),
            "answers": List(Value("string")),
            "chat_template_kwargs": Json(),
            "votes": List({"annotator": Value("string"), "vote": Value("string")}),
        }
        known = [name for name in _ORDER if name in self.fields]
        names = [*known, *(name for name in self.fields if name not in known)]
        return Features(
            {
                name: special.get(name)
                or (List(message) if self.fields[name] == "messages" else Value(self._type(name)))
                for name in names
            }
        )


def _training_type(name: str) -> Any:
    """How a field of `studio.data.turn_training` is stored: numbers, truth values, or ranges."""
    from datasets import List, Value

    if name == DETAIL:
        ends = {"begin_offset": Value("int64"), "end_offset": Value("int64")}
        return List({**ends, "train": Value("bool")})
    return Value("bool" if name in ("train", "loss") else "int64")


def _kind(value: object) -> str | None:
    """What a plain column's value is, in Arrow's words where it is a number or a truth value."""
    if value is None:
        return None
    for type_, kind in ((bool, "bool"), (int, "int64"), (float, "float64")):
        if isinstance(value, type_):
            return kind
    return "text"


def _merged(known: str | None, seen: str | None) -> str | None:
    """One kind for a column: whole and broken numbers are numbers, any other mix is text."""
    if known == "messages" or seen in (None, known):
        return known
    if known is None or seen == "messages":
        return seen
    return "float64" if {known, seen} == {"int64", "float64"} else "text"


def tables(rows: Iterable[list[Row]], shape: Shape) -> Iterable[pa.Table]:
    """Batches of rows as Arrow tables of `shape`.

    Column by column, which is several times faster than `pa.Table.from_pylist`. A text becomes a
    message where other rows have messages in its place.
    """
    import pyarrow as pa

    features = shape.features()
    schema = features.arrow_schema
    for batch in rows:
        if (
            "tool_calls" in shape.keys or "chat_template_kwargs" in shape.fields
        ):  # free-form objects: `datasets` knows how to store them
            yield _with_calls(batch, shape, features)
            continue
        columns = [
            _turns(batch, field, shape)
            if shape.fields[field.name] == "messages"
            else _plain(batch, field)
            for field in schema
        ]
        yield pa.Table.from_arrays(columns, schema=schema)


def _plain(rows: list[Row], field: pa.Field) -> pa.Array:
    import pyarrow as pa

    values = [row.get(field.name) for row in rows]
    if pa.types.is_string(field.type):
        values = [v if v is None or isinstance(v, str) else str(v) for v in values]
    return pa.array(values, field.type)


def _turns(rows: list[Row], field: pa.Field, shape: Shape) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    role = "user" if field.name == "prompt" else "assistant"
    values = [row.get(field.name) for row in rows]
    lists = [
        [{"role": role, "content": value}] if isinstance(value, str) else value for value in values
    ]
    flat = [turn for turns in lists if turns for turn in turns]
    ends = np.cumsum([0, *(len(turns) if turns else 0 for turns in lists)])
    types = field.type.value_type
    struct = pa.StructArray.from_arrays(
        [pa.array([turn.get(key) for turn in flat], types.field(key).type) for key in shape.keys],
        list(shape.keys),
    )
    missing = pa.array([turns is None for turns in lists]) if None in lists else None
    offsets = pa.array(ends, pa.int32())
    return pa.ListArray.from_arrays(offsets, struct, mask=missing).cast(field.type)


def _with_calls(rows: list[Row], shape: Shape, features: Features) -> pa.Table:
    from datasets import Dataset

    whole = [{name: row.get(name) for name in features} for row in rows]
    made = Dataset.from_list(_filled(whole, shape), features=features)
    return made.data.table.cast(features.arrow_schema)


_PIECE = 4 << 20


def parsed(rows: Iterable[bytes], shape: Shape) -> Iterator[pa.Table]:
    """Rows as JSON bytes, as Arrow tables of `shape`."""
    import orjson

    for piece in _pieces(rows):
        yield from tables([[orjson.loads(raw) for raw in piece]], shape)


def _pieces(rows: Iterable[bytes]) -> Iterator[list[bytes]]:
    piece: list[bytes] = []
    size = 0
    for raw in rows:
        piece.append(raw)
        size += len(raw)
        if size > _PIECE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _filled(rows: list[Row], shape: Shape) -> list[Row]:
    """Messages with every key, since `datasets` encodes structs field by field."""
    for row in rows:
        for name in _MESSAGE_FIELDS:
            if shape.fields.get(name) == "messages" and isinstance(row.get(name), str):
                role = "user" if name == "prompt" else "assistant"
                row[name] = [{"role": role, "content": row[name]}]
            if isinstance(row.get(name), list):
                row[name] = [{key: turn.get(key) for key in shape.keys} for turn in row[name]]
    return rows
