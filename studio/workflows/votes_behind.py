"""Whose votes stand behind a preference: the rows that `why` found, with the people behind each.

While a project still takes votes its people are numbered, not named: whoever reads this may yet
vote, and should not know what the others chose.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.attribution import Asked
from studio.attribution.request import refusal
from studio.core.errors import DataError, StudioError
from studio.labels.types import UNDECIDED, JudgedItem
from studio.workflows.rounds import duels_of

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.labels import LabelStore, Project
    from studio.runs.store import Run

PAIRS = 60
"""Pairs of finished duels that are offered at most."""


@dataclass(frozen=True)
class Voters:
    """A project's people as they may be shown; `blind` while it still takes votes."""

    project: str
    name: str
    blind: bool
    shown: Mapping[str, str]


def is_blind(labels: LabelStore, project: Project) -> bool:
    """Whether somebody may still vote in a project: pairs are open, or one has pairs left."""
    people = labels.annotators().get(project.id, ())
    return labels.ready(project.id) > 0 or any(
        labels.progress(project.id, one).left > 0 for one in people
    )


def voters(labels: LabelStore, project_id: str) -> Voters:
    """How a project's people are called; in an order due to chance where they are numbered."""
    project = labels.get(project_id)
    people = sorted(labels.annotators().get(project.id, ()))
    blind = is_blind(labels, project)
    if blind:
        random.Random(project.seed).shuffle(people)
    shown = {one: f"annotator {at}" if blind else one for at, one in enumerate(people, 1)}
    return Voters(project.id, project.name, blind, shown)


def named(studio: Studio, found: dict[str, Any]) -> dict[str, Any]:
    """`why`'s report with the votes behind each row, and for each run of the chain `votes`: how
    many of the rows that stand out each person and each project stands behind.

    A row's `votes` get `project`, `blind` and `people`, each with `who` and whether the vote was
    `for` the row's answer (None for a tie). A project that was deleted leaves them out.
    """
    known = _Known(studio)
    learned = []
    for entry in found["learned"]:
        lists = ("for", "against", "behind")
        rows = {key: [known.row(row) for row in entry[key]] for key in lists if key in entry}
        learned.append({**entry, **rows, "votes": _counts(rows["for"], rows["against"])})
    return {**found, "learned": learned}


class _Known:
    """The projects behind datasets, and their items, each read once."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self._voters: dict[str, Voters | None] = {}
        self._items: dict[str, dict[int, JudgedItem]] = {}
        self._projects: dict[str, str | None] = {}

    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        votes, project = row.get("votes"), self._project(row["dataset_id"])
        if not votes or project is None:
            return row
        people = self._of(project)
        item = self._items.get(project, {}).get(int(votes["item"]))
        if people is None or item is None:
            return row
        behind = [
            {
                "who": people.shown.get(vote.annotator, "an owner"),
                "for": None if vote.choice not in ("a", "b") else vote.choice == side(row, item),
            }
            for vote in item.deciding
            if vote.choice not in UNDECIDED
        ]
        more = {"project": people.name, "project_id": project, "blind": people.blind}
        return {**row, "votes": {**votes, **more, "people": behind}}

    def _project(self, dataset: str) -> str | None:
        if dataset not in self._projects:
            made: Mapping[str, Any] = {}
            with contextlib.suppress(StudioError):
                made = self.studio.datasets.get(dataset).provenance
            project = made.get("project") if made.get("made_by") == "labels" else None
            self._projects[dataset] = project
        return self._projects[dataset]

    def _of(self, project: str) -> Voters | None:
        if project not in self._voters:
            try:
                self._voters[project] = voters(self.studio.labels, project)
            except DataError:  # deleted
                self._voters[project] = None
                return None
            items = self.studio.labels.labelled_pairs(project)
            self._items[project] = {item.item_id: item for item in items}
        return self._voters[project]


def side(row: Mapping[str, Any], item: JudgedItem) -> str | None:
    """Which of an item's answers a row was made of: `a`, `b`, or None where it is neither."""
    texts = {"a": item.answer_a.split(), "b": item.answer_b.split()}
    lost = str(row.get("rejected") or "").split()
    if lost:  # an edited answer is no longer the item's, but the rejected one is
        return next((other for one, other in (("a", "b"), ("b", "a")) if texts[one] == lost), None)
    said = str(row.get("answer") or "").split()
    return next((one for one, text in texts.items() if text == said), None)


def _counts(helped: Sequence[dict[str, Any]], harmed: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of the rows that stand out: how many each person's and each project's votes made."""
    people: dict[tuple[str, str], dict[str, Any]] = {}
    projects: dict[str, dict[str, Any]] = {}
    for key, rows in (("rows_for", helped), ("rows_against", harmed)):
        for row in rows:
            votes = row.get("votes") or {}
            if not row["stands_out"] or "project" not in votes:
                continue
            count = {"rows_for": 0, "rows_against": 0}
            whose = {"project": votes["project"], "blind": votes["blind"]}
            projects.setdefault(votes["project_id"], {**whose, **count})[key] += 1
            for who in dict.fromkeys(one["who"] for one in votes["people"] if one["for"]):
                person = {"who": who, "project": votes["project"], **count}
                people.setdefault((votes["project_id"], who), person)[key] += 1

    def most(one: Mapping[str, Any]) -> int:
        return -(one["rows_for"] + one["rows_against"])

    return {
        "projects": sorted(projects.values(), key=most),
        "people": sorted(people.values(), key=most),
    }


# ---- what can be asked ---------------------------------------------------------------------------


def runs_of_votes(studio: Studio) -> list[Run]:
    """Finished runs that votes stand behind, then those whose parents they do, newest first.

    Those that cannot be asked, such as GRPO's, are left out.
    """
    runs = {run.id: run for run in studio.runs.list()}

    def voted(run: Run) -> bool:
        while not run.data.get("votes"):
            if run.parent not in runs:
                return False
            run = runs[run.parent]
        return True

    found = [run for run in runs.values() if refusal(run) is None and voted(run)]
    return sorted(found, key=lambda run: not run.data.get("votes"))


@dataclass(frozen=True)
class AskedPair:
    """Two answers to one prompt; `answer` is the run's own, `other` its opponent's."""

    prompt: list[dict[str, Any]]
    answer: str
    other: str

    def question(self) -> Asked:
        return Asked(self.prompt, self.answer, against=self.other)


def pairs_of(studio: Studio, run: Run) -> tuple[list[AskedPair], int]:
    """Judged pairs of a run's duels, and how many duels are left out: those still voted on."""
    found: list[AskedPair] = []
    left_out = 0
    for duel in duels_of(studio, run):
        if is_blind(studio.labels, studio.labels.get(duel.project)):
            left_out += 1
            continue
        for item in studio.labels.labelled_pairs(duel.project):
            answers = (item.answer_a, item.answer_b)
            own, other = answers if item.source_a.get("run") == run.id else answers[::-1]
            found.append(AskedPair(list(item.prompt), own, other))
    return found[:PAIRS], left_out
