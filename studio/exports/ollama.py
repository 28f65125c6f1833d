"""A Modelfile for Ollama, whose chats need a Go template: the chat template, translated."""

from __future__ import annotations

from pathlib import Path

from jinja2 import TemplateError

from studio.core.library_types import Tokenizer
from studio.models import tokenization

_ROLES = ("system", "user", "assistant")
_MARKS = {"system": "System\u241eText", "user": "User\u241eText", "assistant": "Answer\u241eText"}


def write(folder: Path, gguf: str, tokenizer: Tokenizer) -> bool:
    """Write `Modelfile` beside the GGUF file; returns whether it holds the model's chat template.

    A chat template that is more than fixed text before and after each turn is left out; Ollama
    then uses what it reads from the GGUF file.
    """
    lines = [f"FROM ./{gguf}", "PARAMETER temperature 0"]
    end = tokenization.end_of_turn(tokenizer)
    stops = (tokenizer.eos_token, None if end is None else tokenizer.decode([end]))
    stops = [stop for stop in dict.fromkeys(stops) if stop and _plain(stop)]
    lines += [f'PARAMETER stop "{stop}"' for stop in stops]
    template = go_template(tokenizer)
    if template:
        lines.append(f'TEMPLATE """{template}"""')
    (folder / "Modelfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return template is not None


def _plain(text: str) -> bool:
    """Whether it can stand between quotes: a model's token must not become a line of its own."""
    return text.isprintable() and '"' not in text and "\\" not in text


def go_template(tokenizer: Tokenizer) -> str | None:
    """The chat template as a Go template, or None where turns are not wrapped in fixed text."""
    try:
        words = _words(tokenizer)
    except (TemplateError, ValueError):
        return None
    if words is None or any("{{" in part or '"""' in part for part in words.values()):
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


def _words(tokenizer: Tokenizer) -> dict[str, str] | None:
    """The text before and after each role's turn, checked on a longer chat; None if it varies."""
    user, answer = _MARKS["user"], _MARKS["assistant"]
    asked = _render(tokenizer, ["user"], True)
    first, after_user_open = _cut(asked, user)
    _, after_user = _cut(_render(tokenizer, ["user"], False), user)
    if not after_user_open.startswith(after_user):
        return None
    again = _render(tokenizer, ["user", "assistant", "user"], False)
    _, rest = _cut(again, answer)
    between, _ = _cut(rest, user)
    _, after_answer = _cut(_render(tokenizer, ["user", "assistant"], False), answer)
    before_user = between.removeprefix(after_answer)
    start = first.removesuffix(before_user)
    words = {
        "user before": before_user,
        "user after": after_user,
        "assistant before": after_user_open[len(after_user) :],
        "assistant after": after_answer,
    }
    words |= _system_words(tokenizer, start, before_user)
    said = ["user", "assistant", "user", "assistant", "user"]
    said = ["system", *said] if "system before" in words else said
    if start + _told(words, said) != _render(tokenizer, said, True):
        return None
    # The BOS token that opens every chat is added by Ollama itself.
    return words if start in ("", tokenizer.bos_token) else None


def _system_words(tokenizer: Tokenizer, start: str, before_user: str) -> dict[str, str]:
    """The same for a system turn; empty where the template has none."""
    try:
        before, rest = _cut(_render(tokenizer, ["system", "user"], False), _MARKS["system"])
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


def _render(tokenizer: Tokenizer, roles: list[str], prompt: bool) -> str:
    turns = [{"role": role, "content": _MARKS[role]} for role in roles]
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=prompt)


def _cut(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found:
        raise ValueError(f"the template does not repeat {mark}")
    return before, after
