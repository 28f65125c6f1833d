"""`why`, `influence` and what follows: from an answer back to the rows that taught it."""

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
from studio.commands.datasets import DatasetName
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
Plain = Annotated[
    bool, Param("Compare gradients as they are, not weighed by the optimizer's second moments.")
]
Count = Annotated[int, Param("Rows in each list.", min=1, max=1000)]
Target = Annotated[
    str | None, Param("Weigh by these rows with known answers: a file, a sample or a dataset.")
]


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
    plain: Plain = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Find the training rows that pulled a run towards an answer, and those against it.

    The score is the cosine of a row's gradient with the answer's. It stands out beyond what 99 of
    100 pairs of random rows of the run score for one another. That is evidence and no proof: train
    without the rows and look (`runs without`). The first question to a run reads its rows once,
    which takes about as long as an epoch; a run that started from another has its parent's rows
    asked too. Rows that votes made name the people behind them, by number while their project still
    takes votes. Whatever the base learned, the template and the sampling are out of sight.
    """
    from studio.workflows import votes_behind
    from studio.workflows import why as workflow

    found = studio.runs.get(run)
    questions = _questions(studio, found, prompt, answer, span, against, data, project)
    spec = _spec(found, steps, plain)
    cost = workflow.cost(found, spec)
    job = workflow.ask(studio, found, questions, spec, count)
    return votes_behind.named(studio, wait_for(job, on_progress, cost or "Asking the rows"))


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


def _spec(run: Run, steps: list[str] | None, plain: bool) -> IndexSpec:
    from studio.attribution import IndexSpec
    from studio.attribution.request import default_spec

    try:
        points = tuple(int(step) for step in steps or ())
    except ValueError:
        typed = ",".join(steps or ())
        raise ConfigError(f"steps are numbers, such as 100,200; not {typed}.") from None
    return IndexSpec(points) if plain else default_spec(run, points)


@command(read_only=True)
def influence(
    studio: Studio,
    run: RunName,
    *,
    target: Target = None,
    project: Annotated[
        ProjectName | None, Param("Weigh by a labeling project's votes instead.")
    ] = None,
    count: Count = 20,
    steps: Steps = None,
    plain: Plain = False,
    on_progress: OnProgress = silent,
) -> Json:
    """List a run's training rows by how far they helped a target, least first.

    The target are the run's held-out rows, or those that are named. Wrong labels and votes turned
    round come early: they push the loss of held-out rows up. A run without held-out rows has its
    rows listed by self-influence, the squared norm of a row's gradient: what it learned least.
    """
    from studio.workflows import why as workflow

    found = studio.runs.get(run)
    weighed, name = _weighed(studio, found, target, project, steps, plain, on_progress)
    return workflow.listed(studio, found, weighed, count) | {"target": name}


@command()
def data_select(
    studio: Studio,
    dataset: DatasetName,
    *,
    run: Annotated[str, Param("A run that was trained on the dataset.", metavar="RUN")],
    target: Target = None,
    project: Annotated[
        ProjectName | None, Param("Weigh by a labeling project's votes instead.")
    ] = None,
    share: Annotated[float, Param("Share of the rows to keep.", min=0.001, max=0.999)] = 0.2,
    steps: Steps = None,
    plain: Plain = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Make a dataset of the rows that help a target most.

    The target are the run's held-out rows, or those that are named: a file of rows with answers, a
    dataset, a project's votes. The new dataset's held-out rows are the old one's.
    """
    from studio.workflows import row_influence

    found, kept = studio.runs.get(run), studio.datasets.get(dataset)
    weighed, name = _weighed(studio, found, target, project, steps, plain, on_progress)
    ranking = row_influence.ranked(studio, found, kept.id, weighed, name)
    made = row_influence.keep_most_useful(studio, ranking, share)
    return {
        "dataset_id": made.id,
        "name": made.name,
        "rows": made.rows["train"],
        "of": kept.rows["train"],
        "target": row_influence.aim(studio, ranking),
    }


def _weighed(
    studio: Studio,
    run: Run,
    target: str | None,
    project: str | None,
    steps: list[str] | None,
    plain: bool,
    on_progress: OnProgress,
) -> tuple[Json, str]:
    """Every training row of a run weighed, and the target's name; "" for its held-out rows."""
    from studio.workflows import why as workflow

    name, asked = "", []
    if target is not None or project is not None:
        name, asked = workflow.target(studio, target, project)
    spec = _spec(run, steps, plain)
    cost = workflow.cost(run, spec)
    job = workflow.influence(studio, run, spec, asked)
    return wait_for(job, on_progress, cost or "Asking the rows"), name


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
