"""A foreign chat template and tokenizer, tried in a process of their own before they are used.

A template is a program: nested loops need not end, and `'A' * 3000000000` takes the memory there
is. A tokenizer's file holds regular expressions, and one such as `(x+x+)+y` does not end either.
Both run in the thread that owns the models, where nothing stops them. So the first time that a
model is met, its own are given a few chats and texts by a process with limits of time and memory
(`tokenizer_check_child`). What passed is remembered by a digest of the files in the workspace's
cache. What takes long for certain chats only is not found by this.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from studio.core import children
from studio.core.errors import ModelError
from studio.core.json_values import as_list, as_object, loads
from studio.core.workspace import PRESETS, default_home

FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template.jinja", "chat_template.json", "additional_chat_templates/*.jinja"),
    *("config.json", "vocab.json", "vocab.txt", "merges.txt", "*.model", "tekken.json"),
)
"""What a tokenizer is loaded from."""
MEMORY, SECONDS = 1 << 30, 4
LONGEST = 100_000
"""Characters that a template may write beside 20 for each of the chat's."""
_LARGEST = 512 << 20  # bytes of a tokenizer's file; the largest there are take 40 MB
_CHILD = Path(__file__).with_name("tokenizer_check_child.py")
_refused: dict[str, str] = {}


def check(folder: Path, name: str) -> None:
    """Try the templates and the tokenizer in a model's folder, unless they passed before.

    Raises `ModelError` with what does not end, or takes too much memory. Does nothing where the
    system cannot limit a process (Windows, macOS).
    """
    tokenizer = folder / "tokenizer.json"
    here = tokenizer if tokenizer.is_file() else None
    if here and here.stat().st_size > _LARGEST:
        raise ModelError(
            f"The tokenizer.json of {name} has {here.stat().st_size >> 20:,} MB, which no "
            "tokenizer needs; choose another model."
        )
    _try(templates_of(folder), here, _names(folder), name)


def check_template(text: str, name: str) -> None:
    """`check` for a chat template alone, such as a `.jinja` file's."""
    _try([text], None, {}, name)


def folder_here(location: str) -> Path:
    """A model's folder, by its path or in the Hub cache; nothing is downloaded."""
    if (folder := Path(location)).is_dir():
        return folder
    import huggingface_hub

    hub: Any = huggingface_hub  # its overloads are partly untyped
    return Path(hub.snapshot_download(location, allow_patterns=[*FILES], local_files_only=True))


def templates_of(folder: Path) -> list[str]:
    """Every chat template in a model's folder, by file or in its tokenizer's config."""
    files = [folder / "chat_template.jinja", *folder.glob("additional_chat_templates/*.jinja")]
    found: list[object] = [_text(file) for file in files if file.is_file()]
    for file in ("tokenizer_config.json", "chat_template.json"):
        own = (as_object(loads(_text(folder / file))) or {}).get("chat_template")
        listed = as_object(own) or as_list(own)
        found += [own] if isinstance(own, str) else _named(listed)
    return list(dict.fromkeys(text for text in found if isinstance(text, str) and text))


def _named(listed: Any) -> list[object]:
    """Templates as a list of {"name", "template"}, or as an object by name."""
    if (by_name := as_object(listed)) is not None:
        return [*by_name.values()]
    return [(as_object(each) or {}).get("template") for each in as_list(listed) or []]


def _names(folder: Path) -> dict[str, str]:
    """The special tokens that templates write, such as bos_token."""
    config = as_object(loads(_text(folder / "tokenizer_config.json"))) or {}
    tokens = {key: value for key, value in config.items() if key.endswith("_token")}
    read = {key: (as_object(value) or {}).get("content", value) for key, value in tokens.items()}
    return {key: value for key, value in read.items() if isinstance(value, str)}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _try(templates: list[str], tokenizer: Path | None, names: Mapping[str, str], name: str) -> None:
    digest = _digest(templates, tokenizer, names)
    if sys.platform != "linux" or digest == _own():
        return
    passed = default_home() / "cache" / "tokenizers" / digest
    if passed.exists():
        return
    if digest not in _refused:
        if not (why := _fault(templates, tokenizer, names)):
            with suppress(OSError):  # a full disk: it is tried again next time
                passed.parent.mkdir(parents=True, exist_ok=True)
                passed.touch()
            return
        _refused[digest] = why
    raise ModelError(f"The {_refused[digest]}. {name} is not used: choose another model.")


def _fault(templates: list[str], tokenizer: Path | None, names: Mapping[str, str]) -> str:
    given = {
        "templates": templates,
        "tokenizer": str(tokenizer) if tokenizer else None,
        "names": dict(names),
        "seconds": SECONDS,
        "memory": MEMORY,
        "longest": LONGEST,
    }
    ended = children.run(_CHILD, given, 60.0 + 10 * SECONDS)
    found = as_object(loads(ended.said.decode(errors="replace")))
    if found is not None:
        return str(found.get("why") or "")
    if ended.too_long:
        return f"chat template or tokenizer takes longer than {SECONDS} seconds for a few chats"
    return f"chat template or tokenizer ends the process that tries it (status {ended.status})"


def _digest(templates: Iterable[str], tokenizer: Path | None, names: Mapping[str, str]) -> str:
    """Of what is tried and of how: another version of this module tries again."""
    digest = hashlib.sha256(_CHILD.read_bytes())
    digest.update(json.dumps([sorted(templates), sorted(names.items())]).encode())
    if tokenizer is not None:
        digest.update(tokenizer.read_bytes())
    return digest.hexdigest()


def _own() -> str:
    """The built-in model's digest, which need not be tried."""
    folder = PRESETS / "pocket"
    return _digest(templates_of(folder), folder / "tokenizer.json", _names(folder))
