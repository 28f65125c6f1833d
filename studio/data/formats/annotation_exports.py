"""Exports of Label Studio and Argilla, opened into plain rows: the task's fields beside what people
said of them.

Rule: pairwise choices, and rankings by the answer ranked first, become `votes`; ratings of an
answer become the mean of its ratings; a single choice becomes `label`, the one that most chose.
Annotations that were cancelled, discarded or are drafts are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from studio.data.formats.column_profile import Profile
from studio.data.types import Notes, RawRow, Row, RowSource

_UNSENT = {"discarded", "draft", "pending"}
_RESPONSES = ".responses"


@dataclass(frozen=True)
class Opened:
    """A source of an annotation tool's records; looks like a `Located` that holds plain rows."""

    located: RowSource
    tool: str

    @property
    def name(self) -> str:
        return self.located.name

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """A row a record, under its number."""
        note(f"{self.name} is an export of {self.tool}: fields and votes are put side by side.")
        for raw in self.located.rows(note):
            if raw.error is None:
                raw.data = _OPENED[self.tool](raw.data)
            yield raw


def find_export(located: RowSource, profile: Profile) -> Opened | None:
    """Which tool's export the rows are, or None where they are plain rows."""
    for tool, is_one in _KNOWN.items():
        if profile.sample and sum(map(is_one, profile.sample)) >= 0.5 * len(profile.sample):
            return Opened(located, tool)
    return None


def _label_studio(row: Row) -> Row:
    fields = dict(row.get("data") or {})
    votes: list[Any] = []
    labels: list[str] = []
    scores: dict[str, list[float]] = {}
    for annotation in row.get("annotations") or row.get("completions") or []:
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        for result in annotation.get("result") or []:
            if isinstance(result, dict) and isinstance(result.get("value"), dict):
                _read_result(result, fields, votes, labels, scores)
    return _with(fields, votes, labels, scores)


def _read_result(
    result: Row, fields: Row, votes: list[Any], labels: list[str], scores: dict[str, list[float]]
) -> None:
    value, about = result["value"], str(result.get("to_name", ""))
    if isinstance(value.get("selected"), str):
        votes.append(_answer_of(value["selected"], about, fields))
    elif isinstance(value.get("rating"), int | float):
        scores.setdefault(_rated(result, about, fields), []).append(value["rating"])
    elif isinstance(value.get("choices"), list) and len(value["choices"]) == 1:
        labels.append(str(value["choices"][0]))
    elif isinstance(value.get("ranker"), dict):
        ranked = next((ids for ids in value["ranker"].values() if ids), [])
        if isinstance(ranked, list) and ranked:
            votes.append(str(ranked[0]))


def _answer_of(side: str, about: str, fields: Row) -> str:
    """The field that left or right names, by the order in which they were shown."""
    shown = [name for name in about.split(",") if name in fields]
    if len(shown) == 2 and side in ("left", "right"):
        return shown[side == "right"]
    return side


def _rated(result: Row, about: str, fields: Row) -> str:
    if about in fields:
        return about
    name = str(result.get("from_name", ""))
    return next((field for field in fields if name.endswith(field)), about or name)


def _argilla_two(row: Row) -> Row:
    fields = dict(row.get("fields") or {})
    return _argilla(fields, dict(row.get("responses") or {}))


def _argilla_one(row: Row) -> Row:
    asked = {name: value for name, value in row.items() if _responses(value)}
    return _argilla({name: value for name, value in row.items() if name not in asked}, asked)


def _argilla_hub(row: Row) -> Row:
    """A row as Argilla 2 pushes it to the Hub: values and states in columns of a question's."""
    asked = [name.removesuffix(_RESPONSES) for name in row if _is_answered(name, row)]
    questions = {
        name: [
            {"value": value, "status": status}
            for value, status in zip_longest(
                row[name + _RESPONSES] or [], row[name + _RESPONSES + ".status"] or []
            )
        ]
        for name in asked
    }
    about = tuple(f"{name}.{part}" for name in asked for part in ("responses", "suggestion"))
    return _argilla({n: value for n, value in row.items() if not n.startswith(about)}, questions)


def _is_answered(name: str, row: Row) -> bool:
    return name.endswith(_RESPONSES) and f"{name}.status" in row


def _argilla(fields: Row, questions: Row) -> Row:
    votes: list[Any] = []
    labels: list[str] = []
    scores: dict[str, list[float]] = {}
    for name, responses in questions.items():
        for response in responses if isinstance(responses, list) else []:
            if not isinstance(response, dict) or response.get("status") in _UNSENT:
                continue
            value = response.get("value")
            if isinstance(value, list):
                votes += _first_ranked(value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                scores.setdefault(name, []).append(value)
            elif isinstance(value, str):
                (votes if value in fields else labels).append(value)
    return _with(fields, votes, labels, scores)


def _first_ranked(value: list[Any]) -> list[str]:
    """The answer ranked first; a tie where several are."""
    ranks = [one for one in value if isinstance(one, dict) and isinstance(one.get("rank"), int)]
    best = min((one["rank"] for one in ranks), default=None)
    first = [str(one.get("value")) for one in ranks if one["rank"] == best]
    return first[:1] if len(first) == 1 else ["tie"] * bool(first)


def _with(fields: Row, votes: list[Any], labels: list[str], scores: dict[str, list[float]]) -> Row:
    if votes:
        fields["votes"] = votes
    if labels:
        fields["choice" if votes else "label"] = Counter(labels).most_common(1)[0][0]
    for name, given in scores.items():
        fields[f"score_{_suffix(name)}"] = sum(given) / len(given)
    return fields


def _suffix(name: str) -> str:
    """The number or letter that an answer and its score share."""
    return name[-1] if name[-1:].isalnum() and not name[-2:].isalpha() else name


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


def _is_label_studio(row: Row) -> bool:
    results = row.get("annotations") or row.get("completions")
    return (
        isinstance(row.get("data"), dict)
        and isinstance(results, list)
        and all(isinstance(one, dict) and "result" in one for one in results)
    )


def _is_argilla_two(row: Row) -> bool:
    fields, responses = row.get("fields"), row.get("responses")
    return (
        isinstance(fields, dict)
        and isinstance(responses, dict)
        and all(isinstance(given, list) for given in responses.values())
    )


def _is_argilla_one(row: Row) -> bool:
    return any(map(_responses, row.values()))


def _is_argilla_hub(row: Row) -> bool:
    return any(_is_answered(name, row) for name in row)


_KNOWN = {
    "Label Studio": _is_label_studio,
    "Argilla 2": _is_argilla_two,
    "Argilla 1": _is_argilla_one,
    "Argilla 2 on the Hub": _is_argilla_hub,
}
_OPENED = {
    "Label Studio": _label_studio,
    "Argilla 2": _argilla_two,
    "Argilla 1": _argilla_one,
    "Argilla 2 on the Hub": _argilla_hub,
}
