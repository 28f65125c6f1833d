"""Rounds: a model writes pairs, people vote, DPO learns from the votes, and new meets old blind.

    votes_dataset(studio, project)           votes -> a preference dataset that names its source
    make_duel(studio, run, opponent, ...)    a blind project: new against old on held-out prompts
    lineages(studio)                         the rounds of this workspace

Nothing is stored here: a round is derived from a run, its parent, the project behind its rows, and
the projects in which the two met.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError, DataError, StudioError
from studio.core.formatting import percent_range, percent_text, plural
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
    """A project's votes as a prepared dataset whose provenance says which votes they are.

    Raises `DataError` where no vote makes a row yet.
    """
    project = studio.labels.get(project_id)
    export = studio.labels.export(project.id, format, rule)
    if not export.rows:
        raise DataError(
            f"{project.name} has no pair to train on yet: prefer an answer in one pair first."
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

    Left out are prompts that either lineage was trained on (see `trained_prompts`). The pairs are
    written in the background; `more` goes to `create_project`. Raises `DataError` where no prompt
    is left.
    """
    new = held_out(studio, [run, *([opponent] if opponent else [])], prompts)
    old = Column(run.model, label="base")
    if opponent is not None:
        old = Column(opponent.model, opponent.id, opponent.name)
    columns = (old, Column(run.model, run.id, run.name))
    plan = PairPlan("", columns, new, sampling or Sampling(), ahead=10**9)
    name = f"{run.name} or {old.label}"[:110]
    provenance = {"duel": {"new": run.id, "old": old.run}}
    more = {"question": DUEL_QUESTION, "provenance": provenance} | more
    return studio.pairs.make_project(plan, name, **more), len(prompts) - len(new)


def held_out(
    studio: Studio, runs: Sequence[Run], prompts: Sequence[list[Message]]
) -> list[list[Message]]:
    """The prompts that no run's lineage was trained on; `DataError` where none is left."""
    seen = set().union(*(trained_prompts(studio, run) for run in runs))
    left = [prompt for prompt in prompts if _key(prompt) not in seen]
    if not left:
        names = " or ".join(run.name for run in runs)
        raise DataError(
            f"{names} was trained on votes about every one of these prompts; choose others."
        )
    return left


def trained_prompts(studio: Studio, run: Run) -> set[str]:
    """Keys (`_key`) of every prompt in the projects whose votes a run or its ancestors trained on.

    Prompts without a vote count too. Prompts of a deleted project are not known any more, and the
    rows of a dataset that was not made from votes are not looked at.
    """
    seen: set[str] = set()
    while True:
        project_id = _project_behind(run)
        if project_id:
            with contextlib.suppress(DataError):  # the project was deleted
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

    `rate` is seen from the run, over held-out prompts only; None before the first vote. `share` is
    the win rate with ties as half over the same prompts and the `even` ones, whose answers were
    identical so that nobody was asked about them; its 95 % interval is over prompts.
    """

    project: str
    name: str
    items: int
    opponent: str | None  # a run's id, None for the base
    rate: WinRate | None
    share: Interval | None = None
    even: int = 0
    trained_on: int = 0  # items left out: either lineage was trained on their prompts


@dataclass(frozen=True)
class Round:
    """A run trained on votes, the account of these votes, and its duels since."""

    number: int
    run: Run
    votes: dict[str, Any]
    duels: list[Duel] = field(default_factory=list)

    def against(self, opponent: str | None) -> Duel | None:
        """The duel with that opponent that has the most decided items; None if they never met."""
        met = [duel for duel in self.duels if duel.opponent == opponent]
        return max(met, key=lambda duel: duel.rate.judged if duel.rate else 0, default=None)


@dataclass(frozen=True)
class Lineage:
    """The rounds from one start (None: the base), oldest first."""

    start: Run | None
    rounds: list[Round]


def lineages(studio: Studio) -> list[Lineage]:
    """Every chain of runs trained on votes, newest first; a fork begins another chain."""
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


def duel_text(met: Duel | None, none: str = "no duel with the previous model yet") -> str:
    """`win rate 63 % (55 to 71 %): 12 won, 1 lost ...`, or that there is no duel or no vote yet."""
    if met is None:
        return none
    rate = met.rate
    if rate is None or not rate.judged:
        return f"duel without votes yet, {plural(met.items, 'pair')}"
    share = met.share
    if share is None:
        return "duel without votes yet"
    even = f", {met.even} identical" if met.even else ""
    won = f"{rate.wins} won, {rate.losses} lost, {rate.ties + rate.both_bad} tied{even}"
    between = percent_range(share.low, share.high)
    return f"win rate {percent_text(share.value)} ({between}): {won}"


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
    made, own = [], trained_prompts(studio, run)
    for project, first, second in met:
        if run.id not in (first, second):
            continue
        opponent = second if first == run.id else first
        seen = set(own)
        if opponent is not None:
            with contextlib.suppress(StudioError):  # the opponent was deleted
                seen |= trained_prompts(studio, studio.runs.get(opponent))
        judged = list(studio.labels.labelled_pairs(project.id))
        held_out = [item for item in judged if _key(item.prompt) not in seen]
        rate = _seen_from(run, held_out)
        known, even = len(judged) - len(held_out), _even(studio, project)
        share = _share(rate, even)
        made.append(Duel(project.id, project.name, len(judged), opponent, rate, share, even, known))
    return made


def _even(studio: Studio, project: Project) -> int:
    """Prompts with identical answers, where the pairs were generated here."""
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
    # All prompts had the same outcome, so every bootstrap sample has; Wilson's interval still
    # depends on how few they are.
    low, high = wilson_interval(share.value * share.count, share.count)
    return replace(share, low=low, high=high)


def _seen_from(run: Run, judged: list[JudgedItem]) -> WinRate | None:
    """The win rate of a run's answers against the other side, whatever their labels are."""

    def side(source: Mapping[str, Any]) -> dict[str, Any]:
        return {"label": "new" if source.get("run") == run.id else "old"}

    relabeled = (replace(i, source_a=side(i.source_a), source_b=side(i.source_b)) for i in judged)
    rate = next(iter(tally(relabeled)), None)
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
        raise ConfigError(f"{run.name} has no weights to answer with; it is {run.state}.")
    return run
