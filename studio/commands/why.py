"""`why` and `influence`: from an answer back to the rows that taught it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from studio.commands.base import (
    Json,
    OnProgress,
    Param,
    ProjectName,
    RunName,
    command,
    silent,
    wait_for,
)
from studio.commands.runs import run_as_dict
from studio.core.errors import ConfigError

if TYPE_CHECKING:
    from studio.attribution import Asked, IndexSpec
    from studio.engine.studio import Studio
    from studio.runs.store import Run

Steps = Annotated[
    list[str] | None,
    Param("Average over these checkpoints too, by step.", metavar="STEP,STEP", commas=True),
]
Precondition = Annotated[
    bool, Param("Weigh gradients by the optimizer's second moments, of the newest checkpoint.")
]
Count = Annotated[int, Param("Rows in each list.", min=1, max=1000)]


@command(read_only=True)
def why(
    studio: Studio,
    run: RunName,
    *,
    prompt: Annotated[str | None, Param("The prompt that was answered.")] = None,
    answer: Annotated[
        str | None, Param("The answer to explain; by default the run's own, greedy.")
    ] = None,
    span: Annotated[str | None, Param("Only these words of the answer.")] = None,
    against: Annotated[str | None, Param("Why the answer rather than this one.")] = None,
    data: Annotated[
        str | None, Param("Ask about rows with known answers instead: a file or a dataset.")
    ] = None,
    project: Annotated[
        ProjectName | None, Param("Ask why the preferred answers of a labeling project's votes.")
    ] = None,
    count: Count = 10,
    steps: Steps = None,
    precondition: Precondition = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Find the training rows that pulled a run towards an answer, and those against it.

    The score is the cosine of a row's gradient with the answer's. It stands out beyond what 99 of
    100 pairs of random rows of the run score for one another. That is evidence and no proof: train
    without the rows and look (`runs without`). The first question to a run reads its rows once,
    which takes about as long as an epoch; a run that started from another has its parent's rows
    asked too. Whatever the base learned, the template and the sampling are out of sight.
    """
    from studio.workflows import why as workflow

    found = studio.runs.get(run)
    questions = _questions(studio, found, prompt, answer, span, against, data, project)
    spec = _spec(steps, precondition)
    cost = workflow.cost(found, spec)
    return wait_for(
        workflow.ask(studio, found, questions, spec, count), on_progress, cost or "Asking the rows"
    )


def _questions(
    studio: Studio,
    run: Run,
    prompt: str | None,
    answer: str | None,
    span: str | None,
    against: str | None,
    data: str | None,
    project: str | None,
) -> list[Asked]:
    """What is asked: one answer, or many rows, or votes; never two of these."""
    from studio.attribution import Asked
    from studio.workflows import why as workflow

    if sum(one is not None for one in (prompt, data, project)) != 1:
        raise ConfigError("Give a prompt, or data, or a project: one of them.")
    if prompt is None:
        if answer or span or against:
            raise ConfigError("answer, span and against belong to a prompt; give one.")
        if project is not None:
            return workflow.of_votes(studio, project)
        from studio.evaluation import load_rows

        rows = load_rows(studio.datasets, data or "", workflow.MOST_ROWS)
        return workflow.of_rows(rows.rows, rows.name)
    messages = [{"role": "user", "content": prompt}]
    text = answer if answer is not None else workflow.answers(studio, run, [messages], 128)[0]
    part = workflow.span_of(text, span) if span else None
    return [Asked(messages, text, part, against)]


def _spec(steps: list[str] | None, precondition: bool) -> IndexSpec:
    from studio.attribution import IndexSpec

    try:
        points = tuple(int(step) for step in steps or ())
    except ValueError:
        typed = ",".join(steps or ())
        raise ConfigError(f"steps are numbers, such as 100,200; not {typed}.") from None
    return IndexSpec(points, precondition)


@command(read_only=True)
def influence(
    studio: Studio,
    run: RunName,
    *,
    count: Count = 20,
    steps: Steps = None,
    precondition: Precondition = False,
    on_progress: OnProgress = silent,
) -> Json:
    """List a run's training rows by how far they helped its held-out rows, least first.

    Wrong labels and votes turned round come early: they push the loss of held-out rows up. A run
    without held-out rows has its rows listed by self-influence, the squared norm of a row's
    gradient: what the run learned least.
    """
    from studio.workflows import why as workflow

    found = studio.runs.get(run)
    spec = _spec(steps, precondition)
    cost = workflow.cost(found, spec)
    weighed = wait_for(
        workflow.influence(studio, found, spec), on_progress, cost or "Asking the rows"
    )
    return workflow.listed(studio, found, weighed, count)


def _only_dataset(run: Run) -> str:
    """The id of the one dataset that a run was trained on."""
    kept = run.data.get("datasets") or [run.data]
    if len(kept) != 1:
        names = ", ".join(one["name"] for one in kept)
        raise ConfigError(f"{run.name} learned from {names}; name one of them as the dataset.")
    return kept[0].get("id", "")


@command()
def runs_without(
    studio: Studio,
    run: RunName,
    *,
    rows: Annotated[
        list[str],
        Param("Places in the run's training split, from 0.", metavar="ROW,ROW", commas=True),
    ],
    dataset: Annotated[
        str | None, Param("Whose rows they are, where the run mixed several datasets.")
    ] = None,
    provenance: Json | None = None,
) -> Json:
    """Queue a run's recipe again without some of its rows, to check what they taught.

    It makes a dataset without them, and the new run's seed is the old one's.
    """
    from studio.workflows import why as workflow

    found = studio.runs.get(run)
    whose = studio.datasets.get(dataset).id if dataset else _only_dataset(found)
    try:
        places = [(whose, int(row)) for row in rows]
    except ValueError:
        raise ConfigError(f"rows are places, such as 3,14; not {','.join(rows)}.") from None
    return run_as_dict(workflow.train_without(studio, found, places, provenance=provenance))
