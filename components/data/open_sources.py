"""Open sources and datasets of the Data tab, kept on the server.

A browser holds only a small `Subject` that names one of them and a position in it, so everything
survives a refresh and no rows are sent or copied with each click.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from studio.core.errors import DataError
from studio.core.workspace import secret_id
from studio.data.checks.preference_bias import PreferenceReport, preference_report
from studio.data.prepared.browse import GOOD, ReadRows, Rows, StoredRows

if TYPE_CHECKING:
    import numpy as np

    from studio import Studio
    from studio.data import Inspection, Progress, SourceReading
    from studio.data.readers.sources import Source
    from studio.data.types import JsonObject

Key = TypeVar("Key")
Value = TypeVar("Value")

KEPT = 8  # open sources; their rows are on disk
_KEPT_ANSWERS = 32


class ListLink(BaseModel):
    """What a click on a list entry sends: its `data-open` and `data-file` attributes."""

    open: str
    file: str | None = None


@dataclass(frozen=True)
class Subject:
    """What the preview shows: a source or a prepared dataset, and the position in it."""

    reading_id: str | None = None
    dataset_id: str | None = None
    split: str = "train"
    kind: str = GOOD
    text: str = ""
    at: Annotated[int, Field(ge=0)] = 0
    """Position among the rows that match `kind` and `text`, from 0."""

    @property
    def something(self) -> bool:
        return bool(self.reading_id or self.dataset_id)

    def kept(self) -> JsonObject:
        """The state a browser keeps across a refresh."""
        return dataclasses.asdict(self)

    @classmethod
    def again(cls, kept: object) -> Subject:
        """Restore from a browser's state; an empty subject if that state is not valid."""
        try:
            return TypeAdapter(cls).validate_python(kept)
        except ValidationError:
            return cls()


@dataclass(frozen=True)
class OpenSource:
    """A source that was read: its rows, what was detected, and the options it was read with."""

    reading: SourceReading
    found: Inspection
    source: Source
    how: JsonObject


class OpenSources:
    """Sources by ID; the least recently used one is closed first."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._held: OrderedDict[str, OpenSource] = OrderedDict()
        self._rows: OrderedDict[tuple[str | None, str], Rows] = OrderedDict()
        self._matches: OrderedDict[tuple[object, ...], np.ndarray] = OrderedDict()
        self._pairs: OrderedDict[tuple[str, str], PreferenceReport | None] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, reading: SourceReading, source: Source, how: JsonObject) -> Subject:
        """Keep a reading; its rows are deleted from disk once nothing refers to it."""
        name = secret_id("read")
        with self._lock:
            self._held[name] = OpenSource(reading, reading.inspection(), source, how)
            while len(self._held) > KEPT:
                old, _ = self._held.popitem(last=False)
                self._rows = OrderedDict((k, v) for k, v in self._rows.items() if k[0] != old)
        return Subject(reading_id=name)

    def knows(self, subject: Subject) -> bool:
        """Whether the subject's source or dataset still exists."""
        if subject.dataset_id:
            return any(d.id == subject.dataset_id for d in self.studio.datasets.list())
        return subject.reading_id in self._held

    def held(self, subject: Subject) -> OpenSource:
        """The subject's source; raises `DataError` if it was closed."""
        with self._lock:
            if subject.reading_id not in self._held:
                raise DataError(
                    "This source was closed to make room for others, or the studio was restarted. "
                    "Read it again."
                )
            self._held.move_to_end(subject.reading_id)
            return self._held[subject.reading_id]

    def rows(self, subject: Subject) -> Rows:
        """The subject's rows."""
        if subject.dataset_id:
            dataset = self.studio.datasets.get(subject.dataset_id)
            key = (subject.dataset_id, subject.split)
            return _kept(self._rows, key, lambda: StoredRows(dataset, subject.split))
        held = self.held(subject)
        return _kept(self._rows, (subject.reading_id, ""), lambda: ReadRows(held.reading))

    def matches(self, subject: Subject, progress: Progress | None = None) -> np.ndarray:
        """Positions of the rows that match the subject's filter and text."""
        rows = self.rows(subject)
        key = (subject.reading_id, subject.dataset_id, subject.split, subject.kind, subject.text)
        return _kept(self._matches, key, lambda: rows.find(subject.kind, subject.text, progress))

    def forget_matches(self, subject: Subject) -> None:
        """Drop cached matches after a source's problems have changed."""
        for key in [key for key in self._matches if key[0] == subject.reading_id]:
            self._matches.pop(key, None)

    def pairs(self, subject: Subject) -> PreferenceReport | None:
        """Length and position bias of preference rows; None for other types."""
        rows = self.rows(subject)
        if rows.type != "preference":
            return None
        if not subject.dataset_id:
            return self.held(subject).reading.preference()
        key = (subject.dataset_id, subject.split)
        return _kept(self._pairs, key, lambda: preference_report(iter(rows.trainable())))

    def forget(self, dataset_id: str) -> None:
        """Close a dataset that was deleted."""
        for key in [key for key in self._rows if key[0] == dataset_id]:
            self._rows.pop(key, None)


def _kept(store: OrderedDict[Key, Value], key: Key, make: Callable[[], Value]) -> Value:
    value = store.get(key)
    if value is None:
        value = make()
        store[key] = value
        while len(store) > _KEPT_ANSWERS:
            store.popitem(last=False)
    return value
