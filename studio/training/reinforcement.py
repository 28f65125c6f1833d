"""Reinforcement learning: what GRPO and RLOO need beside the other objectives. Light.

TRL's trainers write the answers (with transformers), judge them within groups and update. Here:
rows that keep what answers are compared with, reward functions in the form TRL calls, the
arithmetic of groups and batches, and the reference of methods that train no plain adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from studio.errors import ConfigError, DataError, StudioError
from studio.rewards import Mix, Part, parse, references
from studio.scoring.rows import asked_of
from studio.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from studio.calculator.plan import Plan
    from studio.recipe import Recipe
    from studio.training.runs import Run, RunStore


def refusals(values: Any) -> Iterator[str]:
    """Why a recipe's rewards, groups and hold on the reference cannot be: sentences."""
    row = OBJECTIVES[values.objective]
    if not row.rewarded:
        if not values.beta:
            yield f"beta must be above 0 for {row.label}; only GRPO and RLOO can do without"
        return
    if values.reward_funcs:
        try:
            Mix(values.reward_funcs, values.reward_weights)
        except StudioError as problem:
            yield str(problem).removesuffix(".")
    if values.accelerate_config != "single":
        yield f"{row.label} runs as one process here; leave accelerate_config at single"
    together = values.per_device_train_batch_size * values.gradient_accumulation_steps
    if together % values.num_generations:
        yield (
            f"a step has {together} answers (per_device_train_batch_size x "
            f"gradient_accumulation_steps), which num_generations {values.num_generations} does "
            "not divide into whole groups"
        )


def settings(recipe: Recipe) -> dict[str, Any]:
    """What TRL's config is given for them beside the recipe's own names."""
    return {
        "use_vllm": False,
        "log_completions": False,
        "per_device_eval_batch_size": recipe.num_generations,
        "remove_unused_columns": False,
    }


def planned_steps(recipe: Recipe | Plan, rows: int) -> int:
    """Optimizer steps over so many prompts: a step has whole groups of answers."""
    together = recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps
    groups = max(1, together // recipe.num_generations)
    return max(1, round(rows // groups * recipe.num_iterations * recipe.num_train_epochs))


# ---- rewards ------------------------------------------------------------------------------------


def check_scores(run: Run, waiting: bool = False) -> None:
    """Refuse a run that is no finished reward model, or none on its way where that will do."""
    if run.objective != "reward":
        raise ConfigError(
            f"{run.name} learned {run.objective}, and only a run of the objective reward scores "
            "answers; choose such a run."
        )
    if run.adapter is None and run.weights is None and not (waiting and run.live):
        raise ConfigError(f"The reward model {run.name} is {run.state}; finish it first.")


def check_rewards(recipe: Recipe, runs: RunStore) -> Recipe:
    """The recipe with its reward models by id; refused where there is nothing to learn from."""
    row = OBJECTIVES[recipe.objective]
    if not row.rewarded:
        return recipe
    if not recipe.reward_funcs:
        raise ConfigError(
            f"{row.label} learns from rewards, and reward_funcs names none; set it, for instance "
            "to exact, length:1-30 or model:RUN."
        )
    return recipe.with_(reward_funcs=settled(recipe.reward_funcs, runs, waiting=True))


def settled(texts: Sequence[str], runs: RunStore, waiting: bool = False) -> tuple[str, ...]:
    """Rewards as written, their reward models by id and known to be finished.

    With `waiting` one that is still queued or trains will do: runs go one after another, and the
    one that needs it looks again when its turn comes.
    """
    found = []
    for part in parse(texts):
        if part.run is None:
            found.append(part.text)
            continue
        run = runs.get(part.run)
        check_scores(run, waiting)
        found.append(f"model:{run.id}")
    return tuple(found)


def functions(reward: Mix) -> list[Callable[..., list[float]]]:
    """One function for each part, as TRL calls it; charts go by its name."""

    def function(part: Part) -> Callable[..., list[float]]:
        def rewarded(*, prompts: Any, completions: Any, references: Any, **_: Any) -> list[float]:
            known = [dict(zip(reward.columns, each, strict=True)) for each in references]
            answers = ["".join(turn["content"] for turn in turns) for turns in completions]
            return reward.values(part, prompts, answers, known)

        rewarded.__name__ = part.name
        return rewarded

    return [function(part) for part in reward.parts]


def asking(rows: Any, reward: Mix) -> Any:
    """Rows of any type as prompts (chats) with the references that this reward compares with."""
    from datasets import Dataset

    found = []
    for row in rows:
        asked = asked_of(row)
        if asked is not None:
            known = references(row, reward.columns)
            found.append({"prompt": asked[0], "references": [known[c] for c in reward.columns]})
    if not found:
        raise DataError("No row of this dataset asks anything, so there is nothing to answer.")
    return Dataset.from_list(found)


def grader(reward: Mix, rows: Any, count: int) -> Callable[[list[str]], list[dict[str, Any]]]:
    """What sample answers to the first rows are worth: {"reward", "rewards": by part} each."""
    first = [rows[at] for at in range(count)]
    prompts = [row["prompt"] for row in first]
    known = [dict(zip(reward.columns, row["references"], strict=True)) for row in first]

    def grade(answers: list[str]) -> list[dict[str, Any]]:
        graded = reward.grade(prompts, answers, known)
        return [{"reward": one.total, "rewards": one.parts} for one in graded]

    return grade


def hold_to(trainer: Any, reference: Any, beta: float) -> None:
    """Take this model as the reference.

    Without a plain adapter TRL would load one by the model's name, which is another one where the
    base was merged, and a second copy in memory where it was not.
    """
    from trl.trainer.utils import add_fused_lm_head

    add_fused_lm_head(reference, temperature=trainer.temperature)
    trainer.ref_model = trainer.accelerator.prepare_model(reference, evaluation_mode=True)
    trainer.beta = trainer.args.beta = beta
