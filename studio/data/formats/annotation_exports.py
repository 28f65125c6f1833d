"""Exports of Label Studio and Argilla, opened into plain rows: the task's fields beside what people
said of them.

Rule: pairwise choices, and rankings by the answer ranked first, become `votes`; a ranked list of
answers becomes `answers` with `ranks`; ratings of an answer become the mean of its ratings; single
choices become `label`, the one that most chose, or columns of their own where several things were
asked; texts that people wrote stand under their question's name. Annotations that were cancelled,
discarded or are drafts are left out. What is not read is named in a note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from studio.data.formats import label_studio_export
from studio.data.formats.annotators_said import Said
from studio.data.formats.chat_turns import unwrapped
from studio.data.formats.column_profile import Profile
from studio.data.types import Notes, RawRow, Row, RowSource

_UNSENT = {"discarded", "draft", "pending"}
_RESPONSES = ".responses"
_LONGEST_CHOICE = 40  # characters; what is longer was written, not picked
_MOST_WORDS = 4


@dataclass(frozen=True)
class Opened:
    """A source of an annotation tool's records; looks like a `Located` that holds plain rows."""

    located: RowSource
    tool: str
    texts: frozenset[str] = frozenset()
    """Questions that are answered with texts of one's own."""

    @property
    def name(self) -> str:
        return self.located.name

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """A row a record, under its number."""
        note(f"{self.name} is an export of {self.tool}: fields and votes are put side by side.")
        unread: Counter[str] = Counter()
        several: Counter[str] = Counter()
        for raw in self.located.rows(note):
            if raw.error is None:
                said = _OPENED[self.tool](raw.data)
                said.as_written(self.texts)
                unread.update(said.unread.keys())
                several.update(name for name, texts in said.written.items() if len(texts) > 1)
                raw.data = said.row()
            yield raw
        for name, records in unread.items():
            note(f"What annotators said in {name} is not read, in {records:,} records.")
        for name, records in several.items():
            note(f'"{name}" holds several texts in {records:,} records; they stand in a list.')


def find_export(located: RowSource, profile: Profile) -> Opened | None:
    """Which tool's export the rows are, or None where they are plain rows."""
    for tool, is_one in _KNOWN.items():
        if profile.sample and sum(map(is_one, profile.sample)) >= 0.5 * len(profile.sample):
            said = [_OPENED[tool](row) for row in profile.sample if is_one(row)]
            return Opened(located, tool, frozenset(name for one in said for name in one.written))
    return None


def _argilla_two(row: Row) -> Said:
    fields = dict(row.get("fields") or {})
    return _argilla(fields, dict(row.get("responses") or {}))


def _argilla_record(row: Row) -> Said:
    """A record as Argilla 1's Python client writes it: a person's answers lie together."""
    questions: Row = {}
    for person in row["responses"]:
        for name, given in (person.get("values") or {}).items():
            value = given.get("value") if isinstance(given, dict) else given
            said = {"value": value, "status": person.get("status")}
            questions.setdefault(name, []).append(said)
    return _argilla(dict(row["fields"]), questions)


def _argilla_one(row: Row) -> Said:
    asked = {name: value for name, value in row.items() if _responses(value)}
    about = tuple(f"{name}-suggestion" for name in asked)
    rest = {n: v for n, v in row.items() if n not in asked and not n.startswith(about or ("\0",))}
    return _argilla(rest, asked)


def _argilla_hub(row: Row) -> Said:
    """A row as Argilla 2 pushes it to the Hub, or as `flatten` and CSV leave it: values and states
    in columns of a question's."""
    asked = [name.removesuffix(_RESPONSES) for name in row if _is_answered(name, row)]
    questions = {
        name: [
            {"value": value, "status": status}
            for value, status in zip_longest(
                _list(row[name + _RESPONSES]), _list(row.get(name + _RESPONSES + ".status"))
            )
        ]
        for name in asked
    }
    about = tuple(f"{name}.{part}" for name in asked for part in ("responses", "suggestion"))
    return _argilla({n: value for n, value in row.items() if not n.startswith(about)}, questions)


