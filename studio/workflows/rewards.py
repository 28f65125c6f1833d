"""Rewards with what this workspace holds: reward models, runs, rows, votes. Light to import."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError, DataError
from studio.core.messages import Message, prompt_and_references
from studio.evaluation.eval_rows import ScoreRows, load_rows
from studio.generation import judge_reward
from studio.generation.request import Column, GenerationRequest, Sampling, Snapshot
from studio.rewards.best_of_n import disagreement
from studio.rewards.report import histogram, report
from studio.rewards.spec import parse
from studio.rewards.suggest import Suggestion, suggest
from studio.rewards.weighted import Scorer, WeightedReward, preview, shown
from studio.workflows.sample_n import answer_n

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.labels.types import JudgedItem
    from studio.runs.recipe import Recipe
    from studio.runs.store import Run

_LOOKED_AT = 50  # rows of a dataset that rewards are suggested by
_ASKED, _ANSWER = 40, 128  # prompts, and tokens an answer, of a histogram


def models(studio: Studio) -> list[Run]:
    """Finished reward models, newest first."""
    return [
        run
        for run in studio.runs.list()
        if run.objective == "reward" and run.state == "finished" and (run.adapter or run.weights)
    ]


def scorers(
    studio: Studio, rewards: Sequence[str], rubric: str = "", budget: int = judge_reward.BUDGET
) -> dict[str, Scorer]:
    """Reward models and judges by the names they are asked for, each a call into the worker."""
    parts = parse(rewards)
    models = {part.run: partial(scores, studio, part.run) for part in parts if part.run}

    def ask(request: GenerationRequest) -> Snapshot:
        generation = studio.generate(request)
        generation.wait()
        return generation.snapshot()

    cache = studio.workspace.cache
    return {**models, **judge_reward.scorers(rewards, rubric, budget, studio.runs, ask, cache)}


def scores(
    studio: Studio, run: str, prompts: Sequence[list[Message]], answers: Sequence[str]
) -> list[float]:
    """What a reward model gives to each answer."""
    graded = studio.reward([f"model:{run}"], None, prompts, answers).result()
    return [one.total for one in graded]


def preview_rewards(studio: Studio, recipe: Recipe, count: int, n: int = 0) -> list[dict[str, Any]]:
    """What a recipe's rewards give before its run: see `studio.rewards.preview`.

    Args:
        count: rows of each of the recipe's datasets, held-out ones where there are any.
        n: answers that the starting model writes to each; 0 takes the rows' own.
    """
    judging = recipe.judge_rubric, recipe.judge_max_new_tokens
    mix = WeightedReward(
        recipe.reward_funcs, recipe.reward_weights, scorers(studio, recipe.reward_funcs, *judging)
    )
    rows = _first_rows(studio, recipe, count)
    if not n:
        return preview(mix, rows)
    column = Column(recipe.model_name_or_path, recipe.start_from)
    sampling = Sampling(
        temperature=recipe.temperature,
        top_p=recipe.top_p,
        seed=recipe.seed,
        max_new_tokens=recipe.max_completion_length,
    )
    prompts, answers, graded = answer_n(studio, column, rows, mix, n, sampling)
    return [
        shown(prompt, answer, one)
        for prompt, said, worth in zip(prompts, answers, graded, strict=True)
        for answer, one in zip(said, worth, strict=True)
    ]


def suggest_rewards(studio: Studio, recipe: Recipe) -> Suggestion | None:
    """Rewards that fit the rows of a recipe; None where they tell of none."""
    return suggest(_first_rows(studio, recipe, _LOOKED_AT))


def _first_rows(studio: Studio, recipe: Recipe, count: int) -> list[dict[str, Any]]:
    """The first rows of each of a recipe's datasets, of a mixture of all."""
    names = [entry.path for entry in recipe.datasets] or [recipe.dataset_name]
    return [row for name in names for row in load_rows(studio.datasets, name, count).rows]


# ---- how good a reward model is ------------------------------------------------------------------


