"""`labels`: published votes in, figures and rows for TRL's trainers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.output import Json, Terminal, example, table
from studio.errors import ConfigError, DataError

if TYPE_CHECKING:
    from studio.generation.request import Column

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
    """Which votes make a row (`studio.preference.Rule`)."""

    majority = "majority"
    unanimous = "unanimous"
    each = "each"


ProjectName = Annotated[str, typer.Option(help="Labelling project, by name or id.")]
Annotator = Annotated[str, typer.Option(help="Whose verdict it is.")]


@app.callback()
def _group() -> None:
    pass


@app.command("list", epilog=example("labels list"))
def list_projects(as_json: Json = False) -> None:
    """List labelling projects with how far they are, newest first."""
    with Terminal(as_json) as out:
        found = [
            {"project_id": one.id, "project": one.name, "question": one.question,
             "pairs": one.items, "judged": one.done}
            for one in out.studio.labels.projects()
        ]  # fmt: skip
        rows = [(one["project_id"], one["project"], one["judged"], one["pairs"]) for one in found]
        out.result(found, table(rows, ("id", "project", "judged", "of")))


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
        found = {"item": shown.item_id, "question": chosen.question, "prompt": shown.prompt}
        text = f"{shown.prompt[-1]['content']}\n\nleft   {shown.left}\n\nright  {shown.right}"
        out.result(found | {"left": shown.left, "right": shown.right}, f"{shown.item_id}: {text}")


@app.command("vote", epilog=example("labels vote --project first --item 1 --choice left"))
def vote(
    project: ProjectName,
    item: Annotated[int, typer.Option(help="As `labels next` gives it.")],
    choice: Annotated[Choice, typer.Option(help="Which answer is better.")],
    annotator: Annotator = "me",
    strength: Annotated[int, typer.Option(help="How clearly, 1 to 4.", min=1, max=4)] = 2,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: Json = False,
) -> None:
    """Keep a verdict; a second one on the same pair is a new version of the first."""
    with Terminal(as_json) as out:
        labels = out.studio.labels
        chosen = labels.get(project)
        receipt = labels.vote(chosen.id, item, annotator, choice.value, strength, note=note)
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
        float,
        typer.Option(help="Share of prompts that go to OUT.test instead.", min=0.0, max=0.9),
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Write a project's votes as rows for DPO, KTO or reward training."""
    if out.suffix not in (".jsonl", ".json", ".parquet"):
        raise ConfigError(f"--out ends in {out.suffix or 'nothing'}; use .jsonl, .json, .parquet.")
    from studio.preference import Rule, split_by_prompt
    from studio.preference.export import write_file

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
    from studio.preference import published

    with Terminal(as_json) as out:
        read = published.read_published(source)
        made = published.bring_in(out.studio.labels, read, name)
        summary = {"project": made.name, "project_id": made.id, "pairs": made.items}
        summary |= {"votes": made.done, "raters": read.raters}
        raters = len(read.raters)
        out.result(summary, f"{made.name}: {made.items:,} pairs, {made.done:,} votes of {raters}")


@app.command("results", epilog=example("labels results --project first"))
def results(
    project: ProjectName,
    as_json: Json = False,
) -> None:
    """Say who won and how sure that is, how far people agree, and what they lean to."""
    from studio.preference.report import report
    from studio.preference.standings import duels, strengths

    with Terminal(as_json) as out:
        labels = out.studio.labels
        chosen = labels.get(project)
        judged = list(labels.judged(chosen.id))
        rates = duels(judged)
        ladder, why = strengths(rates)
        found = report(judged, labels.second_looks(chosen.id))
        agreed = found["agreement"]
        alpha = "" if agreed["alpha"] is None else f", alpha {agreed['alpha']:.3f}"
        lines = [
            duel_table(rates) if rates else "No verdicts yet.",
            *_ladder(ladder, why),
            "",
            f"{agreed['unanimous']:,} of {agreed['shared']:,} shared pairs unanimous, "
            f"agreement {percent(agreed['raw'])}{alpha}",
            f"left taken {percent(found['left']['share'])} of {found['left']['count']:,}, "
            f"longer {percent(found['longer']['share'])} of {found['longer']['count']:,}",
        ]
        summary = {"project": chosen.name, "items": len(judged), "results": rates, "report": found}
        out.result(summary | {"strengths": ladder}, "\n".join(lines))


