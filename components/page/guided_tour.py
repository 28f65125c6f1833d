"""The guided walk through the whole loop: what is done is read from the workspace, so a refresh,
another tab or a crash loses nothing. Every step is the same engine call that the tabs make.

A walk is an id kept in the browser; what it makes carries that id in its provenance.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.page.header import run_note, votes_note
from studio.core.errors import ModelError
from studio.core.formatting import duration_text, plural, thousands
from studio.data.readers.sources import sample_path
from studio.generation.request import Column, Sampling
from studio.labels.pair_generation import write_pairs
from studio.runs.recipe import presets

if TYPE_CHECKING:
    from studio import Studio
    from studio.data import PreparedDataset, Progress
    from studio.labels import Project
    from studio.runs.store import Run

VOTES = 4
TABS = ("data", "train", "compare", "label", "train", "compare")
STEPS = ("Data", "Train", "Compare", "Label", "Train DPO", "Compare again")
ARROW = "\N{RIGHTWARDS ARROW}"
DPO_STEPS = 24
"""Optimiser steps on a handful of verdicts: enough to see, few enough to wait for."""


@dataclass(frozen=True)
class Walk:
    """What one walk has made so far."""

    id: str
    dataset: PreparedDataset | None = None
    sft: Run | None = None
    project: Project | None = None
    votes: int = 0
    dpo: Run | None = None
    looked: int = 0
    """How many of the two comparisons this browser has opened."""


@dataclass(frozen=True)
class Place:
    """Where a walk stands: the step, a sentence, a share done if known, and the next button."""

    step: int
    note: str
    share: float | None = None
    action: str = ""
    """The button's text; empty while there is something to wait for or to do by hand."""
    finished: bool = False

    def steps(self) -> list[tuple[str, str]]:
        """(name, done | now | later) for the stepper."""
        words = ("done", "now", "later")
        done = len(STEPS) if self.finished else self.step
        return [
            (name, words[0 if at < done else 1 if at == done else 2])
            for at, name in enumerate(STEPS)
        ]


@dataclass(frozen=True)
class Move:
    """Where pressing the button leads: a tab, and what it should show."""

    tab: str
    dataset_id: str | None = None
    runs: tuple[str, ...] = ()
    project_id: str | None = None


def find(studio: Studio, walk: str, looked: int = 0) -> Walk:
    """Read what a walk has made from the workspace, also where a tab's own button was used."""

    def mine(things: Sequence[Any], part: str) -> Any | None:
        marked = (t for t in things if t.provenance.get("walk") == walk)
        return next((t for t in marked if t.provenance.get("part") == part), None)

    runs = studio.runs.list()
    dataset = mine(studio.datasets.list(), "data")
    sft = mine(runs, "sft") or next(
        (r for r in runs if dataset and r.data.get("id") == dataset.id), None
    )
    if sft is None:
        return Walk(walk, dataset)
    dpo = mine(runs, "dpo") or next(
        (r for r in runs if r.parent == sft.id and r.objective == "dpo"), None
    )
    project = mine(studio.labels.projects(), "label")
    votes = 0
    if project is not None:
        votes = sum(1 for item in studio.labels.labelled_pairs(project.id) if item.votes)
    return Walk(walk, dataset, sft, project, votes, dpo, looked)


def place(walk: Walk) -> Place:
    """Where the walk stands and what comes next."""
    if walk.dataset is None:
        return Place(0, "Preparing the sample rows.")
    if walk.sft is None:
        rows = plural(sum(walk.dataset.rows.values()), "row")
        return Place(
            1,
            f"Prepared {rows} of questions and answers from a small made-up world. "
            "The built-in model knows the world but not how to answer.",
            action=f"Next: train on them {ARROW}",
        )
    if walk.sft.state != "finished":
        return _training(1, walk.sft)
    if walk.project is None:
        return _comparing(walk.sft, walk.looked)
    if walk.votes < VOTES and walk.dpo is None:
        return Place(3, votes_note(walk.votes, VOTES), walk.votes / VOTES)
    if walk.dpo is None:
        return Place(
            4,
            f"{thousands(walk.votes)} verdicts are safe. They become preference pairs, and DPO "
            "continues from the run that wrote the answers.",
            action=f"Next: train DPO on your verdicts {ARROW}",
        )
    if walk.dpo.state != "finished":
        return _training(4, walk.dpo)
    if walk.looked < 2:
        return Place(
            5,
            f"{walk.dpo.name} learned from your verdicts{_took(walk.dpo)}.",
            action=f"Next: compare again {ARROW}",
        )
    return Place(
        5,
        "That was the loop. A few verdicts nudge a model; more of them, or the sample "
        "pocket-preference, move it further.",
        action="Finish",
        finished=True,
    )