def judge(
    studio: Studio,
    run: Run,
    data: str | None = None,
    project: str | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """The report on a reward model over held-out pairs, see `studio.rewards.report`.

    Args:
        data: pairs to judge on; the run's own held-out ones where left out.
        project: a labeling project by name or id, for the agreement with each person.
    """
    rows = load_rows(studio.datasets, data or str(run.data.get("id")), limit)
    if rows.type != "preference":
        raise DataError(f"A reward model is judged on pairs, and {rows.name} holds {rows.type}.")
    prompts, sides = _pairs(rows)
    texts = [text for pair in sides for text in pair]
    found = scores(studio, run.id, [prompt for prompt in prompts for _ in range(2)], texts)
    words = [(len(a.split()), len(b.split())) for a, b in sides]
    people = agreement(studio, run.id, project) if project else None
    same = [
        json.dumps([prompt, *sorted(pair)], sort_keys=True)
        for prompt, pair in zip(prompts, sides, strict=True)
    ]
    return report(found[::2], found[1::2], words, people, same) | {"data": rows.name, "run": run.id}


def _pairs(rows: ScoreRows) -> tuple[list[list[Message]], list[tuple[str, str]]]:
    """(prompts, (chosen, rejected) texts) of preference rows that have both answers."""
    prompts, sides = [], []
    for row in rows.rows:
        chosen, rejected = (
            prompt_and_references({"prompt": row["prompt"], "completion": row[side]})
            for side in ("chosen", "rejected")
        )
        if chosen and rejected and chosen[1] and rejected[1]:
            prompts.append(chosen[0])
            sides.append((chosen[1][0], rejected[1][0]))
    return prompts, sides


def reward_histogram(
    studio: Studio, run: Run, tuned: str, data: str | None = None, limit: int = _ASKED
) -> dict[str, Any]:
    """A histogram of a reward model's scores: the answers of a base, and of a run made from it.

    Args:
        tuned: the run, by id or name.
        data: where the prompts come from; the reward model's own held-out rows where left out.
    """
    other = studio.runs.get(tuned)
    rows = load_rows(studio.datasets, data or str(run.data.get("id")), limit).rows
    mix = WeightedReward([f"model:{run.id}"], None, {run.id: partial(scores, studio, run.id)})
    sampling = Sampling(temperature=1.0, max_new_tokens=_ANSWER)
    groups = {}
    for name, column in (
        ("base", Column(other.model)),
        (other.name, Column(other.model, other.id)),
    ):
        graded = answer_n(studio, column, rows, mix, 1, sampling)[2]
        groups[name] = [one.total for each in graded for one in each]
    return histogram(groups)


def agreement(studio: Studio, run: str, project: str) -> dict[str, tuple[int, int]]:
    """For each person (votes that the reward model agrees with, of how many decided ones)."""
    found: dict[str, tuple[int, int]] = {}
    for item, gap in margins(studio, run, project):
        for vote in item.votes:
            if vote.choice in ("a", "b"):
                right, of = found.get(vote.annotator, (0, 0))
                found[vote.annotator] = right + ((gap > 0) == (vote.choice == "a")), of + 1
    return found


def most_disputed(studio: Studio, run: str, project: str) -> list[dict[str, Any]]:
    """A project's items, those first where people and the reward model differ, then the unsure."""
    found = []
    for item, gap in margins(studio, run, project):
        for_a = sum(vote.choice == "a" for vote in item.votes)
        for_b = sum(vote.choice == "b" for vote in item.votes)
        found.append(
            {
                "item": item.item_id,
                "prompt": item.prompt[-1]["content"],
                "disagreement": disagreement(gap, for_a, for_b),
                "gap": gap,
                "votes": for_a + for_b,
            }
        )
    return sorted(found, key=lambda one: -one["disagreement"])


def margins(studio: Studio, run: str, project: str) -> list[tuple[JudgedItem, float]]:
    """Every item of a project with the reward model's gap between its answers a and b."""
    items = list(studio.labels.labelled_pairs(studio.labels.get(project).id))
    if not items:
        raise ConfigError(f"{project} has no items yet; make pairs first (pairs make).")
    prompts = [item.prompt for item in items for _ in range(2)]
    found = scores(studio, run, prompts, [t for i in items for t in (i.answer_a, i.answer_b)])
    return [(item, found[2 * at] - found[2 * at + 1]) for at, item in enumerate(items)]
