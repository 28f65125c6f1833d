"""`rewards`: what answers are worth, how good a reward model is, and what to do with both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.generate import Limit, NewTokens, Seed
from studio.cli.output import Json, Terminal, example, table
from studio.errors import ConfigError, DataError

if TYPE_CHECKING:
    from studio.generation.request import Message
    from studio.studio import Studio

app = typer.Typer(
    help="Rewards: try them, judge a reward model, pick the best of n.",
    no_args_is_help=True, rich_markup_mode=None,
)  # fmt: skip
Rewards = Annotated[
    list[str],
    typer.Option(help="exact, numeric, contains (each :COLUMN), pattern:REGEX, length:5-28, "
                 "format:think or model:RUN; repeatable."),
]  # fmt: skip
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
        from studio.rewards import Mix
        from studio.rewards import preview as tried
        from studio.scoring import load_rows

        rows = load_rows(out.studio, data, limit).rows
        mix = Mix(reward, weight, _scorers(out.studio, reward))
        found = tried(mix, rows, answer)
        lines = [
            [f"{one['reward']:.3g}", *(f"{value:.3g}" for value in one["parts"].values()),
             one["answer"].replace("\n", " ")[:60]]
            for one in found
        ]  # fmt: skip
        out.result(found, table(lines, ["reward", *(p.name for p in mix.parts), "answer"]))


def _scorers(studio: Studio, rewards: list[str]) -> dict[str, Any]:
    """Reward models by the name they are asked for, each a call into the worker."""
    from studio.rewards import parse

    def scorer(text: str) -> Any:
        def score(prompts: list[list[Message]], answers: list[str]) -> list[float]:
            return [one.total for one in studio.reward([text], None, prompts, answers).result()]

        return score

    return {part.run: scorer(part.text) for part in parse(rewards) if part.run}


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
        from studio.rewards.report import report as judged
        from studio.scoring import load_rows

        model = out.studio.runs.get(run)
        rows = load_rows(out.studio, data or str(model.data.get("id")), limit)
        if rows.type != "preference":
            raise DataError(
                f"A reward model is judged on pairs, and {rows.name} holds {rows.type}."
            )
        sides = [
            [turn["content"] for turn in (row["chosen"][-1], row["rejected"][-1])]
            if isinstance(row["chosen"], list) else [row["chosen"], row["rejected"]]
            for row in rows.rows
        ]  # fmt: skip
        from studio.scoring.rows import asked_of

        prompts = [asked[0] for row in rows.rows if (asked := asked_of(row)) for _ in range(2)]
        scores = _scores(out.studio, model.id, prompts, [text for pair in sides for text in pair])
        people = _people(out.studio, model.id, project) if project else None
        words = [(len(a.split()), len(b.split())) for a, b in sides]
        found = judged(scores[::2], scores[1::2], words, people) | {"data": rows.name}
        out.result(found, _told(found))


def _scores(studio: Studio, run: str, prompts: list[Any], answers: list[str]) -> list[float]:
    graded = studio.reward([f"model:{run}"], None, prompts, answers).result()
    return [one.total for one in graded]


def _judged(studio: Studio, run: str, project: str) -> list[tuple[Any, float]]:
    """Every item of a project with the reward model's gap between its answers a and b."""
    from studio.preference.again import gaps

    known = {p.name: p.id for p in studio.labels.projects()}
    items = list(studio.labels.judged(known.get(project, project)))
    if not items:
        raise ConfigError(f"{project} has no items yet; make pairs first (pairs make).")
    return list(zip(items, gaps(studio, run, items), strict=True))


def _people(studio: Studio, run: str, project: str) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for item, gap in _judged(studio, run, project):
        for vote in item.votes:
            if vote.choice in ("a", "b"):
                right, of = found.get(vote.annotator, (0, 0))
                found[vote.annotator] = right + ((gap > 0) == (vote.choice == "a")), of + 1
    return found


def _told(found: dict[str, Any]) -> str:
    def share(one: dict[str, Any]) -> str:
        return (f"{100 * one['value']:.1f} % ({100 * one['low']:.0f} to {100 * one['high']:.0f} %, "
                f"{one['count']} judged)")  # fmt: skip

    bins = [
        [f"{one['gap']:.2f}", f"{100 * one['expected']:.0f} %", f"{100 * one['observed']:.0f} %",
         str(one["count"])]
        for one in found["calibration"]["bins"]
    ]  # fmt: skip
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
        from studio.generation.request import Column, Sampling
        from studio.rewards import Mix
        from studio.rewards.best import answer_n
        from studio.rewards.using import best_rows, gain
        from studio.scoring import load_rows

        found = out.studio.runs.get(run)
        column = Column(found.model, found.id, label=found.name)
        sampling = Sampling(temperature=temperature, max_new_tokens=max_new_tokens, seed=seed)
        mix = Mix(reward, weight, _scorers(out.studio, reward))
        rows = load_rows(out.studio, data, limit).rows
        prompts, answers, graded = answer_n(out.studio, column, rows, mix, n, sampling)
        totals = [[one.total for one in each] for each in graded]
        curve = gain(totals)
        result: dict[str, Any] = {"n": n, "prompts": len(prompts), "gain": curve}
        kept = best_rows(prompts, answers, totals)
        result["best"] = [
            {"prompt": row["prompt"][-1]["content"], "answer": row["completion"][0]["content"],
             "reward": row["reward"]} for row in kept
        ]  # fmt: skip
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
        from studio.rewards.using import disagreement

        model = out.studio.runs.get(run)
        found = []
        for item, gap in _judged(out.studio, model.id, project):
            for_a = sum(vote.choice == "a" for vote in item.votes)
            for_b = sum(vote.choice == "b" for vote in item.votes)
            found.append({
                "item": item.item_id, "prompt": item.prompt[-1]["content"],
                "disagreement": disagreement(gap, for_a, for_b), "gap": gap,
                "votes": for_a + for_b,
            })  # fmt: skip
        found.sort(key=lambda one: -one["disagreement"])
        found = found[:limit]
        lines = [[str(one["item"]), f"{one['disagreement']:.2f}", f"{one['gap']:+.2f}",
                  str(one["votes"]), one["prompt"][:60]] for one in found]  # fmt: skip
        out.result(found, table(lines, ["item", "disagreement", "gap", "votes", "prompt"]))
