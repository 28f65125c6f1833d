"""`rewards`: try reward functions, evaluate a reward model, pick the best of n answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from studio.commands.base import Json, Limit, OnProgress, Param, Rows, RunName, command, silent
from studio.commands.generate import NewTokens, Seed, sampling_of

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.rewards.weighted import WeightedReward

_REWARDS = (
    "exact, numeric, contains, math, tool_call (each :COLUMN), pattern:REGEX, length:5-28, "
    "overlong:80-120, format:think, language:de, schema:COLUMN, code:COLUMN, judge:MODEL or "
    "model:RUN; repeatable."
)
Rewards = Annotated[list[str], Param(_REWARDS)]
Rubric = Annotated[str, Param("What a judge rates by, in Markdown; default: help and correctness.")]
Weights = Annotated[list[float] | None, Param("One weight per reward, in order; repeatable.")]


@command(read_only=True)
def rewards_preview(
    studio: Studio,
    *,
    data: Rows,
    reward: Annotated[
        list[str] | None, Param(f"Default: what fits the rows. Else {_REWARDS}")
    ] = None,
    weight: Weights = None,
    rubric: Rubric = "",
    answer: Annotated[
        list[str] | None, Param("Answer to the first row; default: the rows' own; repeatable.")
    ] = None,
    limit: Limit = 5,
) -> list[Json]:
    """Show what rewards give to sample answers, before any run.

    Without a reward, the one that fits the rows: mathematics, calls, JSON, code with tests.
    """
    from studio.core.errors import ConfigError
    from studio.evaluation import load_rows
    from studio.rewards import preview
    from studio.rewards.suggest import suggest

    rows = load_rows(studio.datasets, data, limit).rows
    if not reward:
        found = suggest(rows)
        if found is None:
            raise ConfigError(
                "These rows do not show which reward fits; name one, such as length:1-30."
            )
        reward = list(found.rewards)
    return preview(_weighted(studio, reward, weight, rubric), rows, answer)


@command(read_only=True)
def rewards_report(
    studio: Studio,
    *,
    run: RunName,
    data: Annotated[str | None, Param("Preference rows; default: the run's test split.")] = None,
    project: Annotated[str | None, Param("Labeling project to measure agreement with.")] = None,
    limit: Limit = None,
) -> Json:
    """Evaluate a reward model on held-out pairs.

    Reports accuracy, calibration, length bias, and agreement with annotators.
    """
    from studio.workflows.rewards import judge

    return judge(studio, studio.runs.get(run), data, project, limit)


@command()
def rewards_best(
    studio: Studio,
    *,
    run: RunName,
    data: Rows,
    reward: Rewards,
    weight: Weights = None,
    rubric: Rubric = "",
    n: Annotated[int, Param("Answers per prompt.", min=2, max=256)] = 8,
    save: Annotated[str | None, Param("Save the best answers as a dataset of this name.")] = None,
    pairs: Annotated[
        str | None,
        Param("Save the best and worst answers as preference rows of this name, with margins."),
    ] = None,
    min_reward: Annotated[float | None, Param("Save no answer whose reward is lower.")] = None,
    limit: Limit = None,
    temperature: Annotated[float, Param("Sampling temperature.", min=0.01)] = 1.0,
    max_new_tokens: NewTokens = 128,
    seed: Seed = 0,
    on_progress: OnProgress = silent,
) -> Json:
    """Sample n answers per prompt, and show the best.

    Also shows the gain over n. The best answers can be saved as a dataset for rejection-sampling
    SFT.
    """
    from studio.evaluation import load_rows
    from studio.generation.request import Column
    from studio.rewards.best_of_n import best_rows, gain
    from studio.rewards.pairs import best_and_worst
    from studio.workflows import rewarded_pairs
    from studio.workflows.sample_n import answer_n

    found = studio.runs.get(run)
    sampling = sampling_of(locals())
    weighted = _weighted(studio, reward, weight, rubric)
    rows = load_rows(studio.datasets, data, limit).rows
    on_progress(0, None, "Answering")
    column = Column(found.model, found.id, label=found.name)
    prompts, answers, graded = answer_n(studio, column, rows, weighted, n, sampling)
    totals = [[one.total for one in each] for each in graded]
    best = [
        {
            "prompt": row["prompt"][-1]["content"],
            "answer": row["completion"][0]["content"],
            "reward": row["reward"],
        }
        for row in best_rows(prompts, answers, totals)
    ]
    value: Json = {"n": n, "prompts": len(prompts), "gain": gain(totals), "best": best}
    if save:
        kept = best_rows(prompts, answers, totals, min_reward)
        made_by = {"run": found.id, "rewards": list(reward), "best_of": n}
        made = studio.datasets.from_rows(kept, "prompt_completion", save, made_by)
        value["dataset"] = {"id": made.id, "name": made.name, "rows": sum(made.rows.values())}
    if pairs:
        made_by = {"run": found.id, "rewards": list(reward), "best_of": n}
        chosen = best_and_worst(prompts, answers, totals)
        made = rewarded_pairs.dataset(studio, chosen, pairs, made_by)
        value["pairs"] = {"id": made.id, "name": made.name, "rows": sum(made.rows.values())}
    return value


@command()
def rewards_rounds(
    studio: Studio,
    *,
    run: RunName,
    data: Rows,
    reward: Rewards,
    weight: Weights = None,
    rubric: Rubric = "",
    rounds: Annotated[int, Param("Rounds at most.", min=1, max=100)] = 3,
    n: Annotated[int, Param("Answers per prompt, of which best and worst are a pair.", min=2)] = 4,
    objective: Annotated[str, Param("dpo, or grpo with the same rewards.")] = "dpo",
    set: Annotated[dict[str, Any] | None, Param("Change a recipe parameter; repeatable.")] = None,
    prompts: Annotated[int, Param("Prompts a round.", min=1)] = 200,
    held_out: Annotated[float, Param("Share of the prompts for duels.", min=0.01, max=0.9)] = 0.25,
    limit: Limit = None,
    temperature: Annotated[float, Param("Sampling temperature.", min=0.01)] = 1.0,
    max_new_tokens: NewTokens = 128,
    seed: Seed = 0,
    on_progress: OnProgress = silent,
) -> Json:
    """Repeat pairs, training and a duel, with a reward or a judge in place of people.

    Ends early where two duels in a row are even (their interval includes 50 %). Every round is an
    ordinary project of pairs, an ordinary run, and a blind project of new against old.
    """
    from dataclasses import asdict

    from studio.core.messages import prompt_and_references
    from studio.evaluation import load_rows
    from studio.workflows.reward_rounds import Rounds, RoundsPlan

    rows = load_rows(studio.datasets, data, limit).rows
    asked = [found[0] for row in rows if (found := prompt_and_references(row))]
    plan = RoundsPlan(
        run,
        tuple(reward),
        tuple(weight) if weight else None,
        rubric,
        rounds,
        n,
        objective,
        set or {},
        held_out,
        prompts,
        temperature,
        max_new_tokens,
        seed,
    )
    work = Rounds(studio, plan, asked, on_progress=on_progress)
    outcomes = [asdict(one) | {"even": one.even} for one in work.run()]
    return {"id": work.id, "rounds": outcomes}


def _weighted(
    studio: Studio, reward: list[str], weight: list[float] | None, rubric: str
) -> WeightedReward:
    from studio.rewards import WeightedReward
    from studio.workflows.rewards import scorers

    return WeightedReward(reward, weight, scorers(studio, reward, rubric))
