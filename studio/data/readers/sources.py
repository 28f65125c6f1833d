"""Where rows come from: a file, files, a folder of shards, a shipped sample, or a Hub id."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from studio.core.errors import DataError, did_you_mean
from studio.core.workspace import PRESETS
from studio.data.readers.chunks import Chunking
from studio.data.readers.encodings import DOCUMENTS, READ, data_suffix
from studio.data.readers.files import read_files
from studio.data.readers.legacy_encodings import checked_encoding
from studio.data.types import Notes, RawRow

SAMPLES: dict[str, str] = {
    "pocket-sft": "Questions and answers about the pocket model's world, for SFT",
    "pocket-preference": (
        "Pairs with a visible taste: courteous and short over curt or rambling, for DPO"
    ),
    "pocket-questions": "Held-out questions with answers that a rule can check",
    "pocket-prompts": "Prompts to compare two models on",
}
"""Shipped datasets by alias, each with a line that says what it is."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_BOOKKEEPING = {"dataset_info.json", "dataset_infos.json", "state.json", "dataset_dict.json"}

Source = str | os.PathLike[str] | list | tuple


@dataclass(frozen=True)
class Located:
    """A source found: its files, or the Hub id to load; `name` is what a person calls it."""

    name: str
    files: tuple[Path, ...] = ()
    hub: str | None = None
    config: str | None = None
    split: str | None = None
    token: str | None = None
    chunks: Chunking | None = None
    encoding: str | None = None

    def rows(self, note: Notes) -> Iterator[RawRow]:
        """All rows as a stream."""
        if self.hub is None:
            for path in self.files:
                note.expect(path.stat().st_size)
            note.encoding = self.encoding
            return read_files(self.files, note, self.chunks)
        from studio.data.readers.hub_datasets import read_hub

        return read_hub(
            self.hub, self.config, self.split, self.token, note, self.origin.get("revision")
        )

    def size(self) -> int:
        """Bytes of its files, as far as they are known."""
        if self.hub is None:
            return sum(path.stat().st_size for path in self.files)
        if self.config or self.split:
            return 0  # a part of the files, and nobody says which
        from studio.data.readers.hub_datasets import size

        return size(self.hub, self.token, self.origin.get("revision"))

    @functools.cached_property
    def origin(self) -> dict[str, str]:
        """`revision` and `license`, as far as the source states them; rows are read at that."""
        if self.hub is None:
            return {"license": "apache-2.0"} if self.name in SAMPLES else {}
        from studio.data.readers.hub_datasets import origin

        return origin(self.hub, self.token)


def sample_path(alias: str) -> Path:
    """The file behind a shipped sample's alias."""
    return PRESETS / "pocket" / "data" / f"{alias.removeprefix('pocket-')}.jsonl"


def looks_like_source(name: str) -> bool:
    """Whether a word is a sample, a path or an owner/name on the Hub, not a dataset's own name."""
    if name in SAMPLES or _path_like(name, name):
        return True
    return "/" in name and _HUB_ID.fullmatch(name) is not None


def locate(
    source: Source,
    *,
    config: str | None = None,
    split: str | None = None,
    token: str | None = None,
    encoding: str | None = None,
) -> Located:
    """Find what `source` names.

    An alias of `SAMPLES`; something path-like (starts with `.`, `/`, `~`, or ends in a data
    suffix); otherwise a Hub id. A bare word is never silently read as a local folder. `encoding`:
    of text files that are not UTF-8.
    """
    if encoding is not None:
        checked_encoding(encoding)
        found = locate(source, config=config, split=split, token=token)
        return replace(found, encoding=encoding)
    if isinstance(source, list | tuple):
        return _several(list(source))
    text = os.fspath(source).strip()
    if not text or "\0" in text:
        raise DataError("No source was given. Name a file, a folder, a sample or a Hub id.")
    if text in SAMPLES:
        return _sample(text)
    if _path_like(source, text):
        path = Path(text).expanduser()
        return Located(path.name or str(path), _files_at(path))
    if not _HUB_ID.fullmatch(text) or ".." in text or "--" in text:
        raise DataError(
            f'"{text}" is neither a file nor a Hub id. A Hub id reads owner/name; '
            f"start a local path with ./ or /.{did_you_mean(text, SAMPLES)}"
        )
    return Located(text, hub=text, config=config, split=split, token=token)


def _several(sources: list) -> Located:
    if not sources:
        raise DataError("No files were given. Name at least one.")
    if len(sources) == 1:
        return locate(sources[0])
    files = [file for source in sources for file in _files_at(Path(os.fspath(source)).expanduser())]
    first = Path(os.fspath(sources[0])).name
    return Located(f"{first} and {len(sources) - 1} more", tuple(dict.fromkeys(files)))


def _sample(alias: str) -> Located:
    path = sample_path(alias)
    if not path.is_file():
        raise DataError(
            f'The shipped sample "{alias}" is missing ({path.name}). Reinstall the project.'
        )
    return Located(alias, (path,))


def _path_like(source: object, text: str) -> bool:
    if isinstance(source, os.PathLike) or text.startswith((".", "/", "~")):
        return True
    return "://" not in text and data_suffix(Path(text)) is not None


def _files_at(path: Path) -> tuple[Path, ...]:
    try:
        if path.is_dir():
            return _shards(path)
        if path.exists():
            if not path.is_file():
                raise DataError(f"{path} is not a regular file.")
            return (path,)
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror}.") from error
    near = did_you_mean(path.name, _names_beside(path))
    raise DataError(f"There is no file {path}. Check the path.{near}")


def _shards(folder: Path) -> tuple[Path, ...]:
    found = sorted(
        file
        for file in folder.rglob("*")
        if file.is_file()
        and data_suffix(file)
        and file.name not in _BOOKKEEPING
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    if not found:
        raise DataError(f"The folder {folder} holds no data files. It should hold {READ}.")
    rows = [file for file in found if data_suffix(file) not in DOCUMENTS]
    return tuple(rows or found)  # beside rows a text is a README


def _names_beside(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.parent.iterdir()][:1000]
    except OSError:
        return []
