"""The two sides of a row as a text encoder learns them: anchor and positive, or a scored pair."""

from __future__ import annotations

from typing import Any

from studio.data.types import Row, RowError

PAIRS, SCORED = "embedding_pairs", "scored_pairs"


def pair_of(row: Row, type: str) -> Row:
    """A row of any dataset type with two sides: anchor, positive, negatives; or two sentences and
    their score.

    A prompt is the anchor and its answer the positive; chosen and rejected are positive and
    negative; of a chat, the last answer is the positive and what comes before it the anchor. Raises
    `RowError` where a side is empty.
    """
    if type == SCORED:
        return {name: row[name] for name in ("sentence1", "sentence2", "score")}
    anchor, positive, negatives = _sides(row, type)
    for name, text in (("anchor", anchor), ("positive", positive)):
        if not text.strip():
            raise RowError("empty_field", f"The {name} of this row is empty.", name)
    kept = [text for text in negatives if text.strip()]
    return {"anchor": anchor, "positive": positive, "negatives": kept}


def _sides(row: Row, type: str) -> tuple[str, str, list[str]]:
    if type == PAIRS:
        return row["anchor"], row["positive"], list(row.get("negatives") or [])
    if type == "conversational":
        *before, last = row["messages"]
        answer = last if last["role"] == "assistant" else {"role": "assistant", "content": ""}
        return plain(before), plain([answer]), []
    if type == "preference":
        return plain(row["prompt"]), plain(row["chosen"]), [plain(row["rejected"])]
    return plain(row["prompt"]), plain(row["completion"]), []


def plain(value: Any) -> str:
    """A text, or what the turns of a chat say, without what a system prompt does."""
    if isinstance(value, str):
        return value
    said = [turn["content"] or "" for turn in value or () if turn["role"] != "system"]
    return "\n\n".join(text for text in said if text)
