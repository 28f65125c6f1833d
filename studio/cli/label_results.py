"""`labels results`, `labels judge`, `labels rounds`: what came of the votes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.labels import ProjectName, app
from studio.cli.output import Json, Terminal, example, table
from studio.core.errors import ConfigError

if TYPE_CHECKING:
    from studio.generation.request import Column
    from studio.workflows.rounds import Duel, Round


@app.command("results", epilog=example("labels results --project first"))
def results(project: ProjectName, as_json: Json = False) -> None:
    """Say who won and how sure that is, how far people agree, and what they lean to."""
    from studio.labels.annotator_report import report
    from studio.labels.win_rate_report import duels, strengths

    with Terminal(as_json) as out:
        labels = out.studio.labels
        chosen = labels.get(project)
        judged = list(labels.labelled_pairs(chosen.id))
        rates = duels(judged)
        ladder, why = strengths(rates)
        found = report(judged, labels.repeat_votes(chosen.id))
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
        [
            f"{each['a']} or {each['b']}",
            each["wins"],
            each["ties"],
            each["losses"],
            each["both_bad"],
            _share({"value": each["decisive_rate"], **each}),
            _share(each["half_win"]),
            _share(each["length_controlled"]),
            f"{each['p_value']:.2g}",
            each["further"],
        ]
        for each in found
    ]
    heads = (
        "duel",
        "won",
        "ties",
        "lost",
        "both bad",
        "of decided",
        "half ties",
        "same length",
        "sign test",
        "votes wanting",
    )
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
    from studio.labels import llm_judge as judges
    from studio.workflows import judge_pairs

    with Terminal(as_json) as out:
        labels = out.studio.labels
        chosen = labels.get(project)
        column = _judge_column(out, judge)
        sides = judges.by_models(labels.labelled_pairs(chosen.id))
        if not sides:
            raise ConfigError(f"{chosen.name} has no pairs to judge.")
        with out.progress("Asking the judge") as report:
            found = [
                judge_pairs.ask(
                    out.studio, pairs, column, a, b, question or chosen.question, report
                )
                for (a, b), pairs in sides.items()
            ]
        out.result(
            {"project": chosen.name, "duels": found},
            "\n".join([duel_table(found), "", *map(_judged, found)]),
        )


def _judge_column(out: Terminal, name: str) -> Column:
    from studio.generation import openai_endpoint
    from studio.generation.request import Column

    kind, _, rest = name.partition(":")
    if kind == "api" and rest:
        return openai_endpoint.column(rest)
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


@app.command("rounds", epilog=example("labels rounds"))
def rounds(as_json: Json = False) -> None:
    """Show the rounds there were: which run learned from whose votes, and how it fared since."""
    from studio.workflows.rounds import lineages

    with Terminal(as_json) as out:
        found = lineages(out.studio)
        told = [
            {
                "start": line.start.id if line.start else None,
                "rounds": [_round(r) for r in line.rounds],
            }
            for line in found
        ]
        rows = [
            [
                line.start.name if line.start else "base",
                each.number,
                each.run.name,
                each.votes.get("votes"),
                *_met(met),
            ]
            for line in found
            for each in line.rounds
            for met in each.duels or [None]
        ]
        heads = ("start", "round", "run", "votes", "duel", "judged", "won, ties as half")
        out.result(told, table(rows, heads) if rows else "No run has learned from votes yet.")


def _met(duel: Duel | None) -> list[object]:
    if duel is None:
        return [None, None, None]
    judged = duel.rate.judged if duel.rate else 0
    return [duel.name, judged, percent(duel.share.value) if duel.share else None]


def _round(each: Round) -> dict[str, Any]:
    duels = [
        {
            "project": met.name,
            "project_id": met.project,
            "opponent": met.opponent,
            "pairs": met.items,
            "rate": met.rate.as_dict() if met.rate else None,
            "share": met.share.as_dict() if met.share else None,
        }
        for met in each.duels
    ]
    return {"round": each.number, "run_id": each.run.id, "votes": each.votes, "duels": duels}
