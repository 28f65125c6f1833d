"""Chat templates: the model's own, or one of ours where it has none or a person prefers it.

Every template of ours ends an assistant's turn with the model's own end-of-text token, so that
training teaches it to stop whatever vocabulary it has, and marks that turn with
`{% generation %}`, so that assistant-only loss works
(https://huggingface.co/docs/transformers/chat_templating_writing).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from studio.core.errors import ModelError, did_you_mean
from studio.core.workspace import PRESETS

FOLDER = PRESETS / "templates"
DEFAULT = "plain"
LENT = {
    "chatml": "ChatML",
    "llama3": "Llama-3",
    "zephyr": "Zephyr",
    "alpaca": "Alpaca",
    "plain": "Plain",
}
"""Templates that can be lent to a model, each with the name people know it by."""
_MOST_BYTES = 1 << 20


def names() -> list[str]:
    """Templates that the studio can lend to a model."""
    return list(LENT)


def read(wanted: str) -> str:
    """The Jinja text of one of our templates, or of a `.jinja` file by its path."""
    if wanted in LENT:
        return (FOLDER / f"{wanted}.jinja").read_text(encoding="utf-8").strip("\n")
    if not wanted.endswith((".jinja", ".j2")):
        raise ModelError(
            f"There is no chat template {wanted!r}.{did_you_mean(wanted, LENT)} "
            f"Use {', '.join(LENT)}, or the path of a .jinja file."
        )
    path = Path(wanted).expanduser()
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelError(f"{path.name} is too large to be a chat template.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The chat template {wanted} cannot be read: {error}.") from None


def ensure(tokenizer: Any, name: str = DEFAULT) -> bool:
    """Give a tokenizer without a chat template one of ours; True when it was given.

    It is saved with the adapter, so training and use agree.
    """
    if tokenizer.chat_template:
        return False
    tokenizer.chat_template = read(name)
    return True


def with_chat_template(tokenizer: Any, wanted: str | None) -> Any:
    """The tokenizer with another chat template; itself where none is wanted.

    A copy: the same tokenizer serves other runs and the base's own answers. Raises `ModelError`
    for a template that is unknown or is not valid Jinja.
    """
    if not wanted:
        return tokenizer
    text = read(wanted)
    _parse(text, wanted)
    other = copy.deepcopy(tokenizer)
    other.chat_template = text
    return other


def bundled(tokenizer: Any) -> str | None:
    """The name of the template of ours that a tokenizer carries; None for one of its own."""
    return next((name for name in LENT if tokenizer.chat_template == read(name)), None)


def _parse(text: str, name: str) -> None:
    from jinja2 import TemplateSyntaxError
    from transformers.utils.chat_template_utils import _compile_jinja_template

    try:
        _compile_jinja_template(text)
    except TemplateSyntaxError as error:
        raise ModelError(
            f"The chat template {name} is not valid Jinja, line {error.lineno}: {error.message}."
        ) from None
