"""Reading single fields of a row, with the sentences for what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

from studio.data.formats.base import Mapping, Row
from studio.data.formats.chat_turns import (
    Message,
    kind_of,
    message,
    shape_of,
    to_messages,
    unwrapped,
)
from studio.data.formats.transcripts import parse_transcript
from studio.data.types import RowError

_ANSWER_KEYS = (
    "value",
    "text",
    "answer",
    "response",
    "content",
    "output",
    "completion",
    "passage",
    "aliases",
)


def text_of(row: Row, column: str) -> str:
    """A required text field; whether it is empty, `checks` says."""
    text = optional_text(row, column)
    if text is None:
        raise RowError("missing_field", f'"{column}" is missing.', column)
    return text


def optional_text(row: Row, column: str | None) -> str | None:
    """A text field that may be missing; anything but text is refused, never written out as text."""
    value = row.get(column) if column else None
    if value is None or isinstance(value, str):
        return value
    raise RowError("wrong_type", f'"{column}" is {kind_of(value)}, not text.', column)


def listed_texts(value: object) -> list[str] | None:
    """A list of texts, also where a cell holds it as JSON; None for anything else."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        value = unwrapped(value)
    texts = isinstance(value, list) and value and all(isinstance(item, str) for item in value)
    return list(value) if texts and isinstance(value, list) else None


def system_of(row: Row, column: str | None) -> str | None:
    """A system prompt: text, or the text of parts or of a turn (Vertex, Bedrock, Anthropic)."""
    value = row.get(column) if column else None
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, dict | list):
        raise RowError("wrong_type", f'"{column}" is {kind_of(value)}, not text.', column)
    if isinstance(value, dict) and ("role" in value or "content" in value):
        return to_messages([{**value, "role": "system"}], column or "")[0]["content"]
    if isinstance(value, list) and value and all(_is_turn(item) for item in value):
        return "\n\n".join(turn["content"] for turn in to_messages(value, column or ""))
    return message("system", value, f'"{column}"', column or "")["content"]


def _is_turn(item: object) -> bool:
    return isinstance(item, dict) and "role" in item


_BESIDE_ANSWER = {
    *("aliases", "answer_start", "answer_end", "start", "end", "type", "id", "score", "spans"),
    *("normalized_value", "normalized_aliases", "matched_wiki_entity_name", "human_answers"),
    *("normalized_matched_wiki_entity_name", "role", "from", "name", "model", "number", "date"),
}
"""Keys of an object that say something about the text beside them."""


def is_json(value: object) -> bool:
    """Whether an answer is data rather than an object that wraps a text: a number, or an object
    that holds more than a text and remarks about it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return True
    if not isinstance(value, dict) or not value or shape_of(value) == "turn":
        return False
    names = {str(name).lower() for name in value}
    texts = [name for name in _ANSWER_KEYS if name in names]
    held = next((v for n, v in value.items() if texts and str(n).lower() == texts[0]), None)
    if not isinstance(held, str | list):
        return True
    return bool(names - {texts[0]} - _BESIDE_ANSWER - set(_ANSWER_KEYS))


def answer_of(row: Row, column: str, data: bool = False) -> str:
    """An answer that is text, a turn, or an object that holds the text (TriviaQA: `{"Value",
    "Aliases"}`); with `data` also a number or an object of data, as JSON text."""
    value = row.get(column)
    if isinstance(value, dict) and shape_of(value) == "turn":
        return to_messages(value, column)[-1]["content"]
    if data and is_json(value):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        lowered = {str(name).lower(): inner for name, inner in value.items()}
        value = next(
            (lowered[name] for name in _ANSWER_KEYS if isinstance(lowered.get(name), str | list)),
            None,
        )
        if isinstance(value, list):  # SQuAD keeps every rater's answer; the first counts
            value = next((item for item in value if isinstance(item, str)), None)
        if value is None:
            raise RowError("wrong_type", f'"{column}" is an object without a text in it.', column)
        return text_of({column: value}, column)
    if isinstance(value, list):
        texts = [item for item in value if isinstance(item, str)]
        if len(texts) != len(value) or not texts:
            raise RowError("wrong_type", f'"{column}" is a list, not text.', column)
        return text_of({column: texts[0]}, column)
    return text_of(row, column)


def turns_in(value: object) -> Any:
    """The turns that a text holds as JSON (CSV files carry them so); else the value itself."""
    if isinstance(value, str) and shape_of(value) in ("turns", "pairs"):
        return unwrapped(value)
    return value


def side_messages(row: Row, column: str) -> list[Message]:
    """An answer's messages: turns as they are, a plain text as one assistant turn."""
    value = turns_in(row.get(column))
    if isinstance(value, list) and value and shape_of(value) in ("strings", "objects"):
        value = value[0]  # several texts for one side (retrieval's pos and neg): the first counts
        row = {column: value}
    if isinstance(value, dict) and shape_of(value) == "object":
        return [{"role": "assistant", "content": answer_of(row, column, data=True)}]
    if isinstance(value, list | dict):
        return to_messages(value, column)
    return [{"role": "assistant", "content": text_of(row, column)}]


def earlier_turns(value: object, column: str) -> list[Message]:
    """Turns before the prompt: turns or pairs, texts said in turn, or a transcript."""
    if not value or (isinstance(value, str) and not value.strip()):
        return []
    if isinstance(value, str) and (turns := parse_transcript(value)):
        return turns
    if isinstance(value, list | tuple) and all(isinstance(text, str) for text in value):
        roles = ("user", "assistant")
        return [{"role": roles[at % 2], "content": text} for at, text in enumerate(value)]
    return to_messages(value, column)


def prompt_messages(row: Row, mapping: Mapping) -> list[Message]:
    """System, earlier turns, then instruction and input as one user turn (joined by a blank
    line)."""
    messages: list[Message] = []
    system = system_of(row, mapping.get("system"))
    if system and system.strip():
        messages.append({"role": "system", "content": system})
    if "history" in mapping:
        messages.extend(earlier_turns(row.get(mapping["history"]), mapping["history"]))
    column = mapping["prompt"]
    value = turns_in(row.get(column))
    if isinstance(value, list) and value and all(isinstance(text, str) for text in value):
        roles = ("user", "assistant")  # said in turn, the user last
        said = [(roles[(len(value) - at) % 2 == 0], text) for at, text in enumerate(value)]
        return [*messages, *({"role": role, "content": text} for role, text in said)]
    if isinstance(value, list | dict):
        return [*messages, *to_messages(value, column)]
    instruction = optional_text(row, column)
    extra = optional_text(row, mapping.get("input"))
    if extra and extra.strip():
        both = f"{instruction}\n\n{extra}" if instruction and instruction.strip() else extra
        return [*messages, {"role": "user", "content": both}]
    return [*messages, {"role": "user", "content": text_of(row, column)}]
