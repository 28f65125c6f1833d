"""`rewards`: what answers are worth, how good a reward model is, and what to do with both."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from studio.cli.generate import Limit, NewTokens, Seed
from studio.cli.output import Json, Terminal, example, table

app = typer.Typer(
    help="Rewards: try them, judge a reward model, pick the best of n.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Rewards = Annotated[
    list[str],
    typer.Option(
        help="exact, numeric, contains (each :COLUMN), pattern:REGEX, length:5-28, "
        "format:think or model:RUN; repeatable."
    ),
]
Weights = Annotated[list[float] | None, typer.Option(help="A weight for each, in order.")]
Data = Annotated[str, typer.Option(help="A file, a sample, or a prepared dataset.")]


@app.callback()
def _group() -> None:
    pass


@app.command(
    "preview",
    epilog=example("rewards preview --data pocket-preference --reward length:3-28 --limit 2"),
)
def preview(
    data: Data,
    reward: Rewards,
    weight: Weights = None,
    answer: Annotated[
        list[str] | None, typer.Option(help="An answer to the first row; else the rows' own.")
    ] = None,
    limit: Limit = 5,
    as_json: Json = False,
) -> None:
    """What a reward gives to sample answers, part by part, before any run."""
    with Terminal(as_json) as out:
        from studio.evaluation import load_rows
        from studio.rewards import WeightedReward
        from studio.rewards import preview as tried
        from studio.workflows.rewards import scorers

        rows = load_rows(out.studio.datasets, data, limit).rows
        mix = WeightedReward(reward, weight, scorers(out.studio, reward))
        found = tried(mix, rows, answer)
        lines = [
            [
                f"{one['reward']:.3g}",
                *(f"{value:.3g}" for value in one["parts"].values()),
                one["answer"].replace("\n", " ")[:60],
            ]
            for one in found
        ]
        out.result(found, table(lines, ["reward", *(p.name for p in mix.parts), "answer"]))


@app.command("report", epilog=example("rewards report --run pocket-reward"))
def report(
    run: Annotated[str, typer.Option(help="Finished reward model, by id or name.")],
    data: Annotated[
        str | None, typer.Option(help="Pairs to judge on; the run's held-out ones if none.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Labelling project: agreement with each person.")
    ] = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Accuracy, calibration, length and agreement of a reward model on held-out pairs."""
    with Terminal(as_json) as out:
        from studio.workflows.rewards import judge

        found = judge(out.studio, out.studio.runs.get(run), data, project, limit)
        out.result(found, _told(found))


def _told(found: dict[str, Any]) -> str:
    def share(one: dict[str, Any]) -> str:
        return (
            f"{100 * one['value']:.1f} % ({100 * one['low']:.0f} to {100 * one['high']:.0f} %, "
            f"{one['count']} judged)"
        )

    bins = [
        [
            f"{one['gap']:.2f}",
            f"{100 * one['expected']:.0f} %",
            f"{100 * one['observed']:.0f} %",
            str(one["count"]),
        ]
        for one in found["calibration"]["bins"]
    ]
    related = found["length"]["correlation"]
    lines = [
        f"{found['data']}",
        f"accuracy   {share(found['accuracy'])}",
        f"margin     {found['margin']:.2f}",
        f"length     correlation {related:.2f}" if related is not None else "length     the same",
        *([found["length"]["warning"]] if found["length"]["warning"] else []),
        *(f"{name}: agrees in {share(one)}" for name, one in found["annotators"].items()),
        "",
        table(bins, ["gap", "Bradley-Terry", "observed", "pairs"]),
    ]
    return "\n".join(lines)


@app.command(
    "best",
    epilog=example(
        "rewards best --run pocket-sft --data pocket-prompts --reward length:3-28 --n 4"
    ),
)
def best(
    run: Annotated[str, typer.Option(help="Who answers: a finished run, by id or name.")],
    data: Data,
    reward: Rewards,
    weight: Weights = None,
    n: Annotated[int, typer.Option(help="Answers to each prompt.", min=2, max=256)] = 8,
    save: Annotated[
        str | None, typer.Option(help="Keep the best answers as a dataset of this name, for SFT.")
    ] = None,
    least: Annotated[
        float | None, typer.Option(help="Leave out prompts whose best reward is lower.")
    ] = None,
    limit: Limit = None,
    temperature: Annotated[float, typer.Option(help="Spread of the answers.", min=0.01)] = 1.0,
    max_new_tokens: NewTokens = 128,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Write n answers to each prompt, show the best, and the gain over n; optionally keep them."""
    with Terminal(as_json) as out:
        from studio.evaluation import load_rows
        from studio.generation.request import Column, Sampling
        from studio.rewards import WeightedReward
        from studio.rewards.best_of_n import best_rows, gain
        from studio.workflows.rewards import scorers
        from studio.workflows.sample_n import answer_n

        found = out.studio.runs.get(run)
        column = Column(found.model, found.id, label=found.name)
        sampling = Sampling(temperature=temperature, max_new_tokens=max_new_tokens, seed=seed)
        mix = WeightedReward(reward, weight, scorers(out.studio, reward))
        rows = load_rows(out.studio.datasets, data, limit).rows
        prompts, answers, graded = answer_n(out.studio, column, rows, mix, n, sampling)
        totals = [[one.total for one in each] for each in graded]
        curve = gain(totals)
        result: dict[str, Any] = {"n": n, "prompts": len(prompts), "gain": curve}
        kept = best_rows(prompts, answers, totals)
        result["best"] = [
            {
                "prompt": row["prompt"][-1]["content"],
                "answer": row["completion"][0]["content"],
                "reward": row["reward"],
            }
            for row in kept
        ]
        if save:
            chosen = best_rows(prompts, answers, totals, least)
            provenance = {"run": found.id, "rewards": list(reward), "best_of": n}
            made = out.studio.datasets.from_rows(chosen, "prompt_completion", save, provenance)
            result["dataset"] = {"id": made.id, "name": made.name, "rows": sum(made.rows.values())}
        lines = [[str(k), f"{value:.3f}"] for k, value in enumerate(curve, 1)]
        text = table(lines, ["best of", "reward"])
        if save:
            text += f"\n\nkept {result['dataset']['rows']} rows as {save}"
        out.result(result, text)


@app.command("order", epilog=example("rewards order --run pocket-reward --project first"))
def order(
    run: Annotated[str, typer.Option(help="Finished reward model, by id or name.")],
    project: Annotated[str, typer.Option(help="Labelling project, by name or id.")],
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Items to label next: where people and the reward model differ, then where it is unsure."""
    with Terminal(as_json) as out:
        from studio.workflows.rewards import most_disputed

        model = out.studio.runs.get(run)
        found = most_disputed(out.studio, model.id, project)[:limit]
        lines = [
            [
                str(one["item"]),
                f"{one['disagreement']:.2f}",
                f"{one['gap']:+.2f}",
                str(one["votes"]),
                one["prompt"][:60],
            ]
            for one in found
        ]
        out.result(found, table(lines, ["item", "disagreement", "gap", "votes", "prompt"]))
