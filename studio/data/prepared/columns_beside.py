"""What travels with a row of any format: its tools, its `chat_template_kwargs`, and what answers
are checked with.

A row that speaks of an image or a sound in another column is refused here: the text around it
would be trained without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from studio.core import rendering
from studio.core.errors import ConfigError
from studio.core.json_values import as_object, loads
from studio.data.checks.row_checks import Finding, texts_of
from studio.data.formats import column_names, one_thought, text_calls
from studio.data.formats.chat import tools_of
from studio.data.types import Row, RowError

_MEDIA = {
    "<image>": ("images", "image"),
    "<audio>": ("audios", "audio"),
    "<video>": ("videos", "video"),
}
"""How texts name what lies in another column (LLaMA-Factory, ms-swift, TRL)."""
_TESTS, _SCHEMAS = ("tests", "test_list"), ("json_schema", "schema")
_SCHEMA_KEYS = {"type", "properties", "$ref", "anyOf", "enum", "required", "items"}
_CHATS = ("messages", "prompt", "completion", "chosen", "rejected")


def with_columns(row: Row, data: Row) -> Row:
    """A converted row with what its record `data` has besides; raises `RowError`."""
    _refuse_media(row, data)
    kwargs = data.get(rendering.COLUMN)
    if kwargs not in (None, "", {}):
        try:
            found = rendering.checked(kwargs, f'"{rendering.COLUMN}"')
        except ConfigError as error:
            raise RowError("wrong_type", str(error), rendering.COLUMN) from None
        row = {**row, rendering.COLUMN: found}
    if isinstance(row.get("tools"), list):
        row = {**row, "tools": tools_of(row, "tools")}
    elif "tools" not in row and any(isinstance(row.get(name), list) for name in _CHATS):
        column = next((name for name in data if column_names.key(name) in column_names.TOOLS), None)
        tools = tools_of(data, column) if column else None
        row = {**row, "tools": tools} if tools else row
    return row | _checks(data)


def settled(row: Row, findings: list[Finding], note: Callable[[str], None]) -> Row:
    """A converted row whose messages think once and call in fields; `findings` gets what is wrong,
    `note` what was moved."""
    for column in _CHATS:
        turns = row.get(column)
        if isinstance(turns, list) and turns and all(isinstance(turn, dict) for turn in turns):
            if any(map(_keeps_text, turns)):
                before, row = row, text_calls.settled(row, column, findings)
                if row is not before:
                    note("Tools and calls that stand as text were put in tools and tool_calls.")
            row = one_thought.settled(row, column, findings)
    return row


def _keeps_text(turn: Row) -> bool:
    text = str(turn["content"])
    return any(mark in text for mark in ("<tools>", "<tool_call>", "<tool_response>"))


def _checks(data: Row) -> Row:
    """Tests of code (MBPP's `test_list`) and JSON schemas, for rewards."""
    found: Row = {}
    for name in _TESTS:
        tests = data.get(name)
        several = [tests] if isinstance(tests, str) else tests
        if several and isinstance(several, list) and all(isinstance(one, str) for one in several):
            found[name] = several
    for name in _SCHEMAS:
        given = data.get(name)
        schema = as_object(loads(given)) if isinstance(given, str) else as_object(given)
        if schema and _SCHEMA_KEYS & schema.keys():
            found[name] = json.dumps(schema, ensure_ascii=False)
    return found


def _refuse_media(row: Row, data: Row) -> None:
    for mark, columns in _MEDIA.items():
        column = next((name for name in columns if data.get(name)), None)
        if column is None:
            continue
        spoken = any(mark in text for _, text in texts_of(row))
        if spoken or isinstance(data[column], list | dict | bytes):
            what = f"speaks of {mark} in" if spoken else "goes with"
            raise RowError(
                "wrong_type", f'The row {what} "{column}"; the studio trains on text.', column
            )
