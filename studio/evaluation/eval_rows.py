"""Rows to score on: any source that Data reads, or a file of multiple-choice questions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.answers import read
from studio.core.errors import ConfigError, DataError
from studio.core.messages import Message, prompt_and_references

if TYPE_CHECKING:
    from studio.data import DatasetStore

CHOICES = "multiple_choice"
LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class Choice:
    """One multiple-choice question; `answer` is the right option's place."""

    question: str
    options: tuple[str, ...]
    answer: int

    @property
    def prompt(self) -> str:
        """As MMLU's own evaluation writes it, without examples (Hendrycks et al. 2021)."""
        lines = [f"{LETTERS[at]}. {option}" for at, option in enumerate(self.options)]
        return "\n".join([self.question.strip(), *lines, "Answer:"])


@dataclass(frozen=True)
class ScoreRows:
    """Rows of one type (TRL's names, or multiple_choice); `aside` counts those left out."""

    name: str
    type: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    questions: list[Choice] = field(default_factory=list)
    aside: int = 0

    def __len__(self) -> int:
        return len(self.rows) or len(self.questions)

    def asked(self) -> list[tuple[list[Message], tuple[str, ...]] | None]:
        """(prompt, references) of every row; None for one that asks nothing."""
        return [prompt_and_references(row) for row in self.rows]

    @property
    def answered(self) -> bool:
        """Whether any row holds an answer to compare with."""
        return any(pair is not None and pair[1] for pair in self.asked())

    @property
    def calls(self) -> bool:
        """Whether any row's answer calls a tool."""
        pairs = filter(None, self.asked())
        return any(read(known).tool_calls for _, references in pairs for known in references)


def load_rows(datasets: DatasetStore, source: str, limit: int | None = None) -> ScoreRows:
    """A prepared dataset's held-out rows (all, where none are held out), or a source's rows.

    Raises `DataError` where nothing can be scored on.
    """
    from studio.data import SAMPLES, looks_like_source

    if source in SAMPLES or Path(source).expanduser().is_file():
        return _from_source(source, limit)
    try:
        prepared = datasets.get(source)
    except DataError as unknown:
        if not looks_like_source(source):
            raise unknown
        return _from_source(source, limit)
    split = "test" if prepared.rows.get("test") else "train"
    held_out = "held out" if split == "test" else "all rows"
    rows = prepared.head(prepared.rows[split] if limit is None else limit, split)
    return ScoreRows(f"{prepared.name}, {held_out}", prepared.type, rows)


def _from_source(source: str, limit: int | None) -> ScoreRows:
    from studio.data.prepared.row_stream import Stream
    from studio.data.readers.sources import locate
    from studio.data.types import Notes

    path = Path(source).expanduser()
    located = locate(path if path.is_file() else source)
    first = next(located.rows(Notes()), None)
    if first is not None and first.error is None and _looks_like_choices(first.data):
        raw = itertools.islice(located.rows(Notes()), limit)
        found = [_choice(each.data, each.number) for each in raw if each.error is None]
        return ScoreRows(located.name, CHOICES, questions=found)
    stream = Stream(located, limit=limit)
    checked = list(stream)
    rows = [each.row for each in checked if each.row is not None]
    if not rows:
        raise DataError(f"No row of {located.name} can be scored; look at it on the Data tab.")
    return ScoreRows(located.name, stream.format.type, rows, aside=len(checked) - len(rows))


def _looks_like_choices(row: Mapping[str, Any]) -> bool:
    has_options = "choices" in row or {"A", "B"} <= row.keys()
    return "question" in row and has_options and ("answer" in row or "answerKey" in row)


def _choice(row: Mapping[str, Any], number: int) -> Choice:
    """One question of a file in MMLU's, ARC's or a lettered-column shape."""
    options = row.get("choices")
    if isinstance(options, Mapping):  # ARC: {"text": [...], "label": [...]}
        options = options.get("text")
    if options is None:
        options = [row[letter] for letter in LETTERS if row.get(letter) is not None]
    answer = row.get("answer", row.get("answerKey"))
    if not isinstance(options, list) or not 2 <= len(options) <= len(LETTERS):
        raise DataError(f'Row {number}: "choices" must be a list of 2 to {len(LETTERS)} options.')
    texts = [str(option) for option in options]
    at = _place(answer, texts)
    if at is None:
        raise DataError(
            f'Row {number}: "answer" is {answer!r}, which is neither a place from 0, nor a letter, '
            "nor one of the choices."
        )
    return Choice(str(row["question"]), tuple(texts), at)


def _place(answer: Any, options: list[str]) -> int | None:
    said = str(answer).strip()
    if said in options:
        return options.index(said)
    if said.upper() in LETTERS[: len(options)] and len(said) == 1:
        return LETTERS.index(said.upper())
    if said.isdigit() and int(said) < len(options):
        return int(said)
    return None


def require(rows: ScoreRows, kinds: tuple[str, ...], metric: str) -> None:
    """Refuse a metric that these rows cannot give."""
    if rows.type not in kinds:
        raise ConfigError(
            f"{metric} needs {' or '.join(kind.replace('_', ' ') for kind in kinds)} rows, and "
            f"{rows.name} holds {rows.type.replace('_', ' ')} rows."
        )
