"""Label with judges first, and let people check the pairs that are unsure.

The order of work: people vote on some pairs of a project; judges read all of them; those that agree
with people well enough label the pairs on which they are sure; the unsure third is a project of its
own, for people. Judges' labels become a dataset that says so, and never votes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError
from studio.generation.judge_reward import named_column
from studio.labels.judge_panel import Case, Verdicts, cases, panel, sure
from studio.labels.llm_judge import MAX_NEW_TOKENS, OnProgress
from studio.labels.types import Pair
from studio.workflows import judge_pairs

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.labels.types import Project


def judged(
    studio: Studio,
    project: Project,
    judges: Sequence[str],
    rubric: str = "",
    think: bool = False,
    max_new_tokens: int = MAX_NEW_TOKENS,
    on_progress: OnProgress = lambda done, total, what: None,
) -> tuple[list[Case], dict[str, list[str | None]]]:
    """Every judgeable pair of a project, and each judge's verdicts on them in both orders."""
    found = cases(studio.labels.labelled_pairs(project.id))
    if not found:
        raise ConfigError(f"{project.name} has no pairs to judge.")
    if not judges:
        raise ConfigError("Name a judge: a run, base:MODEL, or api:MODEL.")
    pairs = [case.pair for case in found]
    by_judge = {}
    for name in dict.fromkeys(judges):
        said = judge_pairs.ask(
            studio,
            pairs,
            named_column(name, studio.runs),
            "a",
            "b",
            project.question,
            on_progress,
            max_new_tokens,
            rubric,
            think,
        )
        by_judge[name] = said["verdicts"]
    return found, by_judge


def prelabel(
    studio: Studio, project: Project, judges: Sequence[str], share: float, **asking: Any
) -> dict[str, Any]:
    """Let judges label what they are sure of; the others become a project for people.

    Args:
        share: of the pairs without votes that people see at least.
        asking: see `judged`.

    Raises as `accept`.
    """
    found, by_judge = judged(studio, project, judges, **asking)
    return accept(studio, project, found, by_judge, share)


def accept(
    studio: Studio,
    project: Project,
    found: Sequence[Case],
    by_judge: Mapping[str, Verdicts],
    share: float,
) -> dict[str, Any]:
    """`prelabel` by verdicts that are there already.

    Raises `ConfigError` where a judge does not agree with people's votes well enough, or where
    people have voted on every pair.
    """
    agreement = panel(by_judge, [case.people for case in found])
    for one in agreement["each"]:
        if not one["may_label"]:
            raise ConfigError(f"{one['judge']} may not label {project.name}: {one['why']}.")
    open_ = [at for at, case in enumerate(found) if not case.item.votes]
    if not open_:
        raise ConfigError(f"People have voted on every pair of {project.name}.")
    verdicts = [[by_judge[name][at] for at in open_] for name in by_judge]
    certain = sure(verdicts, share)
    rows = [_row(found[at], verdicts[0][place]) for place, at in enumerate(open_) if certain[place]]
    unsure = [found[at] for place, at in enumerate(open_) if not certain[place]]
    by = {"made_by": "judges", "judges": list(by_judge), "project": project.id}
    made = None
    if rows:
        made = studio.datasets.from_rows(rows, "preference", f"{project.name} by judges", by)
    checked = _project(studio, project, unsure, by) if unsure else None
    return {
        "project": project.name,
        "pairs": len(open_),
        "accepted": len(rows),
        "share": len(rows) / len(open_),
        "agreement": agreement,
        "dataset": {"id": made.id, "name": made.name} if made else None,
        "unsure": {"project": checked.name, "pairs": len(unsure)} if checked else None,
    }


def _row(case: Case, side: str | None) -> dict[str, Any]:
    texts = {"a": case.item.answer_a, "b": case.item.answer_b}
    other = "b" if side == "a" else "a"

    def said(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    return {
        "prompt": list(case.item.prompt),
        "chosen": said(texts[side or "a"]),
        "rejected": said(texts[other]),
    }


def _project(studio: Studio, project: Project, unsure: Sequence[Case], by: Any) -> Project:
    labels = studio.labels
    made = labels.create_project(
        labels.free_name(f"{project.name}, unsure"),
        question=project.question,
        guidelines=project.guidelines,
        provenance=by,
        overlap=1,
    )
    items = [case.item for case in unsure]
    labels.add_items(
        made.id, [Pair(i.prompt, i.answer_a, i.answer_b, i.source_a, i.source_b) for i in items]
    )
    return labels.get(made.id)
