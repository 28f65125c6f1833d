"""A Modelfile for Ollama, whose chats need a Go template: the chat template, translated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import TemplateError

from studio.core.library_types import Tokenizer
from studio.exports import BASE
from studio.models import tokenization

Kwargs = Mapping[str, Any]
_ROLES = ("system", "user", "assistant")
_DEFAULT = "system by default"
_MARKS = {"system": "System\u241eText", "user": "User\u241eText", "assistant": "Answer\u241eText"}


def write(folder: Path, gguf: str, tokenizer: Tokenizer, kwargs: Kwargs | None = None) -> bool:
    """Write `Modelfile` beside the GGUF file; returns whether it holds the model's chat template.

    `kwargs` are the run's `chat_template_kwargs`. A chat template that is more than fixed text
    before and after each turn is left out; Ollama then uses what it reads from the GGUF file.
    """
    lines = [f"FROM ./{gguf}", *_parameters(tokenizer)]
    template = go_template(tokenizer, kwargs)
    if template:
        lines.append(f'TEMPLATE """{template}"""')
        if system := default_system(tokenizer, kwargs):
            lines.append(f'SYSTEM """{system}"""')
    else:
        lines.append(
            "# No TEMPLATE: this chat template cannot be written in Ollama's template language. "
            "Ollama uses what it reads from the GGUF file; check how it writes a chat."
        )
    (folder / "Modelfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return template is not None


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
    none. Ollama is told it apart, since its template is given one system turn or none."""
    words = _safe_words(tokenizer, kwargs)
    return words.get(_DEFAULT, "") if words else ""


class _Chat(NamedTuple):
    """A chat template with what it is given beside the messages."""

    tokenizer: Tokenizer
    kwargs: Kwargs

    def render(self, roles: list[str], prompt: bool) -> str:
        turns = [{"role": role, "content": _MARKS[role]} for role in roles]
        return self.tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=prompt, **self.kwargs
        )


def go_template(tokenizer: Tokenizer, kwargs: Kwargs | None = None) -> str | None:
    """The chat template as a Go template, or None where turns are not wrapped in fixed text."""
    words = _safe_words(tokenizer, kwargs)
    if words is None:
        return None
    parts = []
    for role in _ROLES:
        if f"{role} before" not in words:
            continue
        word = "if" if not parts else "else if"
        parts.append(
            f'{{{{ {word} eq .Role "{role}" }}}}{words[f"{role} before"]}'
            f"{{{{ .Content }}}}{words[f'{role} after']}"
        )
    turns = "".join(parts) + "{{ end }}"
    return f"{{{{ range .Messages }}}}{turns}{{{{ end }}}}{words['assistant before']}"


def _safe_words(tokenizer: Tokenizer, kwargs: Kwargs | None) -> dict[str, str] | None:
    """`_words` that can stand between a Modelfile's quotes."""
    try:
        words = _words(_Chat(tokenizer, kwargs or {}))
    except (TemplateError, ValueError):
        return None
    if words is None or any("{{" in part or '"""' in part for part in words.values()):
        return None
    return words


def _words(chat: _Chat) -> dict[str, str] | None:
    """The text before and after each role's turn, checked on a longer chat; None if it varies."""
    user, answer = _MARKS["user"], _MARKS["assistant"]
    asked = chat.render(["user"], True)
    first, after_user_open = _cut(asked, user)
    _, after_user = _cut(chat.render(["user"], False), user)
    if not after_user_open.startswith(after_user):
        return None
    again = chat.render(["user", "assistant", "user"], False)
    _, rest = _cut(again, answer)
    between, _ = _cut(rest, user)
    _, after_answer = _cut(chat.render(["user", "assistant"], False), answer)
    before_user = between.removeprefix(after_answer)
    start = first.removesuffix(before_user)
    words = {
        "user before": before_user,
        "user after": after_user,
        "assistant before": after_user_open[len(after_user) :],
        "assistant after": after_answer,
    }
    words |= _system_words(chat, start, before_user)
    bos = chat.tokenizer.bos_token or ""
    start = _without_default(words, start, bos)
    said = ["user", "assistant", "user", "assistant", "user"]
    first_turn = start + words.get("system before", "") + words.get(_DEFAULT, "")
    opening = first_turn + words["system after"] if _DEFAULT in words else start
    if opening + _told(words, said) != chat.render(said, True):
        return None
    said = ["system", *said]
    if "system before" in words and start + _told(words, said) != chat.render(said, True):
        return None
    # The BOS token that opens every chat is added by Ollama itself.
    return words if start in ("", bos) else None


def _without_default(words: dict[str, str], start: str, bos: str) -> str:
    """What opens a chat; a system prompt of the template's own in it goes to `words`."""
    if start in ("", bos) or "system before" not in words:
        return start
    words["system before"] = before = words["system before"].removeprefix(bos)
    opens = bos if start.startswith(bos) else ""
    body, after = start.removeprefix(opens), words["system after"]
    if not after or not body.startswith(before) or not body.endswith(after):
        return start
    default = body.removeprefix(before).removesuffix(after)
    if not default:  # a system turn without a prompt (Llama 3.1's dates), which Ollama leaves out
        return start
    words[_DEFAULT] = default
    return opens


def _system_words(chat: _Chat, start: str, before_user: str) -> dict[str, str]:
    """The same for a system turn; empty where the template has none."""
    try:
        before, rest = _cut(chat.render(["system", "user"], False), _MARKS["system"])
        between, _ = _cut(rest, _MARKS["user"])
    except (TemplateError, ValueError):
        return {}
    return {
        "system before": before.removeprefix(start),
        "system after": between.removesuffix(before_user),
    }


def _told(words: dict[str, str], roles: list[str]) -> str:
    turns = [f"{words[f'{role} before']}{_MARKS[role]}{words[f'{role} after']}" for role in roles]
    return "".join(turns) + words["assistant before"]


def _cut(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found:
        raise ValueError(f"the template does not repeat {mark}")
    return before, after
