"""`labels`: projects, pairs and votes on them, and rows for TRL's trainers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from studio.commands.base import Json, Param, ProjectName, command
from studio.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.labels import Project, ShownItem

Annotator = Annotated[str, Param("Name of the annotator.")]
ItemId = Annotated[int, Param("Number of the pair, as `labels next` prints it.")]


@command(read_only=True)
def labels_list(studio: Studio) -> list[Json]:
    """List labeling projects with their progress, newest first."""
    return [
        {
            "project_id": project.id,
            "project": project.name,
            "question": project.question,
            "pairs": project.items,
            "judged": project.done,
        }
        for project in studio.labels.projects()
    ]


@command()
def labels_create(
    studio: Studio,
    *,
    dataset: Annotated[str | None, Param("Prepared comparison or preference dataset.")] = None,
    from_project: Annotated[str | None, Param("Project to label again.", metavar="PROJECT")] = None,
    reward_model: Annotated[
        str | None,
        Param(
            "First the pairs that this reward model and the former votes differ on.", metavar="RUN"
        ),
    ] = None,
    name: Annotated[str, Param("Name of the project; default: its source's.")] = "",
    question: Annotated[str, Param("Question to the annotators.")] = "",
    guidelines: Annotated[str, Param("Markdown, shown above the pairs.")] = "",
    order: Annotated[
        Literal["random", "given", "uncertain"], Param("Order in which pairs are shown.")
    ] = "random",
    overlap: Annotated[int, Param("Annotators per pair; 0: everyone.", min=0)] = 0,
    repeat_every: Annotated[
        int, Param("Repeat a pair after this many votes; 0: never.", min=0)
    ] = 0,
    reason: Annotated[list[str] | None, Param("A reason to choose from; repeatable.")] = None,
    aspect: Annotated[list[str] | None, Param("Another aspect to vote on; repeatable.")] = None,
    show_reasoning: Annotated[
        bool, Param("Show annotators what a model thought before it answered.")
    ] = False,
) -> Json:
    """Create a project from prepared pairs or another project."""
    from studio.workflows import label_projects

    if bool(dataset) == bool(from_project) or (reward_model and not from_project):
        raise ConfigError("Give dataset or from_project; reward_model goes with from_project only.")
    rules = {
        "question": question,
        "guidelines": guidelines,
        "order": order,
        "overlap": overlap,
        "repeat_every": repeat_every,
        "reasons": reason or [],
        "aspects": aspect or [],
        "show_reasoning": show_reasoning,
    }
    if from_project:
        made, added = label_projects.from_project(studio, from_project, reward_model, name, **rules)
    else:
        made, added = label_projects.from_dataset(studio, dataset or "", name, **rules)
    value = {"project": made.name, "project_id": made.id, "added": added.added}
    return value | {"set_aside": added.set_aside}


@command(read_only=True)
def labels_show(
    studio: Studio, *, project: ProjectName, item: ItemId, annotator: Annotator = "me"
) -> Json:
    """Show a pair again, to change a vote or to settle it."""
    chosen = studio.labels.get(project)
    return _shown(chosen, studio.labels.show(chosen.id, item, annotator))


@command()
def labels_next(
    studio: Studio, *, project: ProjectName, annotator: Annotator = "me"
) -> Json | None:
    """Show the next pair: a prompt and two answers.

    Sides are shuffled and models hidden. Where no pair is left, the value is null.
    """
    chosen = studio.labels.get(project)
    shown = studio.labels.next_item(chosen.id, annotator)
    return _shown(chosen, shown) if shown else None


def _shown(chosen: Project, shown: ShownItem) -> Json:
    thoughts = {"left_reasoning": shown.left_reasoning, "right_reasoning": shown.right_reasoning}
    return {
        "item": shown.item_id,
        "question": chosen.question,
        "prompt": shown.prompt,
        "left": shown.left,
        "right": shown.right,
    } | {name: thought for name, thought in thoughts.items() if thought}


@command()
def labels_vote(
    studio: Studio,
    *,
    project: ProjectName,
    item: ItemId,
    choice: Annotated[
        Literal["left", "right", "tie", "both_bad", "skip"], Param("Which answer is better.")
    ],
    annotator: Annotator = "me",
    strength: Annotated[int, Param("How much better, from 1 to 4.", min=1, max=4)] = 2,
    note: Annotated[str, Param("Why.")] = "",
    settle: Annotated[bool, Param("Settle a disagreement: only this vote counts.")] = False,
) -> Json:
    """Vote on a pair.

    Another vote on the same pair replaces the first, as a new version of it.
    """
    from studio.labels.types import ADJUDICATION

    labels = studio.labels
    turn = ADJUDICATION if settle else 0
    receipt = labels.vote(
        labels.get(project).id, item, annotator, choice, strength, note=note, turn=turn
    )
    return {"vote": receipt.vote_id, "item": receipt.item_id, "version": receipt.version}


@command()
def labels_undo(studio: Studio, *, project: ProjectName, annotator: Annotator = "me") -> Json:
    """Undo an annotator's last vote.

    The pair is shown to them again.
    """
    chosen = studio.labels.get(project)
    shown = studio.labels.undo(chosen.id, annotator)
    if shown is None:
        raise DataError(f"{annotator} has no vote in {chosen.name} to undo.")
    return {"item": shown.item_id}


@command()
def labels_remove(studio: Studio, *, project: ProjectName, item: ItemId) -> Json:
    """Remove a broken pair.

    It is not shown again, and its votes do not count.
    """
    chosen = studio.labels.get(project)
    studio.labels.retire(chosen.id, item)
    return {"project": chosen.name, "item": item}


@command()
def labels_feedback(
    studio: Studio, *, name: Annotated[str, Param("Name of the dataset.")] = "feedback"
) -> Json:
    """Prepare the thumbs on answers given over the API as rows for KTO.

    The last thumb of a person on an answer counts.
    """
    from studio.labels import feedback

    rated = feedback.rows(studio.workspace)
    if not rated:
        raise DataError(
            "No answer is rated yet; send {id, rating} to /v1/feedback, rating up or down."
        )
    rows = [{key: row[key] for key in ("prompt", "completion", "label")} for row in rated]
    provenance = {"feedback": len(rows), "people": sorted({str(row["by"]) for row in rated})}
    data = studio.datasets.from_rows(rows, "unpaired_preference", name, provenance=provenance)
    good = sum(bool(row["label"]) for row in rated)
    return {
        "id": data.id,
        "name": data.name,
        "rows": data.rows,
        "good": good,
        "bad": len(rows) - good,
    }


@command()
def labels_export(
    studio: Studio,
    *,
    project: ProjectName,
    out: Annotated[Path, Param("File to write: .jsonl, .json or .parquet.")],
    format: Annotated[
        Literal["dpo", "kto", "reward", "label-studio"],
        Param("Trainer the rows are for, or all pairs with all votes for Label Studio (.json)."),
    ] = "dpo",
    rule: Annotated[
        Literal["majority", "unanimous", "each"], Param("Which votes become a row.")
    ] = "majority",
    min_strength: Annotated[int, Param("Leave out weaker votes.", min=1, max=4)] = 1,
    edits: Annotated[bool, Param("Use edited answers as the chosen ones.")] = True,
    test_fraction: Annotated[
        float, Param("Share of prompts that go to OUT.test instead.", min=0, max=0.9)
    ] = 0.0,
) -> Json:
    """Write a project's votes as rows for DPO, KTO or reward training."""
    from studio.labels import Rule, split_by_prompt
    from studio.labels.export import write_file

    if out.suffix not in (".jsonl", ".json", ".parquet"):
        raise ConfigError(
            f"{out.name} ends in {out.suffix or 'nothing'}; use .jsonl, .json, .parquet."
        )
    chosen = studio.labels.get(project)
    if format == "label-studio":
        return _label_studio(studio, chosen, out)
    made = studio.labels.export(chosen.id, format, Rule(rule, min_strength, edits))
    if not made.rows:
        reasons = ", ".join(f"{n} {why}" for why, n in made.summary.left_out.items())
        raise DataError(
            f"{chosen.name} has no votes that become {format} rows"
            f"{f' ({reasons})' if reasons else ''}; label some pairs first."
        )
    parts = split_by_prompt(made.rows, test_fraction)
    files = {"train": out, "test": out.with_name(f"{out.stem}.test{out.suffix}")}
    for split, rows in parts.items():
        if rows or split == "train":
            write_file(rows, files[split])
    test = len(parts["test"])
    value = {"file": str(out), "project": chosen.name, **made.summary.as_dict()}
    value |= {"test_file": str(files["test"]) if test else None, "train": len(parts["train"])}
    return value | {"test": test}


