"""What is asked of a run's rows, and the live handles. No torch: for pages and shells too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.core.errors import ConfigError
from studio.core.jobs import Job
from studio.core.messages import Message
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.store import Run

DIMS = 3968
"""Numbers kept of a row's gradient: 7,936 bytes in float16, below 8 kB with what stands beside."""
MOST_TARGETS = 256
"""Rows that others are weighed by at most: the mean of their gradients is the target."""
FINAL = -1
"""The point that is the run's result, where a checkpoint has its step."""


@dataclass(frozen=True)
class IndexSpec:
    """How a run's rows are indexed.

    `steps` are checkpoints to average over beside the result (TracIn); they share the bytes of a
    row. `precondition` divides gradients by the optimizer's second moments, to the power 1/4 on
    both sides (LESS takes Adam's own step on one side).
    """

    steps: tuple[int, ...] = ()
    precondition: bool = False
    seed: int = 0

    @property
    def points(self) -> tuple[int, ...]:
        """The steps to index at; the result last."""
        return (*self.steps, FINAL)

    @property
    def dims(self) -> int:
        return DIMS // len(self.points)

    def name(self, point: int) -> str:
        """The folder of a point's index, within the run's `attribution/`."""
        where = "final" if point == FINAL else f"step-{point}"
        kind = "-preconditioned" if self.precondition else ""
        return f"{where}-{self.dims}{kind}" + (f"-seed{self.seed}" if self.seed else "")


_WITH_MOMENTS = ("adamw_torch", "adamw_torch_fused")
"""Optimizers that keep a second moment of each weight, in its shape and 32 bits."""


def default_spec(run: Run, steps: tuple[int, ...] = ()) -> IndexSpec:
    """Preconditioned where the newest checkpoint keeps the moments, plain elsewhere.

    Rows found this way weighed most when they were left out (`benchmarks.attribution`).
    """
    from studio.runs import checkpoints

    newest = checkpoints.newest(run.checkpoints)
    kept = newest is not None and (newest / "optimizer.pt").is_file()
    method, chosen = METHODS[run.method], run.recipe.optim
    # For full fine-tuning on a GPU, auto is an optimizer of 8 bits.
    fits = method.adapter if chosen == "auto" else chosen in _WITH_MOMENTS
    # The result's matrices have other shapes than those that were trained.
    reshaped = (method.adapter and method.moves_base) or run.method == "adalora"
    return IndexSpec(steps, kept and fits and not reshaped)


@dataclass(frozen=True)
class Asked:
    """One question: a prompt, the answer to it, and what of the answer is meant.

    `span` is (first, end) in characters of the answer; `against` is another answer to prefer it to.
    """

    prompt: list[Message] | str
    answer: str
    span: tuple[int, int] | None = None
    against: str | None = None
    raw: bool = False


@dataclass(eq=False)
class Indexing(Job[dict[str, Any]]):
    """A live indexing: `result()` is what `index_files.Index.record` says."""

    kind: str = field(default="index", kw_only=True)


@dataclass(eq=False)
class Why(Job[dict[str, Any]]):
    """A live question: `result()` is the report (`studio.attribution.report`)."""

    asked: Sequence[Asked] = ()
    kind: str = field(default="question", kw_only=True)


def refusal(run: Run) -> str | None:
    """Why a run's answers cannot be traced to its own rows, in a sentence; None where they can."""
    objective = OBJECTIVES[run.objective]
    if run.live:
        return f"{run.name} is {run.state}; ask once it has finished."
    if run.adapter is None and run.weights is None:
        return f"{run.name} has no result to ask about; it is {run.state}."
    if objective.rewarded:
        return (
            f"{run.name} learned by {objective.label} from rewards of answers that it wrote itself "
            "and that are not kept, so it has no rows that taught an answer."
        )
    recipe = run.recipe
    if run.method == "p_tuning" or (run.method == "prefix_tuning" and recipe.prefix_projection):
        return (
            f"{run.name} keeps the virtual tokens that its encoder wrote, and not the encoder that "
            "was trained, so its rows cannot be traced; LoRA's can."
        )
    if METHODS[run.method].moves_base and recipe.continues:
        return f"{run.name} moved its base's weights while it trained; its rows cannot be traced."
    return None


def check(run: Run, spec: IndexSpec) -> None:
    """Raise a `ConfigError` where a run's rows cannot be indexed in this way."""
    from studio.runs import checkpoints

    if why := refusal(run):
        raise ConfigError(why)
    kept = checkpoints.steps(run.checkpoints)
    missing = [step for step in spec.steps if step not in kept]
    if missing:
        have = ", ".join(f"{step:,}" for step in kept) or "none"
        raise ConfigError(f"{run.name} has no checkpoint at step {missing[0]}; it keeps {have}.")
    if spec.steps and METHODS[run.method].moves_base:
        raise ConfigError(
            f"Checkpoints of {run.name} are relative to a base that it moved; leave steps empty."
        )
    if spec.steps and run.method == "adalora":
        raise ConfigError(f"Checkpoints of {run.name} differ in rank; leave steps empty.")
    if spec.precondition and not kept:
        raise ConfigError(
            f"{run.name} keeps no checkpoint, and with it no second moments of the optimizer; "
            "leave precondition off."
        )
