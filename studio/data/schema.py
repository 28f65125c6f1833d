"""How TRL's rows are laid out in Arrow: one schema for a whole dataset, known before it is
written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

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
    "provenance",
)


_SPECIAL = ("label", "follow_ups", "answers", "votes")
"""Columns whose type does not follow from their values."""


class Shape:
    """The fields and message keys seen in rows; grows row by row, ends as `datasets.Features`."""

    def __init__(self) -> None:
        self.fields: dict[str, str | None] = {}
        self.keys: dict[str, None] = {"role": None, "content": None}
        self.mixed = False

    def see(self, row: dict[str, Any]) -> None:
        """Remember which fields this row has and what its messages carry."""
        for name, value in row.items():
            turns = name in _MESSAGE_FIELDS and isinstance(value, list)
            seen = "messages" if turns else _kind(value)
            known = self.fields.get(name)
            if seen != known or known is None:
                self.fields[name] = _merged(known, seen)
                self.mixed |= known is not None and seen is not None
            if turns:
                for turn in value:
                    if len(turn) > 2:  # more than a role and a content
                        self.keys.update(dict.fromkeys(turn))

    def fit(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with a string side turned into messages where other rows have messages there."""
        if all(self._fits(row.get(name), name, kind) for name, kind in self.fields.items()):
            return row
        fitted = dict(row)
        for name, kind in self.fields.items():
            if kind == "messages" and isinstance(row.get(name), str):
                role = "user" if name == "prompt" else "assistant"
                fitted[name] = [{"role": role, "content": row[name]}]
            elif kind == "text" and not self._fits(row.get(name), name, kind):
                fitted[name] = str(row[name])
        return fitted

    @staticmethod
    def _fits(value: Any, name: str, kind: str | None) -> bool:
        if kind == "messages":
            return isinstance(value, list)
        return kind != "text" or value is None or isinstance(value, str) or name in _SPECIAL

    def _type(self, name: str) -> str:
        kind = self.fields[name]
        return "string" if kind in (None, "text") else kind

    def features(self) -> Features:
        """`datasets.Features`; tool calls and their free-form arguments are `Json`."""
        from datasets import Features, Json, List, Value

        message: dict[str, Any] = {name: Value("string") for name in self.keys}
        if "tool_calls" in message:
            message["tool_calls"] = List(Json())
        special = {
            "label": Value("bool"),
            "follow_ups": List(Value("string")),
            "answers": List(Value("string")),
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


def _kind(value: Any) -> str | None:
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


def tables(rows: Iterable[list[dict[str, Any]]], shape: Shape) -> Iterable[pa.Table]:
    """Batches of rows as Arrow tables of `shape`."""
    import pyarrow as pa

    features = shape.features()
    plain = "tool_calls" not in shape.keys
    for batch in rows:
        fitted = [shape.fit(row) for row in batch]
        if plain:
            yield pa.Table.from_pylist(fitted, features.arrow_schema)
        else:
            from datasets import Dataset

            whole = [{name: row.get(name) for name in features} for row in fitted]
            made = Dataset.from_list(_filled(whole, shape), features=features)
            yield made.data.table.cast(features.arrow_schema)


_PIECE = 4 << 20


def parsed(rows: Iterable[bytes], shape: Shape) -> Iterator[pa.Table]:
    """Rows as JSON bytes, as Arrow tables of `shape`.

    Arrow's own parser where every row has the shape as it is; row by row where it has to be
    fitted, or where tool calls are free-form.
    """
    import orjson
    import pyarrow as pa
    import pyarrow.json

    schema = shape.features().arrow_schema
    plain = not shape.mixed and "tool_calls" not in shape.keys
    options = pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
    for piece in _pieces(rows):
        if not plain:
            yield from tables([[orjson.loads(raw) for raw in piece]], shape)
            continue
        joined = b"\n".join(piece) + b"\n"
        block = pa.json.ReadOptions(block_size=len(joined) + 1)
        yield pa.json.read_json(pa.BufferReader(joined), block, options).cast(schema)


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


def _filled(rows: list[dict[str, Any]], shape: Shape) -> list[dict[str, Any]]:
    """Messages with every key, since `datasets` encodes structs field by field."""
    for row in rows:
        for name in _MESSAGE_FIELDS:
            if isinstance(row.get(name), list):
                row[name] = [{key: turn.get(key) for key in shape.keys} for turn in row[name]]
    return rows
