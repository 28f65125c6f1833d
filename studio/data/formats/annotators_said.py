"""What the annotators of one record said, gathered from their answers and put beside its fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from studio.data.formats import column_names
from studio.data.types import Row


@dataclass
class Said:
    """A record's fields with the answers to it, by the control or question that was answered.

    `votes` name answers, `choices` classes, `scores` rate, `written` are texts, each of `places`
    holds the place of every text of `ranked`, 1 being the best. `unread` counts what none of these
    holds.
    """

    fields: Row
    votes: list[Any] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)
    written: dict[str, list[str]] = field(default_factory=dict)
    ranked: list[str] = field(default_factory=list)
    ranked_fields: list[str] = field(default_factory=list)
    places: list[list[float]] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)

    def chose(self, name: str, choice: str) -> None:
        self.choices.setdefault(name, []).append(choice)

    def scored(self, name: str, score: float) -> None:
        self.scores.setdefault(name, []).append(score)

    def wrote(self, name: str, texts: list[str]) -> None:
        """Texts under a name of their own: one that edits a field is its correction."""
        name = f"corrected_{name}" if name in self.fields else name
        known = self.written.setdefault(name, [])
        known += [text for text in texts if text.strip() and text not in known]

    def ranks_fields(self, place: dict[str, float]) -> bool:
        """Keep the places of three fields or more; two are a vote. False where they do not fit."""
        named = [name for name in self.fields if name in place]
        texts = [self.fields[name] for name in named]
        fits = len(named) == len(place) > 2 and all(isinstance(text, str) for text in texts)
        if not fits or (self.ranked and self.ranked != texts):
            return False
        self.ranked, self.ranked_fields = texts, named
        self.places.append([place[name] for name in named])
        return True

    def as_written(self, names: Iterable[str]) -> None:
        """Take short answers for texts where others to the same question are texts."""
        for name in names:
            if name in self.choices:
                self.wrote(name, self.choices.pop(name))

    def row(self) -> Row:
        """The fields, and what was said in columns beside them."""
        # Fields that were ranked stand in `answers`.
        row = {name: held for name, held in self.fields.items() if name not in self.ranked_fields}
        if self.votes:
            row["votes"] = self.votes
        single = "choice" if self.votes else "label"
        for name, given in self.choices.items():
            column = single if len(self.choices) == 1 else name
            row[column] = Counter(given).most_common(1)[0][0]
        for name, given in self.scores.items():
            verdict = column_names.key(name) in column_names.VERDICT  # a scale between two answers
            column = name if verdict else f"score_{_suffix(name)}"
            row[column] = sum(given) / len(given)
        for name, texts in self.written.items():
            if texts:
                row[name] = texts[0] if len(texts) == 1 else texts
        return row | self._ranks()

    def _ranks(self) -> Row:
        """Ranked answers with the mean of their places, the lowest being the best."""
        if not self.places:
            return {}
        means = [sum(each) / len(self.places) for each in zip(*self.places, strict=True)]
        return {"answers": self.ranked, "ranks": means}


def _suffix(name: str) -> str:
    """The number or letter that an answer and its score share."""
    return name[-1] if name[-1:].isalnum() and not name[-2:].isalpha() else name
