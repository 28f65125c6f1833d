"""Token problems of rows: truncated, nothing trained, answers identical after truncation.

Based on the sequences the trainer would build (`studio.data.tokens.token_lengths`), so the rows
listed are those of the run; another max length needs no second count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from studio.core.errors import ConfigError
from studio.core.library_types import Tokenizer
from studio.data.prepared.browse import ReadRows
from studio.data.prepared.reading import SourceReading
from studio.data.tokens.token_lengths import Lengths, measure
from studio.data.types import Problem, Progress

KINDS = (
    *("over_length", "nothing_trained", "equal_after_truncation"),
    *("template_refuses", "template_changes"),
)


def check_tokens(
    reading: SourceReading,
    tokenizer: Tokenizer,
    *,
    max_length: int | None,
    progress: Progress | None = None,
    **how: Any,
) -> Lengths:
    """Count a reading's good rows through a tokenizer, and add what is wrong to its problems.

    `how` goes to `measure` (masks, `most` rows). Kinds of problem: `over_length` (tokens cut by
    `max_length`), `nothing_trained` (no token with a loss is left), `equal_after_truncation`,
    `template_refuses`, `template_changes` (a turn is written differently once others follow).
    Raises `ConfigError` for types that are not rendered, `ModelError` where no row can be rendered
    at all.
    """
    if max_length is not None and max_length < 1:
        raise ConfigError(f"max_length is {max_length}; set it to 1 or more tokens.")
    rows = ReadRows(reading)
    found = measure(rows.trainable(), rows.type, tokenizer, progress=progress, **how)
    tell(reading, found, max_length)
    return found


def tell(reading: SourceReading, found: Lengths, max_length: int | None) -> None:
    """Replace the token problems of a reading by those at another max length."""
    reading.tell(KINDS, token_problems(reading, found, max_length))


def token_problems(
    reading: SourceReading, found: Lengths, max_length: int | None
) -> Iterator[Problem]:
    """Every problem of counted rows of `reading` at a limit, by file and row."""
    for at, why in found.refusals.items():
        file, number = reading.place(at)
        yield Problem(number, "template_refuses", why, file, None, "warning")
    for at, why in found.changed.items():
        file, number = reading.place(at)
        yield Problem(number, "template_changes", why, file, None, "warning")
    limit = max_length or int(found.size.max(initial=1))
    longest, longer = found.longest, found.longer
    silent = set(found.silent_rows(limit).tolist()) if found.learns else set()
    for row in np.flatnonzero((longest > limit) | np.isin(np.arange(len(longest)), list(silent))):
        file, number = reading.place(int(found.at_row[row]))
        over = int(longest[row]) - limit
        if over > 0:
            side = f" ({longer[row]})" if longer[row] else ""
            message = (
                f"{longest[row]:,} tokens{side}: the last {over:,} are truncated at {limit:,}."
            )
            yield Problem(number, "over_length", message, file, None, "warning")
        if row in silent:
            message = "No trained token is left after truncation. Raise max_length."
            if over <= 0:
                message = "No token of the row is trained."
            yield Problem(number, "nothing_trained", message, file, None, "warning")
        if over > 0 and found.apart[row] >= limit:
            message = "Chosen and rejected are identical after truncation. Raise max_length."
            yield Problem(number, "equal_after_truncation", message, file, None, "warning")
