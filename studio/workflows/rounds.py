"""Rounds: a model writes pairs, people judge them, DPO learns from that, the new meets the old.

    votes_dataset(studio, project)           votes -> a preference dataset that says whose
    make_duel(studio, run, opponent, ...)    a blind project: new against old on held-out prompts
    lineages(studio)                         what the workspace holds of it, as rounds

Nothing here is stored: a round is read from a run, its parent, the project behind its rows, and the
projects in which the two have met.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError, DataError, StudioError
from studio.core.messages import Message
from studio.generation.request import Column, Sampling
from studio.labels.aggregation import Rule
from studio.labels.pair_filter import source_run
from studio.labels.pair_generation import PairPlan
from studio.labels.types import JudgedItem, Project
from studio.labels.win_rates import WinRate, tally
from studio.metrics.proportions import wilson_interval

if TYPE_CHECKING:
    from studio.data import PreparedDataset
    from studio.engine.studio import Studio
    from studio.metrics.bootstrap import Interval
    from studio.runs.store import Run

DUEL_QUESTION = "Which answer would you rather get?"


# ---- votes -> data -> run ------------------------------------------------------------------------


def votes_dataset(
    studio: Studio, project_id: str, format: str = "dpo", rule: Rule | None = None
) -> PreparedDataset:
    """A project's votes as a dataset of the studio's own, with an account of which votes they are.

    Raises `DataError` when no vote makes a row yet.
    """
    project = studio.labels.get(project_id)
    export = studio.labels.export(project.id, format, rule)
    if not export.rows:
        raise DataError(
            f"{project.name} has no pair to train on yet: judge at least one better than the other."
        )
    judged = list(studio.labels.labelled_pairs(project.id))
    votes = [vote for item in judged for vote in item.votes]
    provenance = {
        "made_by": "labels",
        "project": project.id,
        "project_name": project.name,
        "project_provenance": project.provenance,
        "votes": export.summary.as_dict()
        | {"count": len(votes), "people": len({vote.annotator for vote in votes})}
        | {"newest": max(vote.vote_id for vote in votes)},
        "run": source_run(judged),
    }
    return studio.datasets.from_rows(
        export.rows, type=export.type, name=f"{project.name} votes", provenance=provenance
    )


# ---- a duel --------------------------------------------------------------------------------------


def make_duel(
    studio: Studio,
    run: Run,
    opponent: Run | None,
    prompts: Sequence[list[Message]],
    sampling: Sampling | None = None,
    **more: Any,
) -> tuple[Project, int]:
    """A blind project of a run against another (None: its base), and how many prompts are left out.

    Prompts that the run's own lineage was judged on are left out: the duel is on held-out ones.
    The pairs are written in the background. Raises `DataError` where no prompt is left.
    """
    new = held_out(studio, [run], prompts)
    old = Column(run.model, label="base")
    if opponent is not None:
        old = Column(run.model, opponent.id, opponent.name)
    columns = (old, Column(run.model, run.id, run.name))
    plan = PairPlan("", columns, new, sampling or Sampling(), ahead=10**9)
    name = f"{run.name} or {old.label}"[:110]
    provenance = {"duel": {"new": run.id, "old": old.run}}
    more = {"question": DUEL_QUESTION, "provenance": provenance} | more
    return studio.pairs.make_project(plan, name, **more), len(prompts) - len(new)


def held_out(
    studio: Studio, runs: Sequence[Run], prompts: Sequence[list[Message]]
) -> list[list[Message]]:
    """Prompts that none of the runs' lineages was judged on; `DataError` where none is left."""
    seen = set().union(*(trained_prompts(studio, run) for run in runs))
    left = [prompt for prompt in prompts if _key(prompt) not in seen]
    if not left:
        names = " or ".join(run.name for run in runs)
        raise DataError(
            f"{names} has learned from answers to every one of these prompts; choose others."
        )
    return left


def trained_prompts(studio: Studio, run: Run) -> set[str]:
    """Digests of all prompts on which a run, or a run before it, was trained by votes."""
    seen: set[str] = set()
    while True:
        project_id = _project_behind(run)
        if project_id:
            with contextlib.suppress(DataError):  # the project is gone, and its prompts with it
                seen |= {_key(item.prompt) for item in studio.labels.labelled_pairs(project_id)}
        if run.parent is None:
            return seen
        try:
            run = studio.runs.get(run.parent)
        except StudioError:
            return seen


# ---- what there is -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Duel:
    """A project in which a run met another.

    `rate` is seen from the run and over held-out prompts only, None before any verdict. `share` is
    its win rate with ties as half, over all held-out prompts, those with identical answers too
    (`even` of them: nobody is asked about these); its interval is over prompts.
    """

    project: str
    name: str
    items: int
    opponent: str | None  # a run's id, None for the base
    rate: WinRate | None
    share: Interval | None = None
    even: int = 0
    trained_on: int = 0  # items of it left out: the run was trained on their prompts


