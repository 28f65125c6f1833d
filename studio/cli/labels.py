"""`labels`: projects, pairs and votes on them, and rows for TRL's trainers out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.output import Json, Terminal, example, table
from studio.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from studio.labels import Project, ShownItem

app = typer.Typer(
    help="Labelling projects and what came of them.", no_args_is_help=True, rich_markup_mode=None
)


class Format(StrEnum):
    """TRL's trainers that can learn from votes."""

    dpo = "dpo"
    kto = "kto"
    reward = "reward"


class Choice(StrEnum):
    """A verdict on the two answers as they were shown."""

    left = "left"
    right = "right"
    tie = "tie"
    both_bad = "both_bad"
    skip = "skip"


class RuleName(StrEnum):
    """Which votes make a row (`studio.labels.Rule`)."""

    majority = "majority"
    unanimous = "unanimous"
    each = "each"


class Order(StrEnum):
    """In which order pairs are handed out."""

    random = "random"
    given = "given"
    uncertain = "uncertain"


ProjectName = Annotated[str, typer.Option(help="Labelling project, by name or id.")]
Annotator = Annotated[str, typer.Option(help="Whose verdict it is.")]
Item = Annotated[int, typer.Option(help="As `labels next` gives it.")]


@app.callback()
def _group() -> None:
    pass


@app.command("list", epilog=example("labels list"))
def list_projects(as_json: Json = False) -> None:
    """List labelling projects with how far they are, newest first."""
    with Terminal(as_json) as out:
        found = [
            {
                "project_id": one.id,
                "project": one.name,
                "question": one.question,
                "pairs": one.items,
                "judged": one.done,
            }
            for one in out.studio.labels.projects()
        ]
        rows = [(one["project_id"], one["project"], one["judged"], one["pairs"]) for one in found]
        out.result(found, table(rows, ("id", "project", "judged", "of")))


