"""What can go wrong, as sentences the user can act on.

    StudioError(Exception)
    ├── DataError(ValueError)        a file, row, field or dataset
    ├── ConfigError(ValueError)      a recipe, a setting, an argument
    ├── ModelError(RuntimeError)     a model, tokenizer, template or adapter
    ├── TrainingError(RuntimeError)  a run that cannot start or continue
    ├── WorkspaceError(OSError)      the disk, a path, a lock
    └── Cancelled(RuntimeError)      the user pressed stop

Every message says what is wrong, where, and what to do; page and shell show it unchanged.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StudioError(Exception):
    """Root of everything the studio raises on purpose; `str(error)` can be shown to the user."""

    def __str__(self) -> str:
        return " ".join(str(part) for part in self.args)


class DataError(StudioError, ValueError):
    """A source, file, row or field that cannot be used."""


class ConfigError(StudioError, ValueError):
    """A recipe key, a setting or an argument that cannot be used."""


class ModelError(StudioError, RuntimeError):
    """A model, tokenizer, chat template or adapter that cannot be used."""


class TrainingError(StudioError, RuntimeError):
    """A run that cannot start, or could not continue."""


class WorkspaceError(StudioError, OSError):
    """The workspace folder cannot be read or written."""


class Cancelled(StudioError, RuntimeError):
    """The user asked for this work to stop."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """` Did you mean "x"?` with the closest known name; empty when none is close."""
    near = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""
