"""The guided tour through the whole loop. Its progress is read from the workspace, so a refresh,
another tab or a crash loses nothing. Every step makes the same engine calls as the tabs.

A tour is an id stored in the browser; what it creates carries that id in its provenance.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

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
"""Optimizer steps on a handful of votes: enough to see a change, few enough to wait for."""


class _Provenance(Protocol):
    @property
    def provenance(self) -> dict[str, Any]: ...


Made = TypeVar("Made", bound=_Provenance)


@dataclass(frozen=True)
class Tour:
    """What one tour has created so far."""

    id: str
    dataset: PreparedDataset | None = None
    sft: Run | None = None
    project: Project | None = None
    votes: int = 0
    dpo: Run | None = None
    compared: int = 0
    """How many of the two comparisons this browser has opened."""


@dataclass(frozen=True)
class TourState:
    """The current step, a sentence on it, the share done if known, and the next button."""

    step: int
    note: str
    share: float | None = None
    action: str = ""
    """The button's label; empty while the user has to wait or act."""
    finished: bool = False

    def steps(self) -> list[tuple[str, str]]:
        """(name, done | now | later) for the stepper."""
        done = len(STEPS) if self.finished else self.step
        return [
            (name, "done" if at < done else "now" if at == done else "later")
            for at, name in enumerate(STEPS)
        ]


@dataclass(frozen=True)
class Destination:
    """Where pressing the button leads: a tab and what it should show."""

    tab: str
    dataset_id: str | None = None
    runs: tuple[str, ...] = ()
    project_id: str | None = None


def load(studio: Studio, tour_id: str, compared: int = 0) -> Tour:
    """Read a tour's progress from the workspace, even where a tab's own button was used."""

    def mine(candidates: Sequence[Made], part: str) -> Made | None:
        wanted = {"tour": tour_id, "part": part}
        return next((c for c in candidates if wanted.items() <= c.provenance.items()), None)

    runs = studio.runs.list()
    dataset = mine(studio.datasets.list(), "data")
    sft = mine(runs, "sft") or next(
        (r for r in runs if dataset and r.data.get("id") == dataset.id), None
    )
    if sft is None:
        return Tour(tour_id, dataset)
    dpo = mine(runs, "dpo") or next(
        (r for r in runs if r.parent == sft.id and r.objective == "dpo"), None
    )
    project = mine(studio.labels.projects(), "label")
    votes = 0
    if project is not None:
        votes = sum(1 for item in studio.labels.labelled_pairs(project.id) if item.votes)
    return Tour(tour_id, dataset, sft, project, votes, dpo, compared)


def state(tour: Tour) -> TourState:
    """Where the tour stands and what comes next."""
    if tour.dataset is None:
        return TourState(0, "Preparing the sample rows.")
    if tour.sft is None:
        rows = plural(sum(tour.dataset.rows.values()), "row")
        return TourState(
            1,
            f"Prepared {rows} of questions and answers about a small made-up world. "
            "The built-in model knows that world but not how to answer.",
            action=f"Next: train on these rows {ARROW}",
        )
    if tour.sft.state != "finished":
        return _training(1, tour.sft)
    if tour.project is None:
        return _comparing(tour.sft, tour.compared)
    if tour.votes < VOTES and tour.dpo is None:
        return TourState(3, votes_note(tour.votes, VOTES), tour.votes / VOTES)
    if tour.dpo is None:
        return TourState(
            4,
            f"{thousands(tour.votes)} votes are saved. They become preference pairs, and DPO "
            "continues from the run that wrote the answers.",
            action=f"Next: train DPO on your votes {ARROW}",
        )
    if tour.dpo.state != "finished":
        return _training(4, tour.dpo)
    if tour.compared < 2:
        return TourState(
            5,
            f"{tour.dpo.name} learned from your votes{_duration(tour.dpo)}.",
            action=f"Next: compare again {ARROW}",
        )
    return TourState(
        5,
        "That was the whole loop. A few votes change a model only slightly; more votes, or the "
        "sample pocket-preference, change it further.",
        action="Finish",
        finished=True,
    )