def _label_studio(studio: Studio, project: Project, out: Path) -> Json:
    from studio.labels.export import write_file
    from studio.labels.label_studio import tasks

    if out.suffix != ".json":
        raise ConfigError(f"Label Studio imports one JSON list: name {out.name} .json.")
    rows = tasks(studio.labels.labelled_pairs(project.id))
    used = sum(bool(row["annotations"]) for row in rows)
    if not used:
        raise DataError(f"{project.name} has no votes yet; label some pairs first.")
    write_file(rows, out)
    value = {"file": str(out), "project": project.name, "format": "label-studio"}
    value |= {"rows": len(rows), "items": len(rows), "used": used, "edited": 0, "left_out": {}}
    return value | {"rule": "all votes", "test_file": None, "train": len(rows), "test": 0}


@command()
def labels_import(
    studio: Studio,
    source: Annotated[
        list[Path],
        Param(
            "A table with a column per rater, AlpacaEval's annotations, or a folder of questions, "
            "answers and reviews."
        ),
    ],
    *,
    name: Annotated[str, Param("Name of the project; default: the file's.")] = "",
    scale: Annotated[
        Literal["", "1-2", "0-1"],
        Param("Scale of AlpacaEval's preference, from output_1 to output_2; default: as it shows."),
    ] = "",
) -> Json:
    """Import published pairs with their votes.

    They become a project that is labeled already. Every row is kept, so that results cover all that
    was published. Of AlpacaEval's annotations the win rate by their weights is told too, and the
    length-controlled one (without AlpacaEval's difficulty of instructions).
    """
    from studio.labels import import_published

    read = import_published.read_published(source, scale)
    made = import_published.bring_in(studio.labels, read, name)
    counts = {"pairs": made.items, "votes": made.done, "raters": read.raters, "rates": read.rates}
    return {"project": made.name, "project_id": made.id, **counts}
