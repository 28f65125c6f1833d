"""A Modelfile for Ollama: stops, temperature and a system prompt.

The chat template is left to Ollama, which compares the one in the GGUF file with those it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from studio.core.library_types import Tokenizer
from studio.exports import BASE
from studio.models import tokenization

Kwargs = Mapping[str, Any]
_SYSTEM, _USER = "System\u241eText", "User\u241eText"
_NO_TEMPLATE = (
    "# No TEMPLATE: Ollama compares the chat template in the GGUF file with those it knows. "
    "`ollama show --modelfile` says which one it took."
)


def write(folder: Path, gguf: str, tokenizer: Tokenizer, kwargs: Kwargs | None = None) -> None:
    """Write `Modelfile` beside the GGUF file. `kwargs` are the run's `chat_template_kwargs`."""
    lines = [f"FROM ./{gguf}", *_parameters(tokenizer)]
    if system := default_system(tokenizer, kwargs):
        lines.append(f'SYSTEM """{system}"""')
    (folder / "Modelfile").write_text("\n".join([*lines, _NO_TEMPLATE]) + "\n", encoding="utf-8")


def write_adapter(folder: Path, gguf: str, tokenizer: Tokenizer) -> None:
    """Write `Modelfile` beside a GGUF adapter; the base in its FROM line is the reader's to name.

    Its chat template is the base's own.
    """
    lines = [
        "# The base of this adapter: its GGUF file, or its name in Ollama.",
        f"FROM ./{BASE}",
        f"ADAPTER ./{gguf}",
        *_parameters(tokenizer),
    ]
    (folder / "Modelfile").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _parameters(tokenizer: Tokenizer) -> list[str]:
    """Greedy answers that stop where the run's do."""
    end = tokenization.end_of_turn(tokenizer)
    stops = (tokenizer.eos_token, None if end is None else tokenizer.decode([end]))
    stops = [stop for stop in dict.fromkeys(stops) if stop and _plain(stop)]
    return ["PARAMETER temperature 0", *(f'PARAMETER stop "{stop}"' for stop in stops)]


def _plain(text: str) -> bool:
    """Whether it can stand between quotes: a model's token must not become a line of its own."""
    return text.isprintable() and '"' not in text and "\\" not in text


def default_system(tokenizer: Tokenizer, kwargs: Kwargs | None = None) -> str:
    """The system prompt that the chat template writes where a chat has none, as Qwen2.5's; "" for
    none, and for one that depends on the chat. Ollama's templates have none of their own."""

    def render(*said: str) -> str:
        roles = {_SYSTEM: "system", _USER: "user"}
        turns = [{"role": roles.get(text, "user"), "content": text} for text in said]
        return tokenizer.apply_chat_template(turns, tokenize=False, **(kwargs or {}))

    try:
        before, found, rest = render(_SYSTEM, _USER).partition(_SYSTEM)
        alone, _, _ = render(_USER).partition(_USER)
        other, _, _ = render("Another").partition("Another")
    except (TemplateError, ValueError):
        return ""
    after = rest.partition(_USER)[0]
    if not found or not after or alone != other:
        return ""
    if not alone.startswith(before) or not alone.endswith(after):
        return ""
    system = alone[len(before) : -len(after)]
    return "" if '"""' in system or system.endswith('"') else system
