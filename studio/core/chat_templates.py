"""Chat templates: the model's own, or a bundled one where it has none or the user prefers it.

Every bundled template ends an assistant turn with the model's own end-of-text token, so that the
model learns to stop whatever its vocabulary, and marks the turn with `{% generation %}`, so that
assistant-only loss works
(https://huggingface.co/docs/transformers/chat_templating_writing).
"""

from __future__ import annotations

import copy
from pathlib import Path

from studio.core import compat, tokenizer_check
from studio.core.errors import ModelError, did_you_mean
from studio.core.library_types import Tokenizer
from studio.core.workspace import PRESETS

FOLDER = PRESETS / "templates"
DEFAULT = "plain"
BUNDLED = {
    "chatml": "ChatML",
    "llama3": "Llama-3",
    "zephyr": "Zephyr",
    "alpaca": "Alpaca",
    "plain": "Plain",
}
"""Bundled templates, each with its usual name."""
TRAINING = "training"
"""The name of TRL's training variant of a model's own template, where there is one: it writes a
turn the same way whether others follow or not."""
_MAX_BYTES = 1 << 20
_twins: dict[str, str | None] = {}


def names() -> list[str]:
    """Names of the bundled templates."""
    return list(BUNDLED)


def read(wanted: str) -> str:
    """The Jinja text of a bundled template, or of a `.jinja` file by its path."""
    if wanted in BUNDLED:
        return (FOLDER / f"{wanted}.jinja").read_text(encoding="utf-8").strip("\n")
    if not wanted.endswith((".jinja", ".j2")):
        raise ModelError(
            f"There is no chat template {wanted!r}.{did_you_mean(wanted, BUNDLED)} "
            f"Use {', '.join(BUNDLED)}, or the path of a .jinja file."
        )
    path = Path(wanted).expanduser()
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path.name} is too large to be a chat template.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The chat template {wanted} cannot be read: {error}.") from None


def training_twin(tokenizer: Tokenizer) -> str | None:
    """TRL's training variant of the tokenizer's template; None where TRL knows none, or where the
    template is one already."""
    own = tokenizer.chat_template
    if not isinstance(own, str):
        return None
    if own not in _twins:
        _twins[own] = _found_twin(tokenizer)
        while len(_twins) > 32:
            _twins.pop(next(iter(_twins)))
    return _twins[own]


def _found_twin(tokenizer: Tokenizer) -> str | None:
    from jinja2 import TemplateError
    from trl.chat_template_utils import get_training_chat_template

    try:
        return get_training_chat_template(tokenizer)  # type: ignore[arg-type]
    except (ValueError, TypeError, KeyError, TemplateError):
        return None  # TRL knows no variant, or its own probe rows do not pass this template


def ensure(tokenizer: Tokenizer, name: str = DEFAULT) -> bool:
    """Give a tokenizer without a chat template a bundled one; True if it was given.

    It is saved with the adapter, so training and inference agree.
    """
    if tokenizer.chat_template:
        return False
    tokenizer.chat_template = read(name)
    return True


def with_chat_template(tokenizer: Tokenizer, wanted: str | None) -> Tokenizer:
    """A copy of the tokenizer with another chat template; itself where `wanted` is empty.

    The original goes on serving other runs and the base model. Raises `ModelError`
    for a template that is unknown or is not valid Jinja.
    """
    if not wanted:
        return tokenizer
    if wanted == TRAINING:
        text = training_twin(tokenizer)
        if text is None:
            raise ModelError(
                "TRL has no training variant of this model's chat template. Leave "
                f"chat_template_path empty, or use {', '.join(BUNDLED)}."
            )
    else:
        text = read(wanted)
        if wanted not in BUNDLED:
            tokenizer_check.check_template(text, wanted)
        _parse(text, wanted)
    other = copy.deepcopy(tokenizer)
    other.chat_template = text
    return other


def bundled(tokenizer: Tokenizer) -> str | None:
    """The bundled template that a tokenizer carries, by name; None for its own."""
    return next((name for name in BUNDLED if tokenizer.chat_template == read(name)), None)


def _parse(text: str, name: str) -> None:
    from jinja2 import TemplateSyntaxError

    try:
        compat.compile_template(text)
    except TemplateSyntaxError as error:
        raise ModelError(
            f"The chat template {name} is not valid Jinja, line {error.lineno}: {error.message}."
        ) from None
