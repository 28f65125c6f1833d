"""What the online RL objectives need besides the others; imports no torch.

TRL's trainers write the answers (with transformers), judge them within groups and update. Here:
rows that keep what answers are compared with, reward functions in the form TRL calls, the
arithmetic of groups and batches, and the reference of methods that train no plain adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from studio.core import compat, rendering
from studio.core.answers import FIELDS, with_thought
from studio.core.errors import ConfigError, DataError
from studio.core.library_types import LanguageModel, Rows, Trainer
from studio.core.messages import Message, prompt_and_references
from studio.data.types import Row
from studio.rewards import RewardTerm, WeightedReward, references
from studio.runs.objectives import OBJECTIVES

if TYPE_CHECKING:
    from datasets import Dataset

    from studio.runs.recipe import Recipe


def settings(recipe: Recipe) -> dict[str, Any]:
    """Values of TRL's config that are not recipe fields."""
    values: dict[str, Any] = {"log_completions": False, "remove_unused_columns": False}
    if OBJECTIVES[recipe.objective].rewarded:  # whole groups
        values["per_device_eval_batch_size"] = recipe.num_generations
    return values


def check_vllm(recipe: Recipe) -> None:
    """Refuse vLLM before a run is queued where it is not installed; none of the requirements is."""
    if recipe.use_vllm and OBJECTIVES[recipe.objective].online and find_spec("vllm") is None:
        raise ConfigError(
            "use_vllm is set, and vLLM is not installed here: `pip install 'trl[vllm]'` on a "
            "machine with CUDA, or set use_vllm: false."
        )


# ---- rewards ------------------------------------------------------------------------------------


def functions(reward: WeightedReward) -> list[Callable[..., list[float]]]:
    """One reward function per term, as TRL calls it; its name is the chart's."""

    def function(part: RewardTerm) -> Callable[..., list[float]]:
        def rewarded(
            *, prompts: Any, completions: Any, references: Any, log_metric: Any = None, **_: Any
        ) -> list[float]:
            known = [dict(zip(reward.columns, each, strict=True)) for each in references]
            answers = ["".join(said_by(turn) for turn in turns) for turns in completions]
            marks = reward.marks(part, prompts, answers, known)
            if part.judge and log_metric is not None:
                unread = sum(bool(mark.why) for mark in marks) / max(1, len(marks))
                log_metric(f"rewards/{part.name}/unread", unread)
            return [mark.value for mark in marks]

        rewarded.__name__ = part.name
        return rewarded

    return [function(part) for part in reward.parts]


def said_by(turn: Any) -> str:
    """A completion as one text, its thinking in front: TRL may have taken it apart."""
    thinking = next((turn[name] for name in FIELDS if turn.get(name)), "")
    return with_thought(turn.get("content") or "", thinking)


def to_prompts(rows: Rows, reward: WeightedReward | None) -> Dataset:
    """Rows of any type as prompts (chats) with the references that a reward compares with.

    Raises `DataError` for rows with tools or kwargs of their own: TRL renders all prompts alike.
    """
    from datasets import Dataset

    found = []
    for row in rows:
        asked = prompt_and_references(row)
        if asked is not None:
            _refuse_own(asked[0])
            columns = reward.columns if reward else ()
            known = references(row, columns)
            found.append({"prompt": asked[0], "references": [known[c] for c in columns]})
    if not found:
        raise DataError("No row of this dataset asks anything, so there is nothing to answer.")
    return Dataset.from_list(found)


def _refuse_own(prompt: list[Message]) -> None:
    own = [name for name in ("tools", rendering.COLUMN) if getattr(prompt, name, None)]
    if own:
        raise DataError(
            f"Rows of this dataset have {' and '.join(own)} of their own, and TRL's online RL "
            f"renders all prompts alike. Set {rendering.COLUMN} in the recipe, and leave the "
            "columns out of the rows."
        )


def grader(
    reward: WeightedReward, rows: Sequence[Row], count: int
) -> Callable[[list[str]], list[dict[str, Any]]]:
    """The rewards of sample answers to the first rows: {"reward", "rewards": by term} each."""
    first = [rows[at] for at in range(count)]
    prompts = [row["prompt"] for row in first]
    known = [dict(zip(reward.columns, row["references"], strict=True)) for row in first]

    def grade(answers: list[str]) -> list[dict[str, Any]]:
        graded = reward.grade(prompts, answers, known)
        return [{"reward": one.total, "rewards": one.parts} for one in graded]

    return grade


def set_ref_model(trainer: Trainer, reference: LanguageModel, beta: float) -> None:
    """Take this model as the reference.

    Without a plain adapter TRL would load one by the model's name, which is another one where the
    base was merged, and a second copy in memory where it was not.
    """
    compat.add_fused_lm_head(reference, trainer.temperature)
    trainer.ref_model = trainer.accelerator.prepare_model(reference, evaluation_mode=True)
    trainer.beta = trainer.args.beta = beta
