"""The prompts that a command is given: in a file, or one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from studio.commands.base import Json, Param
from studio.core import rendering
from studio.core.errors import ConfigError, DataError
from studio.core.messages import Message, prompt_of

if TYPE_CHECKING:
    from studio.workflows.asking import Asking

PromptFile = Annotated[
    Path | None, Param("A .txt file with one prompt per line, or any file of rows with prompts.")
]
Tools = Annotated[
    Path | None, Param("A JSON file of tools, for prompts that have none of their own.")
]
TemplateKwargs = Annotated[
    list[str] | None,
    Param(
        "What the chat template is given, such as enable_thinking=false; repeatable.",
        metavar="NAME=VALUE",
    ),
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
        prompts = [prompt for row in rows if row is not None and (prompt := _prompt(row))]
    if not prompts:
        raise DataError(f"{path} holds no prompts; put one on each line.")
    return prompts


def _prompt(row: Json) -> list[Message] | None:
    """A row's prompt with its tools and kwargs, or a plain text as one."""
    return prompt_of(row if row.get("prompt") or row.get("messages") else {"prompt": row["text"]})


def asking_of(tools: Path | None, kwargs: Sequence[str] | None) -> Asking:
    """What is added to every prompt; raises `ConfigError` for tools or kwargs that cannot be."""
    from studio.workflows.asking import Asking

    try:
        text = tools.read_text(encoding="utf-8") if tools else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The tools in {tools} cannot be read: {error}.") from None
    named = {name: _value(one) for name, _, one in (pair.partition("=") for pair in kwargs or ())}
    return Asking(tools=rendering.checked_tools(text), kwargs=rendering.checked(named))


def with_options(
    prompts: Sequence[list[Message]], tools: Path | None, kwargs: Sequence[str] | None
) -> list[list[Message]]:
    """Prompts with these kwargs before their own, and with these tools where they have none."""
    asking = asking_of(tools, kwargs)
    return [asking.prompt(prompt) for prompt in prompts]


def _value(text: str) -> bool | int | float | str:
    import yaml

    found: object = yaml.safe_load(text) if text.strip() else None
    return found if isinstance(found, bool | int | float) else text
