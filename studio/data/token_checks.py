"""What a model's tokenizer says of the rows: too long, cut, taught nothing, sides made equal.

Counted with `studio.data.rendering`, which asks the trainers themselves, so that the figures are
those of the run. That takes ten milliseconds a row and more; `at_most` rows, evenly spread, are
enough to judge a large set by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.data.problems import MAX_LISTED
from studio.data.reading import Reading
from studio.data.rendering import TokenView, render
from studio.data.types import Problem, Progress
from studio.errors import ConfigError, ModelError


@dataclass
class TokenReport:
    """Counts over the rows looked at; `problems` name the rows.

    `lengths` are tokens a sequence (two a pair), before truncation; `rows` of `of` were looked at.
    """

    max_length: int | None
    of: int
    rows: int = 0
    lengths: list[int] = field(default_factory=list)
    tokens: int = 0
    trained: int = 0
    cut: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: str, message: str, row: int, file: str | None) -> None:
        """One row's problem."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= MAX_LISTED:
            self.problems.append(Problem(row, kind, message, file, None, "warning"))


def check_tokens(
    reading: Reading,
    tokenizer: Any,
    *,
    max_length: int | None,
    completion_only_loss: bool | None = None,
    assistant_only_loss: bool = False,
    at_most: int | None = 500,
    progress: Progress | None = None,
) -> TokenReport:
    """Look at a reading's good rows through a tokenizer.

    Kinds of problem: `over_length` (tokens cut by `max_length`), `nothing_trained` (no token with
    a loss is left), `equal_after_truncation`, `template_refuses`. Raises `ConfigError` for types
    that are not trained on, `ModelError` where no row can be rendered at all.
    """
    if max_length is not None and max_length < 1:
        raise ConfigError(f"max_length is {max_length}; it is a number of tokens from 1 on.")
    chosen = _spread(reading.kept, at_most)
    report = TokenReport(max_length, reading.kept)
    how = {
        "max_length": max_length,
        "completion_only_loss": completion_only_loss,
        "assistant_only_loss": assistant_only_loss,
    }
    refused: ModelError | None = None
    for done, at in enumerate(chosen):
        if progress and done % 50 == 0:
            progress(done, len(chosen), "Counting tokens")
        file, number = reading.place(at)
        try:
            views = render(reading.row(at), reading.stream.format.type, tokenizer, **how)
        except ModelError as error:
            refused = error
            report.add("template_refuses", str(error), number, file)
            continue
        report.rows += 1
        _count(report, views, number, file)
    if refused and not report.rows:
        raise refused
    return report


def _spread(count: int, at_most: int | None) -> Sequence[int]:
    if at_most is None or count <= at_most:
        return range(count)
    return [at * count // at_most for at in range(at_most)]


def _count(report: TokenReport, views: list[TokenView], number: int, file: str) -> None:
    for view in views:
        report.lengths.append(view.total)
        report.tokens += view.total
        report.trained += view.trained
        report.cut += view.total - view.kept
    long = max(views, key=lambda view: view.total)
    if long.total > long.kept:
        side = "" if long.side == "text" else f" ({long.side})"
        message = (
            f"{long.total:,} tokens{side}: the last {long.total - long.kept:,} are cut at "
            f"{long.kept:,}."
        )
        report.add("over_length", message, number, file)
    if any(view.trained == 0 for view in views):
        message = "No trained token is left: the row teaches nothing. Raise max_length."
        if long.total == long.kept:
            message = "No token of the row is trained: it teaches nothing."
        report.add("nothing_trained", message, number, file)
    if len(views) == 2 and long.total > long.kept:
        one, other = ([token.id for token in view.tokens[: view.kept]] for view in views)
        if one == other:
            message = "Chosen and rejected are the same after truncation. Raise max_length."
            report.add("equal_after_truncation", message, number, file)
