"""`labels results`, `judge`, `rank` and `rounds`: what the votes say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from studio.commands.base import Json, OnProgress, Param, ProjectName, RunName, command, silent
from studio.core.errors import ConfigError

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.workflows.rounds import Round

Rubric = Annotated[str, Param("What a judge goes by, in Markdown.")]
Think = Annotated[bool, Param("Ask the judge to think before it decides.")]


@command(read_only=True)
def labels_results(studio: Studio, *, project: ProjectName) -> Json:
    """Report win rates, agreement and biases.

    Win rates have 95 % intervals; agreement is between annotators; biases are for the left and for
    the longer answer.
    """
    from studio.labels.annotator_report import report
    from studio.labels.win_rate_report import duels, strengths

    chosen = studio.labels.get(project)
    judged = list(studio.labels.labelled_pairs(chosen.id))
    rates = duels(judged)
    ladder, why = strengths(rates)
    return {
        "project": chosen.name,
        "items": len(judged),
        "results": rates,
        "report": report(judged, studio.labels.repeat_votes(chosen.id)),
        "strengths": ladder,
        "no_strengths": why,
    }


@command(read_only=True)
def labels_judge(
    studio: Studio,
    *,
    project: ProjectName,
    judge: Annotated[str, Param("A run, base:MODEL, or api:MODEL (STUDIO_ENDPOINT_URL).")],
    question: Annotated[str, Param("Question to the judge; default: the project's.")] = "",
    max_new_tokens: Annotated[
        int, Param("Longest reply in tokens, thinking included.", min=1, max=8192)
    ] = 1024,
    rubric: Rubric = "",
    think: Think = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Let a model judge a project's pairs.

    Its votes never mix with people's. Each pair is judged in both orders: where they disagree it
    counts as a tie, and the flip rate says how often that happens.
    """
    from studio.generation.judge_reward import named_column
    from studio.labels import llm_judge
    from studio.workflows import judge_pairs

    chosen = studio.labels.get(project)
    column = named_column(judge, studio.runs)
    sides = llm_judge.by_models(studio.labels.labelled_pairs(chosen.id))
    if not sides:
        raise ConfigError(f"{chosen.name} has no pairs to judge.")
    asked = question or chosen.question
    on_progress(0, None, "Asking the judge")
    found = [
        judge_pairs.ask(
            studio, pairs, column, a, b, asked, on_progress, max_new_tokens, rubric, think
        )
        for (a, b), pairs in sides.items()
    ]
    return {"project": chosen.name, "duels": found}


@command(read_only=True)
def labels_panel(
    studio: Studio,
    *,
    project: ProjectName,
    judge: Annotated[
        list[str], Param("A run, base:MODEL, or api:MODEL (STUDIO_ENDPOINT_URL); repeatable.")
    ],
    max_new_tokens: Annotated[
        int, Param("Longest reply in tokens, thinking included.", min=1, max=8192)
    ] = 1024,
    rubric: Rubric = "",
    think: Think = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Compare judges with one another and with people's votes.

    Krippendorff's alpha with 95 % intervals, how often each judge takes people's side, replies that
    could not be read, and whether a judge may label this project's pairs alone.
    """
    from studio.labels.judge_panel import panel
    from studio.workflows.prelabel import judged

    chosen = studio.labels.get(project)
    on_progress(0, None, "Asking the judges")
    asking = {"rubric": rubric, "think": think, "max_new_tokens": max_new_tokens}
    found, by_judge = judged(studio, chosen, judge, **asking, on_progress=on_progress)
    people = [case.people for case in found]
    return {"project": chosen.name, "pairs": len(found), **panel(by_judge, people)}


@command()
def labels_prelabel(
    studio: Studio,
    *,
    project: ProjectName,
    judge: Annotated[
        list[str], Param("A run, base:MODEL, or api:MODEL (STUDIO_ENDPOINT_URL); repeatable.")
    ],
    share: Annotated[
        float, Param("Least share of the pairs that people check.", min=0, max=1)
    ] = 0.33,
    max_new_tokens: Annotated[
        int, Param("Longest reply in tokens, thinking included.", min=1, max=8192)
    ] = 1024,
    rubric: Rubric = "",
    think: Think = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Let judges label the pairs they are sure of, and people check the rest.

    Only judges that agree with people's votes in this project may: on 20 pairs or more, and with a
    lower end of the interval of 70 %. Sure pairs become a dataset, the others a new project.
    """
    from studio.workflows.prelabel import prelabel

    chosen = studio.labels.get(project)
    on_progress(0, None, "Asking the judges")
    asking = {"rubric": rubric, "think": think, "max_new_tokens": max_new_tokens}
    return prelabel(studio, chosen, judge, share, **asking, on_progress=on_progress)


@command(read_only=True)
def labels_rank(
    studio: Studio,
    *,
    run: RunName,
    project: ProjectName,
    limit: Annotated[int | None, Param("Show at most this many pairs.", min=1)] = 20,
) -> list[Json]:
    """Rank the pairs to label next.

    First those where votes and a reward model disagree, then those where it is unsure.
    """
    from studio.workflows.rewards import most_disputed

    return most_disputed(studio, studio.runs.get(run).id, project)[:limit]


@command(read_only=True)
def labels_rounds(studio: Studio) -> list[Json]:
    """List rounds: which run learned from whose votes.

    Each with the run's win rates in duels since.
    """
    from studio.workflows.rounds import lineages

    return [
        {
            "start": line.start.id if line.start else None,
            "start_name": line.start.name if line.start else "base",
            "rounds": [_round(each) for each in line.rounds],
        }
        for line in lineages(studio)
    ]


def _round(each: Round) -> Json:
    duels = [
        {
            "project": met.name,
            "project_id": met.project,
            "opponent": met.opponent,
            "pairs": met.items,
            "rate": met.rate.as_dict() if met.rate else None,
            "judged": met.rate.judged if met.rate else 0,
            "share": met.share.as_dict() if met.share else None,
        }
        for met in each.duels
    ]
    names = {"run_id": each.run.id, "run": each.run.name}
    return {"round": each.number, **names, "votes": each.votes, "duels": duels}
