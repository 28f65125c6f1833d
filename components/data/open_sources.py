"""What browsers look at on the Data tab, kept on the server: sources as read, prepared datasets.

A browser holds a small `Subject` that names one of these and a place in it. So a refresh finds
everything again, and no rows travel or are copied with each click.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core.errors import DataError
from studio.core.workspace import new_id
from studio.data.checks.preference_bias import PreferenceReport, preference_report
from studio.data.prepared.browse import GOOD, ReadRows, Rows, StoredRows

if TYPE_CHECKING:
    import numpy as np

    from studio import Studio
    from studio.data import Inspection, SourceReading

KEPT = 8  # sources as read; their rows lie on disk meanwhile
_KEPT_ANSWERS = 32


@dataclass(frozen=True)
class Subject:
    """What the right column shows: a source as read or a dataset as prepared, and where in it."""

    reading_id: str | None = None
    dataset_id: str | None = None
    split: str = "train"
    kind: str = GOOD
    text: str = ""
    at: int = 0
    """Place among the rows that match `kind` and `text`, from 0."""

    @property
    def something(self) -> bool:
        return bool(self.reading_id or self.dataset_id)

    def kept(self) -> dict[str, Any]:
        """What the browser remembers over a refresh."""
        return dataclasses.asdict(self)

    @classmethod
    def again(cls, kept: Any) -> Subject:
        """From what a browser remembers; nothing at all where it makes no sense."""
        if not isinstance(kept, dict):
            return cls()
        names = {field.name for field in dataclasses.fields(cls)}
        known = {name: value for name, value in kept.items() if name in names}
        at = known.get("at")
        return cls(**{**known, "at": at if isinstance(at, int) and at >= 0 else 0})


@dataclass(frozen=True)
class OpenSource:
    """A source as read: its rows, what was found, and how it was asked for."""

    reading: SourceReading
    found: Inspection
    source: Any
    how: dict[str, Any]


class Shelf:
    """Sources as read, by id, the least recently used one first out."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._held: OrderedDict[str, OpenSource] = OrderedDict()
        self._rows: OrderedDict[Any, Rows] = OrderedDict()
        self._answers: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, reading: SourceReading, source: Any, how: dict[str, Any]) -> Subject:
        """Keep a reading; its rows go from disk once nobody uses it any more."""
        name = new_id("read")
        with self._lock:
            self._held[name] = OpenSource(reading, reading.inspection(), source, how)
            while len(self._held) > KEPT:
                old, _ = self._held.popitem(last=False)
                self._rows = OrderedDict((k, v) for k, v in self._rows.items() if k[0] != old)
        return Subject(reading_id=name)

    def knows(self, subject: Subject) -> bool:
        """Whether what a subject names is still here."""
        if subject.dataset_id:
            return any(d.id == subject.dataset_id for d in self.studio.datasets.list())
        return subject.reading_id in self._held

    def held(self, subject: Subject) -> OpenSource:
        """The source that a subject names."""
        with self._lock:
            if subject.reading_id not in self._held:
                raise DataError(
                    "This source was put away to make room for others, or the studio was started "
                    "anew: read it again."
                )
            self._held.move_to_end(subject.reading_id)
            return self._held[subject.reading_id]

    def rows(self, subject: Subject) -> Rows:
        """The rows to look through."""
        if subject.dataset_id:
            dataset = self.studio.datasets.get(subject.dataset_id)
            key = (subject.dataset_id, subject.split)
            return _kept(self._rows, key, lambda: StoredRows(dataset, subject.split))
        held = self.held(subject)
        return _kept(self._rows, (subject.reading_id, ""), lambda: ReadRows(held.reading))

    def matches(self, subject: Subject, progress: Any = None) -> np.ndarray:
        """Positions of the rows that match the subject's filter and text."""
        rows = self.rows(subject)
        key = (subject.reading_id, subject.dataset_id, subject.split, subject.kind, subject.text)
        return _kept(self._answers, key, lambda: rows.find(subject.kind, subject.text, progress))

    def forget_answers(self, subject: Subject) -> None:
        """A source's problems are other ones now: look for its rows anew."""
        for key in [key for key in self._answers if key[0] == subject.reading_id]:
            self._answers.pop(key, None)

    def pairs(self, subject: Subject) -> PreferenceReport | None:
        """What the lengths of a preference set's answers give away; None for other rows."""
        rows = self.rows(subject)
        if rows.type != "preference":
            return None
        if not subject.dataset_id:
            return self.held(subject).reading.preference()
        key = ("pairs", subject.dataset_id, subject.split)
        return _kept(self._answers, key, lambda: preference_report(iter(rows.trainable())))

    def forget(self, dataset_id: str) -> None:
        """A dataset is gone: close what was open of it."""
        for key in [key for key in self._rows if key[0] == dataset_id]:
            self._rows.pop(key, None)


def _kept(store: OrderedDict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:
    value = store.get(key)
    if value is None:
        value = make()
        store[key] = value
        while len(store) > _KEPT_ANSWERS:
            store.popitem(last=False)
    return value
