"""The process that tries a foreign chat template and tokenizer: see `studio.core.tokenizer_check`.

It reads one object of JSON, {"tokenizer", "templates", "names", "seconds", "memory", "longest"},
and answers with {"why"}: empty where everything ended in time. Templates are rendered by
transformers' own function and texts are cut by the tokenizer's own file, so what is tried is what
would run. It is the kernel that ends it: processor time and address space are limited.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from collections.abc import Iterator
from typing import Any

from tokenizers import Tokenizer
from transformers.utils import chat_template_utils

utils: Any = chat_template_utils  # partly untyped
_LOADING = 60  # seconds of processor time that reading a tokenizer's file may take
_RUN = 3000  # characters of a text that repeats: what takes time in their cube does not end
_KINDS = "aZ5 \t\n.,'_-!é中"
"""One of each kind of character that patterns tell apart."""
_MOST_UNITS = 80
_SAID = "What is the capital of France?"


def limit(seconds: int, memory: int) -> None:
    """So much processor time and address space from here on."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds + 1, hard))
    with open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(
        resource.RLIMIT_AS, (held + memory, resource.getrlimit(resource.RLIMIT_AS)[1])
    )


def chats() -> list[list[dict[str, Any]]]:
    """Chats as people have them: one turn, a system prompt, many turns, a long one."""
    user, answer = {"role": "user", "content": _SAID}, {"role": "assistant", "content": "Paris."}
    return [
        [user],
        [user, answer],
        [{"role": "system", "content": "Be brief."}, user, answer, user],
        [user, answer] * 20 + [user],
        [{"role": "user", "content": f"{_SAID}\n" * 300}, answer],
    ]


def template_fault(template: str, names: dict[str, Any], longest: int) -> str:
    """Why a template cannot be used; one that refuses a chat or a role with an error can."""
    for chat in chats():
        for start in (True, False):
            written = _rendered(template, chat, start, names)
            given = sum(len(turn["content"]) for turn in chat)
            if len(written) > longest + 20 * given:
                return f"writes {len(written):,} characters for a chat of {given:,}"
    return ""


def _rendered(template: str, chat: list[Any], start: bool, names: dict[str, Any]) -> str:
    try:
        found, _ = utils.render_jinja_template(
            [chat], chat_template=template, add_generation_prompt=start, **names
        )
    except MemoryError:
        raise
    except Exception:  # whatever a template raises for a chat is said where it is used
        return ""
    return "".join(found)


def texts(patterns: list[str]) -> Iterator[str]:
    """Texts that make patterns look twice: what they name themselves, over and over, and an end
    that they do not."""
    units = dict.fromkeys(_KINDS)
    for pattern in patterns:
        units.update(dict.fromkeys(re.findall(r"[^\W_]{2,12}", pattern)))
        units.update(dict.fromkeys(pattern))
    for unit in list(units)[:_MOST_UNITS]:
        run = unit * (_RUN // len(unit))
        yield run
        yield f"{run}\x00"
        yield f"{run[:40]}!"


def patterns_of(value: Any) -> list[str]:
    """The regular expressions in a tokenizer's file, wherever they stand."""
    if isinstance(value, dict):
        named: dict[str, Any] = {**value}
        own = named.get("Regex")
        inside = [found for each in named.values() for found in patterns_of(each)]
        return [*([own] if isinstance(own, str) else []), *inside]
    several: list[Any] = [*value] if isinstance(value, list) else []
    return [found for each in several for found in patterns_of(each)]


def tokenizer_fault(path: str, seconds: int, memory: int) -> str:
    """Why a tokenizer cannot be used: it panics, or writes more tokens than a text has bytes."""
    limit(_LOADING, 8 * memory)
    with open(path, encoding="utf-8") as file:
        values = json.load(file)
    values.pop("model", None)
    tokenizer = Tokenizer.from_file(path)
    limit(seconds, memory)
    for text in (_SAID, *texts(patterns_of(values))):
        try:
            ids = tokenizer.encode(text).ids
            tokenizer.decode(ids[:200])
        except MemoryError:
            raise
        except BaseException as error:  # a panic of its library is no Exception
            return f"does not get through a text ({type(error).__name__})"
        if len(ids) > 16 + 8 * len(text.encode()):
            return f"makes {len(ids):,} tokens of {len(text):,} characters"
    return ""


def fault(given: dict[str, Any]) -> str:
    seconds, memory = given["seconds"], given["memory"]
    limit(seconds, memory)
    for template in given["templates"]:
        if why := template_fault(template, given["names"], given["longest"]):
            return f"chat template {why}"
    if given["tokenizer"] and (why := tokenizer_fault(given["tokenizer"], seconds, memory)):
        return f"tokenizer {why}"
    return ""


def main() -> None:
    given = json.load(sys.stdin)
    try:
        why = fault(given)
    except MemoryError:
        why = f"chat template or tokenizer takes more than {given['memory'] >> 20} MB for a chat"
    except (OSError, ValueError, RecursionError):
        why = ""  # a file that is none is said by whoever loads it
    sys.stdout.write(json.dumps({"why": why}))


if __name__ == "__main__":
    main()
