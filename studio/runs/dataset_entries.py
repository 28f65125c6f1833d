"""The entries of a recipe's `datasets`, and how they are written.

The names are those of TRL's `DatasetConfig`, and `fraction` means what it means there: the share of
a dataset in the mixture's rows (https://huggingface.co/docs/trl/script_utils).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from studio.core.errors import did_you_mean

REPLAY_FRACTION = 0.1
"""Share of a general dataset that is mixed in against forgetting."""
FIELDS = frozenset({"dataset_name", "datasets"})
"""The recipe's fields that say which rows it trains on."""
_WITH_FRACTION = re.compile(r"(?P<path>.+):(?P<fraction>[0-9]*\.?[0-9]+(?:e-?[0-9]+)?)")
_OTHER_NAMES = ("data_dir", "data_files", "columns")


class DatasetEntry(BaseModel):
    """One dataset of a mixture, by TRL's names. `path` is a prepared dataset, a bundled sample, a
    file, or a Hub id; `name` and `split` are a Hub dataset's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1)
    name: str | None = None
    split: str | None = None
    fraction: float | None = Field(None, gt=0)

    def __str__(self) -> str:
        """`path:fraction`, or a JSON object where there is more to say: `parse` reads both."""
        plain = self.model_dump(exclude_none=True)
        if self.name or self.split or _WITH_FRACTION.fullmatch(self.path):
            return json.dumps(plain, ensure_ascii=False)
        return self.path if self.fraction is None else f"{self.path}:{self.fraction:g}"


def parse(value: object) -> object:
    """`datasets` as a recipe stores it: a tuple of mappings, for pydantic to validate.

    Takes a list of mappings and texts such as `mine` and `general:0.1`, or one text with `;`
    between them. Where exactly one has no fraction, it takes the share the others leave.

    Raises `ValueError`, in words, for a key that TRL has and the studio does not, or does not know.
    """
    if isinstance(value, str):
        value = [part.strip() for part in value.split(";") if part.strip()]
    if isinstance(value, Mapping):
        value = [cast(object, value)]
    if not isinstance(value, list | tuple):
        return value
    return tuple(_rest([_entry(one) for one in cast(Sequence[object], value)]))


def _entry(given: object) -> dict[str, Any]:
    if isinstance(given, DatasetEntry):
        return given.model_dump()
    if isinstance(given, str):
        return _from_text(given)
    if not isinstance(given, Mapping):
        raise ValueError("give each dataset as path: ..., with a fraction where it is weighted")
    entry = dict(cast(Mapping[str, Any], given))
    for key in entry:
        if key in _OTHER_NAMES:
            raise ValueError(
                f"{key} is not read here: name the file itself as path, or prepare it in Data first"
            )
        if key not in DatasetEntry.model_fields:
            hint = did_you_mean(str(key), DatasetEntry.model_fields)
            raise ValueError(f"a dataset of a mixture has no {key!r}.{hint}".removesuffix("."))
    return entry


def _from_text(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        try:
            return _entry(json.loads(text))
        except json.JSONDecodeError:
            raise ValueError(f"{text!r} is not a JSON object") from None
    found = _WITH_FRACTION.fullmatch(text)
    if found is None:
        return {"path": text}
    return {"path": found["path"], "fraction": float(found["fraction"])}


def _rest(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the one entry without a fraction what the others leave of 1."""
    without = [entry for entry in entries if entry.get("fraction") is None]
    if len(without) != 1 or len(entries) == 1:
        return entries
    given = [entry["fraction"] for entry in entries if entry is not without[0]]
    if not all(isinstance(one, int | float) for one in given) or sum(given) >= 1:
        return entries
    without[0]["fraction"] = round(1 - sum(given), 6)
    return entries


def named(datasets: Sequence[str] | None) -> dict[str, Any]:
    """Recipe values for datasets given one by one, as in the shell: `dataset_name` for one."""
    if not datasets:
        return {}
    if len(datasets) == 1:
        return {"dataset_name": datasets[0], "datasets": ()}
    return {"datasets": tuple(datasets)}


def with_first(values: dict[str, Any]) -> dict[str, Any]:
    """A recipe's values with the first of its datasets as `dataset_name`, where none is given."""
    if not values.get("datasets") or "dataset_name" in values:
        return values
    try:
        parsed = parse(values["datasets"])
    except ValueError:
        return values  # pydantic says what is wrong with it
    entries = cast(Sequence[Mapping[str, Any]], parsed if isinstance(parsed, tuple) else ())
    path = entries[0].get("path") if entries else None
    return {**values, "dataset_name": path} if path else values


def label(names: Sequence[str]) -> str:
    """A mixture's name from those of its datasets: `mine + general`."""
    short = [PureWindowsPath(name).name for name in names]
    return " + ".join(short) if len(short) <= 3 else f"{short[0]} + {len(short) - 1} more"
