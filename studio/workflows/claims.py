"""A claim checked: a run beside those that were trained without the rows behind an answer.

`why` says which rows pulled a model towards an answer; a run without them shows whether it was so,
by the answer's loss and by a blind duel of the two on the held-out prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.attribution import Asked
from studio.core.errors import ConfigError
from studio.core.messages import Message, prompt_and_references
from studio.training.train_dataset import datasets_of
from studio.workflows import why
from studio.workflows.rounds import Duel, duels_of, make_duel

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.labels.types import Project
    from studio.runs.store import Run

MOST = 3
"""Runs without rows that are shown, the newest ones."""
PROMPTS = 60
"""Prompts of a duel at most."""


@dataclass(frozen=True)
class Check:
    """A run that was trained without `rows` rows of another: the answer's loss in nats a token,
    and the duel in which the two met (seen from this run), if any."""

    run: Run
    rows: int
    loss: float
    duel: Duel | None


def runs_without(studio: Studio, run: Run) -> list[Run]:
    """Finished runs of the same recipe without some of a run's rows, newest first."""
    return [
        one
        for one in studio.runs.list()
        if one.provenance.get("without", {}).get("run") == run.id and one.state == "finished"
    ][:MOST]


def checks(studio: Studio, run: Run, asked: Asked) -> tuple[float | None, list[Check]]:
    """The answer's loss under a run, and under each run without some of its rows.

    The loss is None where there is nothing to compare it with.
    """
    others = runs_without(studio, run)
    if not others:
        return None, []
    own, *losses = why.losses(studio, asked, [run, *others])
    return own, [
        Check(one, int(one.provenance["without"]["rows"]), loss, _met(studio, one, run))
        for one, loss in zip(others, losses, strict=True)
    ]


def _met(studio: Studio, one: Run, other: Run) -> Duel | None:
    met = [duel for duel in duels_of(studio, one) if duel.opponent == other.id]
    return max(met, key=lambda duel: duel.rate.judged if duel.rate else 0, default=None)


def duel(studio: Studio, made: Run, count: int = PROMPTS) -> tuple[Project, int]:
    """A blind project of a run without rows against the one with them, on held-out prompts.

    As `rounds.make_duel`. Raises a `ConfigError` where no rows were held out.
    """
    run = studio.runs.get(made.provenance["without"]["run"])
    prompts = held_out_prompts(studio, run)[:count]
    if not prompts:
        raise ConfigError(
            f"{run.name} held no prompts out; generate pairs of the two in Label, New project."
        )
    return make_duel(studio, made, run, prompts)


def held_out_prompts(studio: Studio, run: Run) -> Sequence[list[Message]]:
    """What a run's held-out rows ask, each prompt once."""
    found: dict[str, list[Message]] = {}
    for dataset in datasets_of(run.recipe, run, studio.datasets):
        if not dataset.rows.get("test"):
            continue
        for row in dataset.head(dataset.rows["test"], "test"):
            asked = prompt_and_references(row)
            if asked is not None:
                found.setdefault(repr(asked[0]), asked[0])
    return list(found.values())
