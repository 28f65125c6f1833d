"""Held-out figures of a run on several datasets: one set of names each, and the mean of all.

The Trainer evaluates a dict of datasets one by one and calls their losses `eval_<name>_loss`; what
TRL logs beside them is called the same for each, and there is no `eval_loss`. Here every figure of
a dataset carries its name, and `eval_...` is the mean over all held-out rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import EarlyStoppingCallback, TrainerControl, TrainerState, TrainingArguments

_TIMED = "_runtime"
_NOT_AVERAGED = (_TIMED, "_per_second", "_model_preparation_time")


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
