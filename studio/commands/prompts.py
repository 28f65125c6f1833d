"""The prompts that a command is given: in a file, or one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from studio.commands.base import Json, Param
from studio.core.errors import ConfigError, DataError
from studio.core.messages import Message

PromptFile = Annotated[
    Path | None, Param("A .txt file with one prompt per line, or any file of rows with prompts.")
]
Prompts = Annotated[list[str] | None, Param("A prompt; repeatable.")]


def collect_prompts(
    path: Path | None, given: Sequence[str] | None, limit: int | None
) -> list[list[Message]]:
    """The prompts of a file, then those given one by one, as messages; at most `limit`.

    Raises `ConfigError` where there are none, `DataError` for a file that has none.
    """
    if path is None and not given:
        raise ConfigError("There are no prompts; give prompts (a file) or prompt (a text).")
    found = read_prompts(path) if path is not None else []
    found += [[{"role": "user", "content": text}] for text in given or []]
    return found[:limit]


def read_prompts(path: Path) -> list[list[Message]]:
    """The lines of a .txt file, or the prompts of any file of rows, as messages."""
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
        raise DataError(f"{path} holds no prompts; put one on each line.")
    return prompts


def _prompt_of(row: Json) -> list[Message]:
    """A row's prompt, or its messages before the first answer."""
    prompt = row.get("prompt", row.get("text"))
    if prompt is None:
        messages = row.get("messages", [])
        answers = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
        prompt = messages[: answers[0]] if answers else messages
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}] if prompt.strip() else []
    return [{"role": message["role"], "content": message["content"]} for message in prompt]
