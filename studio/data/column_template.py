"""A written template over columns: rows of any columns become prompts, and completions.

`{question}` stands for a column, `{answers.text}` for a part of an object in it, `{choices}` for a
list, one lettered line each, `{choices[0]}` for its first item, and `{choices[answer]}` for the
item that another column names, by its number or its letter. `{{` and `}}` are braces. Of several
templates each row takes one at random, by a seed, as FLAN did (https://arxiv.org/abs/2109.01652).
Nothing in a template is evaluated.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from studio.core.errors import ConfigError, did_you_mean
from studio.data.formats.python_cells import python_value
from studio.data.types import JsonObject, Notes, RawRow, Row, RowError, RowSource

PROMPT, COMPLETION = "prompt", "completion"
_KEPT = ("chosen", "rejected", "label", "completion")
"""Columns that stay as they are where no completion is written."""
_FIELD = re.compile(r"(?P<path>[^\[\]]+)(\[(?P<index>[^\[\]]+)\])?")
_SHOWN_ROWS = 50
_LONGEST = 20_000  # characters of a template


@dataclass(frozen=True)
class Part:
    """A literal text, or a field with the column its item is named by."""

    literal: str
    path: str = ""
    index: str = ""


def parse(template: str) -> list[Part]:
    """The parts of a template; a `ConfigError` says what is wrong with it."""
    if not template.strip():
        raise ConfigError("The template is empty: write it as {question}, with a column's name.")
    if len(template) > _LONGEST:
        raise ConfigError(f"A template has at most {_LONGEST:,} characters.")
    parts: list[Part] = []
    try:
        for literal, name, spec, conversion in string.Formatter().parse(template):
            parts.append(Part(literal))
            if name is None:
                continue
            found = _FIELD.fullmatch(name.strip())
            if spec or conversion or found is None:
                shown = (
                    f"{name}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}"
                )
                raise ConfigError(
                    f"{{{shown}}} is no column: write {{question}}, {{answers.text}} or "
                    "{choices[answer]}; for a brace itself write {{ or }}."
                )
            parts.append(Part("", found["path"].strip(), (found["index"] or "").strip()))
    except ConfigError:  # a ValueError too, and a sentence already
        raise
    except ValueError as error:
        raise ConfigError(
            f"The template has a stray brace ({error}): write {{{{ or }}}} for a brace itself."
        ) from None
    return parts


def render(parts: Sequence[Part], row: Row) -> str:
    """A row written into a template.

    Raises `RowError` for a value that is missing, or an item that is not there.
    """
    return "".join(part.literal if not part.path else _field(part, row) for part in parts).strip()


def _field(part: Part, row: Row) -> str:
    value = _value(part.path, row)
    if not part.index:
        return _text(value, part.path)
    if part.index.isdecimal() and part.index not in row:
        return _text(_at(value, int(part.index), part), part.path)
    return _text(_item(value, _value(part.index, row), part), part.path)


def _value(path: str, row: Row) -> Any:
    """A column's value, or that of an object's key; columns whose own names hold dots first."""
    value: Any = row
    names = [path] if path in row else path.split(".")
    for name in names:
        value = cast(Mapping[str, Any], value).get(name) if isinstance(value, Mapping) else None
        value = _read(value) if isinstance(value, str) else value
    if value is None or (isinstance(value, str | list | dict) and not value):
        raise RowError("missing_value", f"{path} is empty in this row.", names[0])
    return value


def _read(text: str) -> Any:
    """The list or object that a cell holds as JSON or as Python prints it, else the text."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        found = python_value(text)
    return found if isinstance(found, list | dict) else text


def _items(value: Any) -> list[Any] | None:
    """The items of a list, also of a dataset's `{"text": [...], "label": [...]}`."""
    if isinstance(value, Mapping):
        held = cast(Mapping[str, Any], value)
        value = next((held[name] for name in ("text", "choices") if name in held), None)
    return value if isinstance(value, list) else None


def _at(value: Any, at: int, part: Part) -> Any:
    """The item that the template itself names by its number."""
    items = _items(value)
    if items is None:
        raise RowError("wrong_type", f"{part.path} is no list.", part.path)
    if at >= len(items):
        told = (
            f"{part.path} has {len(items)} items, the first of them {part.path}[0]; none is {at}."
        )
        raise RowError("no_such_item", told, part.path)
    return items[at]