@dataclass(frozen=True)
class Round:
    """A run that learned from votes: whose answers were judged, how, and how it fared since."""

    number: int
    run: Run
    votes: dict[str, Any]
    duels: list[Duel] = field(default_factory=list)

    def against(self, opponent: str | None) -> Duel | None:
        """The duel with that opponent that has the most verdicts, None where they never met."""
        met = [duel for duel in self.duels if duel.opponent == opponent]
        return max(met, key=lambda duel: duel.rate.judged if duel.rate else 0, default=None)


@dataclass(frozen=True)
class Lineage:
    """A model and the rounds it went through, oldest first; `start` may be the base (None)."""

    start: Run | None
    rounds: list[Round]


def lineages(studio: Studio) -> list[Lineage]:
    """Every chain of runs that learned from votes, newest first; a fork begins another chain."""
    runs = {run.id: run for run in studio.runs.list()}
    taught = {run.id: run for run in runs.values() if _project_behind(run)}
    met = _meetings(studio)
    parents = {run.parent for run in taught.values()}
    chains = []
    for run in taught.values():  # newest first
        if run.id in parents:
            continue
        chain = [run]
        while (before := taught.get(chain[0].parent or "")) is not None:
            chain.insert(0, before)
        rounds = [
            Round(number, each, each.data["votes"], _duels(studio, each, met))
            for number, each in enumerate(chain, 1)
        ]
        chains.append(Lineage(runs.get(chain[0].parent or ""), rounds))
    return chains


def duels_of(studio: Studio, run: Run) -> list[Duel]:
    """Every project in which a run met another model, seen from the run."""
    return _duels(studio, run, _meetings(studio))


def _meetings(studio: Studio) -> list[tuple[Project, str | None, str | None]]:
    """Projects in which two models met, with the runs (None: a base) on either side."""
    projects = {project.id: project for project in studio.labels.projects()}
    found = []
    for project_id, first, second in studio.labels.sides():
        if first.get("run") != second.get("run"):
            found.append((projects[project_id], first.get("run"), second.get("run")))
    return found


def _duels(
    studio: Studio, run: Run, met: list[tuple[Project, str | None, str | None]]
) -> list[Duel]:
    made, seen = [], trained_prompts(studio, run)
    for project, first, second in met:
        if run.id not in (first, second):
            continue
        judged = list(studio.labels.labelled_pairs(project.id))
        held_out = [item for item in judged if _key(item.prompt) not in seen]
        opponent = second if first == run.id else first
        rate = _seen_from(run, held_out)
        known, even = len(judged) - len(held_out), _even(studio, project)
        share = _share(rate, even)
        made.append(Duel(project.id, project.name, len(judged), opponent, rate, share, even, known))
    return made


def _even(studio: Studio, project: Project) -> int:
    """Prompts to which both wrote the same, as far as the pairs were written here."""
    plan = studio.pairs.plan(project.id)
    aside = plan.set_aside if plan else {}
    return aside.get("identical", 0) + aside.get("near-identical", 0)


def _share(rate: WinRate | None, even: int) -> Interval | None:
    if rate is None:
        return None
    from studio.metrics.bootstrap import bootstrap_mean

    half = rate.ties + rate.both_bad + even
    share = bootstrap_mean([*[[1.0]] * rate.wins, *[[0.5]] * half, *[[0.0]] * rate.losses])
    if share is None or share.low < share.high:
        return share
    # All prompts went alike: however they are drawn, the share is the same. Wilson's interval knows
    # how few they are.
    low, high = wilson_interval(share.value * share.count, share.count)
    return replace(share, low=low, high=high)


def _seen_from(run: Run, judged: list[JudgedItem]) -> WinRate | None:
    """The win rate of a run's answers against all others, whatever their labels."""

    def side(source: Mapping[str, Any]) -> dict[str, Any]:
        return {"label": "new" if source.get("run") == run.id else "old"}

    told = (replace(i, source_a=side(i.source_a), source_b=side(i.source_b)) for i in judged)
    rate = next(iter(tally(told)), None)
    return rate.swap() if rate and rate.a == "old" else rate


def _project_behind(run: Run) -> str | None:
    votes = run.data.get("votes")
    return votes.get("project") if isinstance(votes, dict) else None


def _key(prompt: Sequence[Message]) -> str:
    return json.dumps([[turn["role"], " ".join(turn["content"].split())] for turn in prompt])


def require_run(studio: Studio, name: str) -> Run:
    """A finished run by id or name, `ConfigError` for one without weights."""
    run = studio.runs.get(name)
    if run.adapter is None and run.weights is None:
        raise ConfigError(f"{run.name} left no weights to answer with; it is {run.state}.")
    return run