@app.command("create", epilog=example("labels create --dataset pairs --name first"))
def create(
    dataset: Annotated[
        str | None, typer.Option(help="Prepared comparison or preference data to judge.")
    ] = None,
    again: Annotated[
        str | None, typer.Option(metavar="PROJECT", help="Judge this project's pairs once more.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="RUN", help="With --again: the reward run it surprised.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the project; by default its source's.")] = "",
    question: Annotated[str, typer.Option(help="What is asked of the judges.")] = "",
    guidelines: Annotated[str, typer.Option(help="Markdown, shown above the pairs.")] = "",
    order: Annotated[Order, typer.Option(help="In which order pairs come.")] = Order.random,
    overlap: Annotated[int, typer.Option(help="People a pair; 0 is everyone.", min=0)] = 0,
    repeat_every: Annotated[
        int, typer.Option(help="Ask again about an earlier pair after so many votes.", min=0)
    ] = 0,
    reason: Annotated[
        list[str] | None, typer.Option(help="A reason to choose from; repeatable.")
    ] = None,
    aspect: Annotated[
        list[str] | None, typer.Option(help="An aspect to judge beside the verdict; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a labelling project of prepared pairs, or of a project judged before."""
    from studio.workflows import label_projects

    if bool(dataset) == bool(again) or (judge and not again):
        raise ConfigError("Give --dataset, or --again with or without --judge.")
    rules = {
        "question": question,
        "guidelines": guidelines,
        "order": order.value,
        "overlap": overlap,
        "repeat_every": repeat_every,
        "reasons": reason or [],
        "aspects": aspect or [],
    }
    with Terminal(as_json) as out:
        if again:
            made, added = label_projects.from_project(out.studio, again, judge, name, **rules)
        else:
            made, added = label_projects.from_dataset(out.studio, dataset or "", name, **rules)
        left = "".join(f", {count:,} set aside: {why}" for why, count in added.set_aside.items())
        told = {"project": made.name, "project_id": made.id, "added": added.added}
        told |= {"set_aside": added.set_aside}
        out.result(told, f"{made.name}: {added.added:,} pairs to judge{left}")


@app.command("show", epilog=example("labels show --project first --item 1"))
def show(
    project: ProjectName, item: Item, annotator: Annotator = "me", as_json: Json = False
) -> None:
    """Show one pair again, its sides as this person sees them; to judge it anew or to settle it."""
    with Terminal(as_json) as out:
        labels = out.studio.labels
        chosen = labels.get(project)
        _shown(out, chosen, labels.show(chosen.id, item, annotator))


@app.command("next", epilog=example("labels next --project first"))
def next_item(project: ProjectName, annotator: Annotator = "me", as_json: Json = False) -> None:
    """Show the pair to judge now: prompt and two answers, sides shuffled, nobody's name."""
    with Terminal(as_json) as out:
        labels = out.studio.labels
        chosen = labels.get(project)
        shown = labels.next_item(chosen.id, annotator)
        if shown is None:
            out.result(None, f"{chosen.name} has no pair left for {annotator}.")
            return
        _shown(out, chosen, shown)


def _shown(out: Terminal, chosen: Project, shown: ShownItem) -> None:
    found = {"item": shown.item_id, "question": chosen.question, "prompt": shown.prompt}
    asked = shown.prompt[-1]["content"] if shown.prompt else ""
    text = f"{asked}\n\nleft   {shown.left}\n\nright  {shown.right}"
    out.result(found | {"left": shown.left, "right": shown.right}, f"{shown.item_id}: {text}")


@app.command("vote", epilog=example("labels vote --project first --item 1 --choice left"))
def vote(
    project: ProjectName,
    item: Item,
    choice: Annotated[Choice, typer.Option(help="Which answer is better.")],
    annotator: Annotator = "me",
    strength: Annotated[int, typer.Option(help="How clearly, 1 to 4.", min=1, max=4)] = 2,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    settle: Annotated[
        bool, typer.Option("--settle", help="Decide a disagreement: this verdict alone counts.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Keep a verdict; a second one on the same pair is a new version of the first."""
    from studio.labels.types import ADJUDICATION

    with Terminal(as_json) as out:
        labels = out.studio.labels
        chosen = labels.get(project)
        receipt = labels.vote(
            chosen.id,
            item,
            annotator,
            choice.value,
            strength,
            note=note,
            turn=ADJUDICATION if settle else 0,
        )
        kept = {"vote": receipt.vote_id, "item": receipt.item_id, "version": receipt.version}
        out.result(kept, f"vote {receipt.vote_id} is kept.")


@app.command("undo", epilog=example("labels undo --project first"))
def undo(project: ProjectName, annotator: Annotator = "me", as_json: Json = False) -> None:
    """Take back somebody's last verdict; its pair is shown to them again."""
    with Terminal(as_json) as out:
        labels = out.studio.labels
        chosen = labels.get(project)
        shown = labels.undo(chosen.id, annotator)
        if shown is None:
            raise DataError(f"{annotator} has no verdict in {chosen.name} to take back.")
        out.result({"item": shown.item_id}, f"item {shown.item_id} is to be judged again.")


@app.command("retire", epilog=example("labels retire --project first --item 1"))
def retire(project: ProjectName, item: Item, as_json: Json = False) -> None:
    """Take a broken pair out: nobody is asked about it again, and its votes count nowhere."""
    with Terminal(as_json) as out:
        chosen = out.studio.labels.get(project)
        out.studio.labels.retire(chosen.id, item)
        out.result({"project": chosen.name, "item": item}, f"item {item} is taken out.")


@app.command(
    "export", epilog=example("labels export --project first --format dpo --out labels.jsonl")
)
def export(
    project: ProjectName,
    out: Annotated[Path, typer.Option(help="File to write: .jsonl, .json or .parquet.")],
    format: Annotated[Format, typer.Option(help="Trainer the rows are for.")] = Format.dpo,
    rule: Annotated[RuleName, typer.Option(help="Which votes make a row.")] = RuleName.majority,
    min_strength: Annotated[
        int, typer.Option(help="Leave out verdicts weaker than this, 1 to 4.", min=1, max=4)
    ] = 1,
    edits: Annotated[bool, typer.Option(help="Edited answers become the chosen ones.")] = True,
    test_fraction: Annotated[
        float, typer.Option(help="Share of prompts that go to OUT.test instead.", min=0.0, max=0.9)
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Write a project's votes as rows for DPO, KTO or reward training."""
    if out.suffix not in (".jsonl", ".json", ".parquet"):
        raise ConfigError(f"--out ends in {out.suffix or 'nothing'}; use .jsonl, .json, .parquet.")
    from studio.labels import Rule, split_by_prompt
    from studio.labels.export import write_file

    with Terminal(as_json) as terminal:
        labels = terminal.studio.labels
        chosen = labels.get(project)
        made = labels.export(chosen.id, format.value, Rule(rule.value, min_strength, edits))
        if not made.rows:
            reasons = ", ".join(f"{n} {why}" for why, n in made.summary.left_out.items())
            raise DataError(
                f"{chosen.name} has no votes that become {format.value} rows"
                f"{f' ({reasons})' if reasons else ''}; label some pairs first."
            )
        parts = split_by_prompt(made.rows, test_fraction)
        aside = out.with_name(f"{out.stem}.test{out.suffix}")
        write_file(parts["train"], out)
        if parts["test"]:
            write_file(parts["test"], aside)
        summary = {"file": str(out), "project": chosen.name, **made.summary.as_dict()}
        summary |= {"test_file": str(aside) if parts["test"] else None, "test": len(parts["test"])}
        left = "".join(f", {n:,} left out: {why}" for why, n in made.summary.left_out.items())
        held = f", {aside}: {len(parts['test']):,} rows" if parts["test"] else ""
        terminal.result(summary, f"{out}: {len(parts['train']):,} rows{held}{left}")


@app.command("import", epilog=example("labels import testset-v1.json --name pandalm"))
def bring_in(
    source: Annotated[
        list[Path],
        typer.Argument(help="A table with raters' columns, or a folder of questions and reviews."),
    ],
    name: Annotated[str, typer.Option(help="Name of the project; by default the file's.")] = "",
    as_json: Json = False,
) -> None:
    """Bring pairs in that were published with votes, as a project that is judged already.

    Every row is kept, so that its figures are over what was published.
    """
    from studio.labels import import_published

    with Terminal(as_json) as out:
        read = import_published.read_published(source)
        made = import_published.bring_in(out.studio.labels, read, name)
        summary = {"project": made.name, "project_id": made.id, "pairs": made.items}
        summary |= {"votes": made.done, "raters": read.raters}
        raters = len(read.raters)
        out.result(summary, f"{made.name}: {made.items:,} pairs, {made.done:,} votes of {raters}")
