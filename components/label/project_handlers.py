"""Creates a labeling project from the form (`project_form`).

Pairs come from a prepared dataset, two models that generate them in the background, a saved
comparison, an earlier project, or a published file with votes.
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

_LONGEST = 256  # tokens of a generated answer


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
    show_reasoning: bool = False

    def rules(self) -> dict[str, Any]:
        """Arguments of `create_project` besides the name."""
        return {
            "question": self.question,
            "guidelines": self.guidelines,
            "order": self.order,
            "overlap": int(self.overlap or 0),
            "repeat_every": int(self.repeat_every or 0),
            "reasons": self.reasons.split(","),
            "aspects": self.aspects.split(","),
            "show_reasoning": bool(self.show_reasoning),
        }


def create(studio: Studio, *given: Any) -> tuple[Project | None, str]:
    """(the project or None, a notice) from the form's fields."""
    # A field that was never in view, such as those under More, comes as nothing.
    pairs = zip(fields(Wanted), given, strict=True)
    wanted = Wanted(**{each.name: value for each, value in pairs if value is not None})
    makers = {
        "dataset": from_dataset,
        "models": from_models,
        "comparison": from_comparison,
        "again": from_project,
        "published": from_published,
    }
    try:
        person().must_own("create a project")
        if wanted.kind not in makers:
            raise ConfigError("Choose where the pairs come from.")
        project, said = makers[wanted.kind](studio, wanted)
    except StudioError as error:
        return None, notice("error", sentence(error))
    return project, notice("good", said)


def from_dataset(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project with every row of a comparison or preference dataset, and a message."""
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
    """A project whose pairs two models generate in the background."""
    from studio.generation.request import Sampling
    from studio.labels.pair_generation import PairPlan

    chosen = comparisons.sides(studio, [wanted.a, wanted.b])
    if len(chosen) < 2:
        raise ConfigError("Choose a model for both answers.")
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
    both = chosen[0].label if same else f"{chosen[0].label} or {chosen[1].label}"
    name = wanted.name.strip() or both[:110]
    project = studio.pairs.make_project(plan, name, **wanted.rules())
    count = plural(len(asked.prompts), "prompt")
    return (
        project,
        f"{project.name}: generating answers to {count}; the first appear within seconds.",
    )


def from_comparison(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project from a saved comparison's first two columns."""
    if not wanted.saved:
        raise DataError("No comparison is saved yet; run a prompt set in Compare first.")
    kept = comparisons.load(studio, wanted.saved)
    project_id, added, aside = comparisons.to_label(
        studio, kept, wanted.name.strip(), **wanted.rules()
    )
    project = studio.labels.get(project_id)
    return project, _said(project.name, added, aside)


def from_project(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project with another one's pairs, to be labeled again."""
    if not wanted.before:
        raise DataError("No project has pairs yet; create one from another source first.")
    project, added = label_projects.from_project(
        studio, wanted.before, wanted.judge, wanted.name.strip(), **wanted.rules()
    )
    return project, _said(project.name, added.added, added.set_aside)


def from_published(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A finished project with published votes."""
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
    """How many pairs there are, and how many were set aside."""
    left = ", ".join(f"{count} {reason}" for reason, count in aside.items())
    said = f"{name}: {plural(added, 'pair')} to label"
    return f"{said}; set aside: {left}." if left else f"{said}."
