"""Problems of a chat template, or of a row under it: sentences that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from studio.core import answers, rendering
from studio.core.library_types import Tokenizer
from studio.data.types import Row

_MARK = re.compile(r"<\|[a-z_]+\|>")
_TAIL = 3  # tokens at the end among which the end-of-text token is looked for
OTHER = "Choose another chat template"


def refusal(row: Row, tokenizer: Tokenizer, error: Exception) -> str:
    """Why a template rejects a row and what to do; usually it is the system turn."""
    said = str(error).strip().rstrip(".")
    turns = _turns(row)
    rest = [turn for turn in turns if turn.get("role") != "system"]
    if len(rest) < len(turns) and _rendered(rest, tokenizer) is not None:
        return (
            f"The chat template rejects the system turn: {said}. {OTHER}, or move the system "
            "prompt into the first user turn."
        )
    known = ("system", "user", "assistant")
    odd = sorted({str(t.get("role")) for t in turns} - set(known))
    if odd and _rendered([t for t in turns if t.get("role") in known], tokenizer) is not None:
        roles = " and ".join(odd)
        return f"The chat template rejects turns with the role {roles}: {said}. {OTHER}."
    return f"The chat template rejects this row: {said}. {OTHER}, or fix the row."


def refusals(rows: Iterable[Row], tokenizer: Tokenizer) -> dict[int, str]:
    """Place -> sentence of the rows that the template refuses; rows of plain strings pass."""
    found: dict[int, str] = {}
    for at, row in enumerate(rows):
        for turns in _sides(row):
            if said := _refused(turns, row, tokenizer):
                found[at] = said
                break
    return found


def _sides(row: Row) -> list[list[Row]]:
    """The conversations that a trainer renders of a row."""
    answers = [name for name in ("messages", "completion", "chosen", "rejected") if name in row]
    before = row.get("prompt")
    first: list[Row] = before if isinstance(before, list) else []
    sides = [[*first, *row[name]] for name in answers if isinstance(row[name], list)]
    return sides or ([first] if first else [])


def _refused(turns: list[Row], row: Row, tokenizer: Tokenizer) -> str:
    from jinja2 import TemplateError

    try:
        given = rendering.turns(turns, tokenizer)
        tokenizer.apply_chat_template(given, tokenize=False, **rendering.options(row))
    except TemplateError as error:
        return refusal({**row, "messages": turns}, tokenizer, error)
    except (RuntimeError, ValueError, TypeError) as error:
        return unrenderable(error, tokenizer)
    return ""


def unrenderable(error: Exception, tokenizer: Tokenizer) -> str:
    """A row that fails in the template or the tokenizer for a reason of its own."""
    if (
        isinstance(error, TypeError)
        and "NoneType" in str(error)
        and rendering.takes_tools(tokenizer)
    ):
        return (
            "The chat template reads tools without asking whether there are any, and this row has "
            f"none: {error}. {OTHER}, or give every row its tools."
        )
    return f"This row cannot be rendered: {' '.join(str(error).split())[:200]}"


def dropped_turns(row: Row, tokenizer: Tokenizer) -> list[str]:
    """Turns and tool calls that the template silently omits."""
    turns = _turns(row)
    text = _rendered(turns, tokenizer, row) if turns else None
    if text is None:
        return []
    found = []
    for at, turn in enumerate(turns, 1):
        content = turn.get("content")
        if isinstance(content, str) and content.strip() and content.strip() not in text:
            found.append(_dropped(at, str(turn.get("role"))))
        thought = next((turn[name] for name in answers.FIELDS if turn.get(name)), None)
        if isinstance(thought, str) and thought.strip() and thought.strip() not in text:
            found.append(
                f"The chat template leaves out the thinking of turn {at}, so the model does not "
                "learn it."
            )
        for call in turn.get("tool_calls") or ():
            name = (call.get("function") or call).get("name") if isinstance(call, dict) else None
            if name and str(name) not in text:
                found.append(
                    f"The chat template omits the tool call of turn {at}, so the model would not "
                    f"learn to make it. {OTHER} that supports tools, such as ChatML."
                )
                break
    return found[:3]


def _dropped(at: int, role: str) -> str:
    if role == "system":
        return (
            "The chat template drops the system turn, so the model never sees it. "
            f"{OTHER}, or move the system prompt into the first user turn."
        )
    return (
        f"The chat template drops or changes turn {at} ({role}). "
        f"{OTHER} to train on the text unchanged."
    )


def notes(
    ids: list[int], trained: list[bool], kept: int, tokenizer: Tokenizer, asks: bool = False
) -> list[str]:
    """Notes on one sequence: its start, its end, and its loss.

    `asks`: a prompt without an answer, which has no loss.
    """
    found = _start(ids, tokenizer)
    if not asks:
        found.extend(_end(ids, trained, kept, tokenizer))
    found.extend(_marks(tokenizer))
    if not asks and not any(trained[:kept]):
        found.append(
            "No token of this row is trained; the trainer drops the row."
            + (" Raise max_length." if any(trained) else "")
        )
    if kept < len(ids):
        ending = ", including the end of the answer" if any(trained[-1:]) else ""
        found.append(
            f"The last {len(ids) - kept:,} of {len(ids):,} tokens are truncated at "
            f"{kept:,}{ending}."
        )
    return found


def _start(ids: list[int], tokenizer: Tokenizer) -> list[str]:
    bos = tokenizer.bos_token_id
    if bos is None or ids[:2] != [bos, bos]:
        return []
    return [
        f"The row starts with two beginning-of-text tokens ({tokenizer.bos_token}); the model "
        "expects one. Remove the token from the rows if it is part of their text; otherwise "
        "choose another chat template."
    ]


def _end(ids: list[int], trained: list[bool], kept: int, tokenizer: Tokenizer) -> list[str]:
    eos = tokenizer.eos_token_id
    if eos is None or not ids or kept < len(ids):
        return []
    tail = range(max(0, len(ids) - _TAIL), len(ids))
    at = next((at for at in reversed(tail) if ids[at] == eos), None)
    if at is not None:
        stops = any(lit and id == eos for id, lit in zip(ids, trained, strict=True))
        if stops or not any(trained):
            return []
        return [
            f"The end-of-text token ({tokenizer.eos_token}) is masked, so the model does not "
            f"learn to stop. {OTHER}."
        ]
    added = tokenizer.get_added_vocab()
    other = next((t for t in tokenizer.convert_ids_to_tokens(ids)[-_TAIL:] if t in added), None)
    if other is not None:
        return [
            f"The row ends with {other} instead of the model's end-of-text token "
            f"({tokenizer.eos_token}), so generation stops only if {other} is a stop token. "
            f"{OTHER} to end with {tokenizer.eos_token}."
        ]
    return [
        f"The row does not end with the end-of-text token ({tokenizer.eos_token}), so the model "
        f"may not learn to stop. {OTHER}."
    ]


def _marks(tokenizer: Tokenizer) -> list[str]:
    """Tokens of a bundled template that are missing from the vocabulary."""
    from studio.core import chat_templates

    name = chat_templates.bundled(tokenizer)
    if name is None:
        return []
    known = tokenizer.get_vocab()
    marks = [
        m for m in dict.fromkeys(_MARK.findall(tokenizer.chat_template or "")) if m not in known
    ]
    if not marks:
        return []
    pieces = len(tokenizer(marks[0], add_special_tokens=False)["input_ids"])
    return [
        f"This model has no token {marks[0]}: it is split into {pieces} pieces, which costs "
        "length and is harder to learn. Alpaca and Plain need no extra tokens."
    ]


def message_keys(row: Row) -> set[str]:
    """Every key that a message of the row has with a value."""
    return {name for turn in _turns(row) for name, value in turn.items() if value is not None}


def _turns(row: Row) -> list[Row]:
    """The turns of a row as the template receives them; none for rows of plain strings."""
    for names in (("messages",), ("prompt", "completion"), ("prompt", "chosen"), ("prompt",)):
        sides = [row[name] for name in names if name in row]
        if len(sides) == len(names) and all(isinstance(side, list) for side in sides):
            return [turn for side in sides for turn in side if isinstance(turn, dict)]
    return []


def _rendered(turns: list[Row], tokenizer: Tokenizer, row: Row | None = None) -> str | None:
    """The turns as text, with what their row gives the template; None if it rejects them."""
    from jinja2 import TemplateError

    try:
        given = rendering.turns(turns, tokenizer)
        return tokenizer.apply_chat_template(given, tokenize=False, **rendering.options(row or {}))
    except (TemplateError, ValueError, TypeError):
        return None
