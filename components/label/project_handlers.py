"""Making a labelling project of what was asked for in the form (`label_new`).

Pairs come from a prepared dataset, from two models that write them now, from a saved comparison,
from a project judged before, or with the votes they were published with.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from components.ui import prompt_sets
from components.ui.access import person
from components.ui.handlers import sentence
from components.ui.html import notice
from studio.core.errors import ConfigError, DataError, StudioError
from studio.core.formatting import plural
from studio.labels import Project
from studio.workflows import comparisons, label_projects

if TYPE_CHECKING:
    from studio import Studio

_LONGEST = 256  # tokens of an answer that is written to be judged


@dataclass(frozen=True)
class Wanted:
    """The form's fields, in the order in which they stand in it."""

    kind: str = "dataset"
    dataset: str | None = None
    a: str | None = None
    b: str | None = None
    prompts: str | None = None
    typed: str = ""
    count: float | None = 40
    warm_a: float | None = 0.8
    warm_b: float | None = 0.8
    saved: str | None = None
    files: list[str] | None = None
    before: str | None = None
    judge: str | None = None
    name: str = ""
    question: str = ""
    guidelines: str = ""
    order: str = "random"
    overlap: float | None = 0
    repeat_every: float | None = 0
    reasons: str = ""
    aspects: str = ""

    def rules(self) -> dict[str, Any]:
        """What `create_project` takes beside a name."""
        return {
            "question": self.question,
            "guidelines": self.guidelines,
            "order": self.order,
            "overlap": int(self.overlap or 0),
            "repeat_every": int(self.repeat_every or 0),
            "reasons": self.reasons.split(","),
            "aspects": self.aspects.split(","),
        }


def create(studio: Studio, *given: Any) -> tuple[Project | None, str]:
    """A project from the form's fields and the notice to show; None when it could not be made."""
    wanted = Wanted(**{each.name: value for each, value in zip(fields(Wanted), given, strict=True)})
    makers = {
        "dataset": from_dataset,
        "models": from_models,
        "comparison": from_comparison,
        "again": from_project,
        "published": from_published,
    }
    try:
        person().must_own("make a project")
        if wanted.kind not in makers:
            raise ConfigError("Choose where the pairs come from.")
        project, said = makers[wanted.kind](studio, wanted)
    except StudioError as error:
        return None, notice("error", sentence(error))
    return project, notice("good", said)


def from_dataset(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project with every row of a comparison or preference dataset, and what to say."""
    if not wanted.dataset:
        raise DataError(
            "No dataset to label yet: prepare comparison data (prompt, answer1, answer2) in Data, "
            "or send pairs here from Compare."
        )
    project, added = label_projects.from_dataset(
        studio, wanted.dataset, wanted.name.strip(), **wanted.rules()
    )
    return project, _said(project.name, added.added, added.set_aside)


def from_models(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project whose pairs two columns write from now on, in the background."""
    from studio.generation.request import Sampling
    from studio.labels.pair_generation import PairPlan

    chosen = comparisons.sides(studio, [wanted.a, wanted.b])
    if len(chosen) < 2:
        raise ConfigError("Choose whose answers stand on either side.")
    asked = prompt_sets.load_set(studio, wanted.prompts or "", wanted.typed, int(wanted.count or 0))
    samplings = [
        Sampling(
            temperature=float(warm or 0),
            top_p=0.95 if warm else 1.0,
            seed=seed,
            max_new_tokens=_LONGEST,
        )
        for seed, warm in ((1, wanted.warm_a), (2, wanted.warm_b))
    ]
    same = chosen[0].label == chosen[1].label
    columns = [
        side.sampled(sampling, f"{side.label}, seed {sampling.seed}" if same else side.label)
        for side, sampling in zip(chosen, samplings, strict=True)
    ]
    plan = PairPlan(
        "",
        (columns[0], columns[1]),
        asked.prompts,
        samplings[0],
        informative=wanted.order == "uncertain",
    )
    name = wanted.name.strip() or f"{chosen[0].label} or {chosen[1].label}"[:110]
    project = studio.pairs.make_project(plan, name, **wanted.rules())
    count = plural(len(asked.prompts), "prompt")
    return project, f"{project.name}: answers to {count} are being written; the first come at once."


def from_comparison(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project of a saved comparison's first two columns."""
    if not wanted.saved:
        raise DataError("No comparison is saved yet; answer a set of prompts in Compare first.")
    kept = comparisons.load(studio, wanted.saved)
    project_id, added, aside = comparisons.to_label(
        studio, kept, wanted.name.strip(), **wanted.rules()
    )
    project = studio.labels.get(project_id)
    return project, _said(project.name, added, aside)


def from_project(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project of another one's pairs, to be judged once more."""
    if not wanted.before:
        raise DataError("No project has pairs yet; make one from another source first.")
    project, added = label_projects.from_project(
        studio, wanted.before, wanted.judge, wanted.name.strip(), **wanted.rules()
    )
    return project, _said(project.name, added.added, added.set_aside)


def from_published(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project that is judged already, by those who published it."""
    from studio.labels.import_published import bring_in, read_published

    if not wanted.files:
        raise DataError("Choose the file with the votes first.")
    read = read_published(wanted.files)
    project = bring_in(
        studio.labels,
        read,
        wanted.name.strip(),
        question=wanted.question,
        guidelines=wanted.guidelines,
    )
    votes = plural(project.done, "vote")
    return project, f"{project.name}: {plural(project.items, 'pair')} with {votes}."


def _said(name: str, added: int, aside: dict[str, int]) -> str:
    """What came of it, and what was set aside."""
    left = ", ".join(f"{count} {reason}" for reason, count in aside.items())
    said = f"{name}: {plural(added, 'pair')} to judge"
    return f"{said}; set aside: {left}." if left else f"{said}."
