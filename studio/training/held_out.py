"""Held-out figures of a run on several datasets: one set of names each, and the mean of all.

The Trainer evaluates a dict of datasets one by one and calls their losses `eval_<name>_loss`; what
TRL logs beside them is called the same for each, and there is no `eval_loss`. Here every figure of
a dataset carries its name, and `eval_...` is the mean over all held-out rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from transformers import EarlyStoppingCallback, TrainerControl, TrainerState, TrainingArguments

from studio.runs.objectives import OBJECTIVES
from studio.training.time_share import SHARES

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

    from studio.runs.recipe import Recipe

_TIMED = "_runtime"
_NOT_AVERAGED = (_TIMED, "_per_second", "_model_preparation_time")
_COST = 0.2
"""Of a training row, what a held-out row takes: 0.12 measured for LoRA, a third by its products."""
_FEWEST = 8


def named(logs: Mapping[str, Any]) -> dict[str, Any]:
    """One dataset's figures with its name in each; other logs unchanged.

    >>> named({"eval_mine_runtime": 1.0, "eval_entropy": 0.5})
    {'eval_mine_runtime': 1.0, 'eval_mine_entropy': 0.5}
    """
    timed = next((key for key in logs if key.startswith("eval_") and key.endswith(_TIMED)), "")
    prefix = timed.removesuffix(_TIMED)
    if prefix in ("", "eval"):
        return dict(logs)
    return {
        key
        if not key.startswith("eval_") or key.startswith(f"{prefix}_")
        else f"{prefix}_{key.removeprefix('eval_')}": value
        for key, value in logs.items()
    }


def mean_of_all(figures: Mapping[str, Any], rows: Mapping[str, int]) -> dict[str, float]:
    """`eval_...` figures over all datasets, weighted by their held-out rows; of those that every
    dataset has.

    Args:
        figures: `eval_<name>_...` of all datasets.
        rows: held-out rows by dataset name.
    """
    own = [
        {key.removeprefix(f"eval_{name}_") for key in figures if key.startswith(f"eval_{name}_")}
        for name in rows
    ]
    total = sum(rows.values())
    return {
        f"eval_{key}": sum(figures[f"eval_{name}_{key}"] * n for name, n in rows.items()) / total
        for key in sorted(set.intersection(*own) if own else ())
        if not f"_{key}".endswith(_NOT_AVERAGED)
    }


class EarlyStopping(EarlyStoppingCallback):
    """Judges the mean over all datasets; a single dataset's figures lack the metric it asks for."""

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float],
        **kwargs: Any,
    ) -> None:
        if args.metric_for_best_model in metrics:
            super().on_evaluate(args, state, control, metrics, **kwargs)


def affordable(recipe: Recipe, steps: int) -> int | None:
    """How many held-out rows a run of `steps` evaluates within its share of the time, at the end of
    each epoch; None for all of them, where a person chose when to evaluate."""
    kind = OBJECTIVES[recipe.objective]
    if recipe.eval_steps or recipe.load_best_model_at_end or kind.online or kind.embeds:
        return None
    rows = steps * recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps
    epochs = 1 if recipe.max_steps > 0 else math.ceil(recipe.num_train_epochs)
    return max(_FEWEST, round(SHARES["evaluation"] * rows / (_COST * min(3, epochs))))


def subset(held: Dataset | DatasetDict, most: int | None) -> tuple[Dataset | DatasetDict, str]:
    """`most` held-out rows, evenly spaced, and a sentence that says so; all of them and "" where
    they are no more. Several datasets keep their shares."""
    from datasets import DatasetDict

    total = sum(map(len, held.values())) if isinstance(held, DatasetDict) else len(held)
    if most is None or total <= most:
        return held, ""
    sets: Any = held if isinstance(held, DatasetDict) else {"": held}
    kept = {name: _spaced(rows, math.ceil(len(rows) * most / total)) for name, rows in sets.items()}
    count = sum(map(len, kept.values()))
    said = (
        f"The held-out loss is that of {count:,} of {total:,} held-out rows, so that evaluating "
        "takes little of the run; set eval_steps to evaluate all of them."
    )
    together: Any = kept
    return (DatasetDict(together) if isinstance(held, DatasetDict) else kept[""]), said


def _spaced(rows: Dataset, count: int) -> Dataset:
    return rows.select([at * len(rows) // count for at in range(count)])