def _comparing(sft: Run, compared: int) -> TourState:
    if not compared:
        return TourState(
            2,
            f"{sft.name} is trained{_duration(sft)}. See what changed.",
            action=f"Next: compare base and tuned model {ARROW}",
        )
    return TourState(
        2,
        "Press Send to ask both models the same question: the base model rambles, the tuned one "
        "answers.",
        action=f"Next: label {VOTES} pairs {ARROW}",
    )


def _duration(run: Run) -> str:
    return f" after {duration_text(run.train_seconds)}" if run.train_seconds else ""


def _training(step: int, run: Run) -> TourState:
    if run.live:
        share = run.step / run.total_steps if run.total_steps else 0.0
        return TourState(step, run_note(run), share)
    reason = run.error or f"{run.name} is {run.state}."
    return TourState(step, f"{reason} Resume it to continue.", action="Resume run")


def advance(
    studio: Studio, tour: Tour, make_dataset: Callable[[str], str], progress: Progress
) -> Destination:
    """Do what the button says, through the engine.

    `make_dataset(project id) -> dataset id` turns votes into rows, as the Label tab does.
    """
    mark = {"tour": tour.id}
    if tour.dataset is None:
        dataset = studio.datasets.prepare(
            "pocket-sft", name="pocket-sft", provenance=mark | {"part": "data"}
        )
        return Destination("data", dataset_id=dataset.id)
    if tour.sft is None:
        recipe = presets()["pocket-sft"].with_(dataset_name=tour.dataset.id)
        run = studio.train(recipe, mark | {"part": "sft"})
        return Destination("train", runs=(run.id,))
    if tour.sft.state != "finished":
        return Destination("train", runs=(studio.resume(tour.sft.id).id,))
    if tour.project is None and not tour.compared:
        return Destination("compare", runs=(tour.sft.id,))
    if tour.project is None:
        return Destination("label", project_id=make_pairs(studio, tour.sft, tour.id, progress).id)
    if tour.dpo is None:
        run = train_on_votes(studio, tour.sft, make_dataset(tour.project.id), tour.id)
        return Destination("train", runs=(run.id,))
    if tour.dpo.state != "finished":
        return Destination("train", runs=(studio.resume(tour.dpo.id).id,))
    return Destination("compare", runs=(tour.sft.id, tour.dpo.id))


def sample_prompts() -> list[list[dict[str, str]]]:
    """The shipped prompts, each as one user turn."""
    lines = sample_path("pocket-prompts").read_text(encoding="utf-8").splitlines()
    rows = (json.loads(line) for line in lines if line.strip())
    return [[{"role": "user", "content": row["prompt"]}] for row in rows]


def make_pairs(studio: Studio, run: Run, tour_id: str, progress: Progress) -> Project:
    """A blind project: two answers of the tuned model, sampled apart, to each sample prompt."""
    prompts = sample_prompts()
    settings = {"temperature": 1.0, "top_p": 0.95, "max_new_tokens": 80}
    samplings = [Sampling.model_validate(settings | {"seed": seed}) for seed in (1, 2)]
    columns = tuple(
        Column(run.model, run.id, label=f"{run.name}, seed {s.seed}", sampling=s) for s in samplings
    )
    items, _ = write_pairs(studio.generate, studio.runs, columns, prompts, samplings[0], progress)
    if len(items) < VOTES:
        raise ModelError(
            f"{run.name} gave the same answer twice to nearly every prompt, so there is nothing "
            "to compare. Make pairs on the Compare tab at a higher temperature."
        )
    project = studio.labels.create_project(
        studio.labels.free_name("first votes"),
        question="Which answer would you rather get?",
        provenance={"tour": tour_id, "part": "label", "run": run.id},
    )
    studio.labels.add_items(project.id, items)
    return project


def train_on_votes(studio: Studio, sft: Run, dataset_id: str, tour_id: str) -> Run:
    """DPO on the votes, continuing from the run that wrote the answers."""
    recipe = presets()["pocket-dpo"].with_(
        name="pocket-dpo", dataset_name=dataset_id, start_from=sft.id, max_steps=DPO_STEPS
    )
    return studio.train(recipe, {"tour": tour_id, "part": "dpo"})