def _item(value: Any, which: Any, part: Part) -> Any:
    items = _items(value)
    if items is None:
        raise RowError("wrong_type", f"{part.path} is no list.", part.path)
    text = str(which).strip()
    labels = cast(Mapping[str, Any], value).get("label") if isinstance(value, Mapping) else None
    if isinstance(labels, list) and text in map(str, labels):
        at = [str(label) for label in labels].index(text)
    elif text.isdigit():
        at = int(text)
    elif len(text) == 1 and text.upper() in string.ascii_uppercase:
        at = string.ascii_uppercase.index(text.upper())
    else:
        at = next((at for at, item in enumerate(items) if str(item) == text), -1)
    if not 0 <= at < len(items):
        raise RowError(
            "no_such_item",
            f"{part.index} is {text[:40]!r}, which none of {part.path} is.",
            part.path,
        )
    return items[at]


def _text(value: Any, path: str) -> str:
    items = _items(value)
    if items is not None:
        labels = itertools.chain(string.ascii_uppercase, map(str, itertools.count(27)))
        return "\n".join(f"{label}. {item}" for label, item in zip(labels, items, strict=False))
    if isinstance(value, Mapping):
        raise RowError(
            "wrong_type", f"{path} holds an object; name a key of it: {path}.text.", path
        )
    return str(value)


@dataclass(frozen=True)
class ColumnTemplate:
    """Templates of a prompt, of which each row takes one by `seed`; and one of the completion.

    Without a completion's, columns named chosen, rejected, label and completion stay as they are.
    """

    prompts: tuple[str, ...]
    completion: str = ""
    seed: int = 42

    def __post_init__(self) -> None:
        if not self.prompts:
            raise ConfigError("Write at least one template for the prompt, such as {question}.")
        for template in (*self.prompts, *([self.completion] if self.completion else [])):
            parse(template)

    def check(self, columns: Sequence[str]) -> None:
        """Raise `ConfigError` for a column that no row has, naming those there are."""
        written = [*self.prompts, *([self.completion] if self.completion else [])]
        for part in itertools.chain.from_iterable(map(parse, written)):
            named = "" if part.index.isdecimal() else part.index
            for path in filter(None, (part.path, named)):
                if path not in columns and path.split(".")[0] not in columns:
                    raise ConfigError(
                        f"There is no column {path!r}.{did_you_mean(path, columns)} "
                        f"Columns: {', '.join(columns)}."
                    )

    def apply(self, row: Row, number: int) -> Row:
        """A row as prompt and completion; `RowError` where a value is missing."""
        parsed = [parse(template) for template in self.prompts]
        return self._apply(row, number, parsed, parse(self.completion) if self.completion else None)

    def _apply(
        self, row: Row, number: int, prompts: Sequence[Sequence[Part]], completion: Any
    ) -> Row:
        chosen = random.Random(f"{self.seed}:{number}").randrange(len(prompts))
        made: Row = {PROMPT: render(prompts[chosen], row)}
        if completion is not None:
            return made | {COMPLETION: render(completion, row)}
        return made | {name: row[name] for name in _KEPT if row.get(name) is not None}

    def over(self, rows: Iterator[RawRow]) -> Iterator[RawRow]:
        """Every row in its new form; one that does not fit carries its error."""
        prompts = [parse(template) for template in self.prompts]
        completion = parse(self.completion) if self.completion else None
        for raw in rows:
            made: Row = {}
            error = raw.error
            if error is None:
                try:
                    made = self._apply(raw.data, raw.number, prompts, completion)
                except RowError as problem:
                    error = problem
            yield RawRow(raw.number, made, raw.file, error, raw.text)

    def recorded(self) -> JsonObject:
        """As JSON keeps it."""
        return {"prompts": list(self.prompts), "completion": self.completion, "seed": self.seed}


@dataclass(frozen=True)
class Templated:
    """A source whose rows are written into a template; looks like a `Located` to the stream.

    `first` holds its first rows as they were, for a preview.
    """

    located: RowSource
    template: ColumnTemplate
    first: list[Row] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        return self.located.name

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """Every row as prompt and completion; a `ConfigError` for a column that none has."""
        rows = self.located.rows(note)
        head = list(itertools.islice(rows, _SHOWN_ROWS))
        self.first[:] = [raw.data for raw in head if raw.error is None]
        self.template.check(list(dict.fromkeys(name for row in self.first for name in row)))
        several = len(self.template.prompts)
        note(
            f"Prompts are written by {several} templates, one of them at random for each row."
            if several > 1
            else "Prompts are written by a template."
        )
        yield from self.template.over(itertools.chain(head, rows))
