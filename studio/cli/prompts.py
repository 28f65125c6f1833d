"""Prompts for a command from any file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.core.errors import DataError


def read_prompts(path: Path) -> list[list[dict[str, str]]]:
    """Prompts as messages: a .txt file's lines, or the prompts of any file of rows."""
    if path.suffix.lower() == ".txt":
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise DataError(f"{path} is not UTF-8 text; save it as UTF-8.") from None
        prompts = [[{"role": "user", "content": line.strip()}] for line in lines if line.strip()]
    else:
        from studio.data.prepared.row_stream import Stream
        from studio.data.readers.sources import locate

        rows = (checked.row for checked in Stream(locate(path)))
        prompts = [prompt for row in rows if row is not None and (prompt := _prompt_of(row))]
    if not prompts:
        raise DataError(f"{path} holds no prompts; give one a line, or rows with a prompt.")
    return prompts


def _prompt_of(row: dict[str, Any]) -> list[dict[str, str]]:
    """The part of a row that asks: its prompt, or the turns before the first answer."""
    prompt = row.get("prompt", row.get("text"))
    if prompt is None:
        turns = row.get("messages", [])
        answers = [number for number, turn in enumerate(turns) if turn["role"] == "assistant"]
        prompt = turns[: answers[0]] if answers else turns
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}] if prompt.strip() else []
    return [{"role": turn["role"], "content": turn["content"]} for turn in prompt]