def _list(value: object) -> list[object]:
    value = unwrapped(value)
    if isinstance(value, list):
        return value
    return [] if value is None or value == "" else [value]


def _is_answered(name: str, row: Row) -> bool:
    """Whether a column holds responses: their states or users stand beside it, or it is a list."""
    if not name.endswith(_RESPONSES) or name == _RESPONSES:
        return False
    beside = any(f"{name}.{part}" in row for part in ("status", "users"))
    question = name.removesuffix(_RESPONSES)
    beside |= f"{question}.suggestion" in row
    return beside or isinstance(unwrapped(row[name]), list)


def _argilla(fields: Row, questions: Row) -> Said:
    said = Said(fields)
    for name, responses in questions.items():
        for response in responses if isinstance(responses, list) else []:
            if isinstance(response, dict) and response.get("status") not in _UNSENT:
                _response(name, response.get("value"), said)
    return said


def _response(name: str, value: object, said: Said) -> None:
    if isinstance(value, list):
        first = _ranked(value, said)
        if value and not first:
            said.unread[
                f'"{name}" ({"spans" if isinstance(value[0], dict) else "several labels"})'
            ] += 1
    elif isinstance(value, int | float) and not isinstance(value, bool):
        said.scored(name, value)
    elif isinstance(value, str) and value in said.fields:
        said.votes.append(value)
    elif isinstance(value, str):
        written = len(value) > _LONGEST_CHOICE or len(value.split()) > _MOST_WORDS
        said.wrote(name, [value]) if written else said.chose(name, value)


def _ranked(value: list[object], said: Said) -> bool:
    """Whether a ranking could be read: of two answers as a vote for the first, of more by their
    places. Argilla 2 lists fields from the best on."""
    if value and all(isinstance(one, str) and one in said.fields for one in value):
        place: dict[str, float] = {str(name): at for at, name in enumerate(value, 1)}
    else:
        ranks = [one for one in value if isinstance(one, dict) and isinstance(one.get("rank"), int)]
        place = {str(one.get("value")): one["rank"] for one in ranks}
    if place and not said.ranks_fields(place):
        first = [name for name, at in place.items() if at == min(place.values())]
        said.votes.append(first[0] if len(first) == 1 else "tie")
    return bool(place)


def _responses(value: object) -> bool:
    """Whether a column holds people's responses (Argilla 1)."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(one, dict) and "value" in one and ("user_id" in one or "status" in one)
            for one in value
        )
    )


def _is_argilla_two(row: Row) -> bool:
    fields, responses = row.get("fields"), row.get("responses")
    return (
        isinstance(fields, dict)
        and isinstance(responses, dict)
        and all(isinstance(given, list) for given in responses.values())
    )


def _is_argilla_record(row: Row) -> bool:
    fields, responses = row.get("fields"), row.get("responses")
    return (
        isinstance(fields, dict)
        and isinstance(responses, list)
        and bool(responses)
        and all(isinstance(one, dict) and "values" in one for one in responses)
    )


def _is_argilla_one(row: Row) -> bool:
    return any(map(_responses, row.values()))


def _is_argilla_hub(row: Row) -> bool:
    return any(_is_answered(name, row) for name in row)


_KNOWN = {
    "Label Studio": label_studio_export.is_task,
    "Argilla 2": _is_argilla_two,
    "Argilla 1, a record each": _is_argilla_record,
    "Argilla 1": _is_argilla_one,
    "Argilla 2 on the Hub": _is_argilla_hub,
}
_OPENED: dict[str, Callable[[Row], Said]] = {
    "Label Studio": label_studio_export.read,
    "Argilla 2": _argilla_two,
    "Argilla 1, a record each": _argilla_record,
    "Argilla 1": _argilla_one,
    "Argilla 2 on the Hub": _argilla_hub,
}