def duel_table(found: Sequence[Mapping[str, Any]]) -> str:
    """A line a duel: counts, win rates with their 95 % intervals, and what is still wanting."""
    rows = [
        [f"{each['a']} or {each['b']}", each["wins"], each["ties"], each["losses"],
         each["both_bad"], _share({"value": each["decisive_rate"], **each}),
         _share(each["half_win"]), _share(each["length_controlled"]), f"{each['p_value']:.2g}",
         each["further"]]
        for each in found
    ]  # fmt: skip
    heads = ("duel", "won", "ties", "lost", "both bad", "of decided", "half ties", "same length",
             "sign test", "votes wanting")  # fmt: skip
    return table(rows, heads)


def _share(figure: Mapping[str, Any] | None) -> str | None:
    if figure is None or figure["value"] is None:
        return None
    return f"{percent(figure['value'])} [{percent(figure['low'])}, {percent(figure['high'])}]"


def _ladder(found: Sequence[Mapping[str, Any]], why: str | None) -> list[str]:
    rows = [
        [each["name"], f"{each['strength']:+.2f} [{each['low']:+.2f}, {each['high']:+.2f}]"]
        for each in found
    ]
    lines = [table(rows, ("model", "Bradley-Terry strength"))] if rows else [why] if why else []
    return ["", *lines] if lines else []


@app.command("judge", epilog=example("labels judge --project first --judge api:served-model"))
def judge(
    project: Annotated[str, typer.Option(help="Labelling project, by name or id.")],
    judge: Annotated[
        str, typer.Option(help="A run, base:MODEL, or api:MODEL on the server of the settings.")
    ],
    question: Annotated[str, typer.Option(help="What is asked; the project's if none.")] = "",
    as_json: Json = False,
) -> None:
    """Let a model judge a project's pairs; its verdicts never mix with people's.

    Both orders are asked; where they disagree it counts as a tie, and the flip rate says how often.
    """
    from studio.preference import judge as judges

    with Terminal(as_json) as out:
        labels = out.studio.labels
        chosen = labels.get(project)
        column = _judge_column(out, judge)
        sides = judges.by_models(labels.judged(chosen.id))
        if not sides:
            raise ConfigError(f"{chosen.name} has no pairs to judge.")
        with out.progress("Asking the judge") as report:
            found = [
                judges.ask(out.studio, pairs, column, a, b, question or chosen.question, report)
                for (a, b), pairs in sides.items()
            ]
        out.result(
            {"project": chosen.name, "duels": found},
            "\n".join([duel_table(found), "", *map(_judged, found)]),
        )


def _judge_column(out: Terminal, name: str) -> Column:
    from studio.generation import endpoint
    from studio.generation.request import Column

    kind, _, rest = name.partition(":")
    if kind == "api" and rest:
        return endpoint.column(rest)
    if kind == "base" and rest:
        return Column(rest)
    run = out.studio.runs.get(name)
    return Column(run.model, run.id, run.name)


def _judged(found: Mapping[str, Any]) -> str:
    flips, first = found["flips"], found["first"]
    unread = f", {found['unread']:,} replies not readable" if found["unread"] else ""
    return (
        f"{found['judge']}: {found['pairs']:,} pairs asked in both orders, "
        f"{percent(flips['value'])} changed with the order (ties), "
        f"first shown taken {percent(first['value'])} of "
        f"{first['count']:,}{unread}"
    )


def percent(share: float | None) -> str:
    """A share for people: `68 %`, or a dash where there is none."""
    return "-" if share is None else f"{share:.0%}".replace("%", " %")