def _comparing(sft: Run, looked: int) -> Place:
    if not looked:
        return Place(
            2,
            f"{sft.name} is trained{_took(sft)}. See what changed.",
            action=f"Next: compare base and tuned {ARROW}",
        )
    return Place(
        2,
        "Press Send to ask both the same question: the base model rambles on, the tuned one "
        "answers.",
        action=f"Next: judge {VOTES} pairs {ARROW}",
    )


def _took(run: Run) -> str:
    return f" after {duration_text(run.train_seconds)}" if run.train_seconds else ""


def _training(step: int, run: Run) -> Place:
    if run.live:
        share = run.step / run.total_steps if run.total_steps else 0.0
        return Place(step, run_note(run), share)
    why = run.error or f"{run.name} is {run.state}."
    return Place(step, f"{why} Resume it to go on.", action="Resume the run")


def advance(
    studio: Studio, walk: Walk, make_dataset: Callable[[str], str], progress: Progress
) -> Move:
    """Do what the button says, through the engine; returns where to look.

    `make_dataset(project id) -> dataset id` turns votes into rows, as the Label tab does.
    """
    mark = {"walk": walk.id}
    if walk.dataset is None:
        dataset = studio.datasets.prepare(
            "pocket-sft", name="pocket-sft", provenance=mark | {"part": "data"}
        )
        return Move("data", dataset_id=dataset.id)
    if walk.sft is None:
        recipe = presets()["pocket-sft"].with_(dataset_name=walk.dataset.id)
        run = studio.train(recipe, mark | {"part": "sft"})
        return Move("train", runs=(run.id,))
    if walk.sft.state != "finished":
        return Move("train", runs=(studio.resume(walk.sft.id).id,))
    if walk.project is None and not walk.looked:
        return Move("compare", runs=(walk.sft.id,))
    if walk.project is None:
        return Move("label", project_id=make_pairs(studio, walk.sft, walk.id, progress).id)
    if walk.dpo is None:
        run = train_on_votes(studio, walk.sft, make_dataset(walk.project.id), walk.id)
        return Move("train", runs=(run.id,))
    if walk.dpo.state != "finished":
        return Move("train", runs=(studio.resume(walk.dpo.id).id,))
    return Move("compare", runs=(walk.sft.id, walk.dpo.id))


def sample_prompts() -> list[list[dict[str, str]]]:
    """The shipped prompts, as one user turn each."""
    lines = sample_path("pocket-prompts").read_text(encoding="utf-8").splitlines()
    rows = (json.loads(line) for line in lines if line.strip())
    return [[{"role": "user", "content": row["prompt"]}] for row in rows]


def make_pairs(studio: Studio, run: Run, walk: str, progress: Progress) -> Project:
    """Two answers of the tuned model to each sample prompt, drawn apart, as a blind project."""
    prompts = sample_prompts()
    drawn = {"temperature": 1.0, "top_p": 0.95, "max_new_tokens": 80}
    samplings = [Sampling.model_validate(drawn | {"seed": seed}) for seed in (1, 2)]
    columns = tuple(
        Column(run.model, run.id, label=f"{run.name}, seed {s.seed}", sampling=s) for s in samplings
    )
    items, _ = write_pairs(studio.generate, studio.runs, columns, prompts, samplings[0], progress)
    if len(items) < VOTES:
        raise ModelError(
            f"{run.name} gave the same answer twice to nearly every prompt, so there is nothing "
            "to judge. Make pairs in Compare at a higher temperature."
        )
    project = studio.labels.create_project(
        studio.labels.free_name("first verdicts"),
        question="Which answer would you rather get?",
        provenance={"walk": walk, "part": "label", "run": run.id},
    )
    studio.labels.add_items(project.id, items)
    return project


def train_on_votes(studio: Studio, sft: Run, dataset_id: str, walk: str) -> Run:
    """DPO on the verdicts, continuing from the run that wrote the answers."""
    recipe = presets()["pocket-dpo"].with_(
        name="pocket-dpo", dataset_name=dataset_id, start_from=sft.id, max_steps=DPO_STEPS
    )
    return studio.train(recipe, {"walk": walk, "part": "dpo"})
