"""Rounds that ran by themselves: what was kept of them, and what the next ones would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core.errors import StudioError
from studio.core.formatting import duration_text, plural, span_text
from studio.core.records import read_json
from studio.runs.recipe import recommended_recipe
from studio.workflows.estimate_run import estimate_run
from studio.workflows.reward_rounds import RoundOutcome, RoundsPlan

if TYPE_CHECKING:
    from studio.engine.studio import Studio


@dataclass(frozen=True)
class Kept:
    """One `rounds/<id>.json`: when it started, from which run, how many rounds were wanted, and
    those that ended."""

    id: str
    started: float
    start: str
    model: str
    wanted: int
    n: int
    objective: str
    rewards: tuple[str, ...]
    outcomes: tuple[RoundOutcome, ...]

    @property
    def settled(self) -> bool:
        """Whether they ended because two duels in a row were even."""
        return len(self.outcomes) > 1 and all(one.even for one in self.outcomes[-2:])


def kept(studio: Studio) -> list[Kept]:
    """All rounds of this workspace, newest first; a record that cannot be read is passed over."""
    found = []
    for path in (studio.workspace.home / "rounds").glob("*.json"):
        try:
            found.append(_read(read_json(path)))
        except (StudioError, KeyError, TypeError, ValueError):
            continue
    return sorted(found, key=lambda one: one.started, reverse=True)


def _read(record: dict[str, Any]) -> Kept:
    plan, start = record["plan"], record.get("start") or {}
    return Kept(
        record["id"],
        float(record.get("started", 0.0)),
        str(start.get("name") or plan["run"]),
        str(start.get("model") or ""),
        int(plan["rounds"]),
        int(plan["n"]),
        str(plan["objective"]),
        tuple(plan["rewards"]),
        tuple(RoundOutcome(**one) for one in record["rounds"]),
    )


@dataclass(frozen=True)
class Estimate:
    """What rounds take: answers written a round, and seconds a round (low, high) where they are
    known, with where that is from."""

    answers: int
    seconds: tuple[float, float] | None
    basis: str

    def words(self, rounds: int) -> str:
        count = plural(self.answers, "answer")
        if self.seconds is None:
            return f"A round writes {count}; how long one takes is said after the first."
        low, high = self.seconds
        each = span_text(low, high)
        every = span_text(low * rounds, high * rounds)
        return f"A round writes {count} and takes {each}, {rounds:,} take {every} ({self.basis})."


def estimate(studio: Studio, plan: RoundsPlan, prompts: int) -> Estimate:
    """What a plan on so many prompts takes, by earlier rounds of the model or the Calculator."""
    run = studio.runs.get(plan.run)
    held = max(1, round(plan.held_out * prompts))
    asked = max(1, min(plan.prompts, prompts - held))
    answers = asked * plan.n + 2 * held
    for one in kept(studio):
        timed = [each for each in one.outcomes if each.seconds and each.pairs]
        if one.model == run.model and one.objective == plan.objective and timed:
            pace = _answer_seconds(timed, one.n)
            return Estimate(answers, (pace * answers, pace * answers), "as earlier rounds here")
    try:
        seconds = _calculated(studio, plan, run.method, run.model, answers)
    except StudioError:
        seconds = None
    return Estimate(answers, seconds, "by the Calculator")


def _answer_seconds(outcomes: Sequence[RoundOutcome], n: int) -> float:
    """Seconds of a round by the answers behind its pairs and its duel."""
    return min(one.seconds / (one.pairs * n + 2 * one.prompts) for one in outcomes)


def _calculated(
    studio: Studio, plan: RoundsPlan, method: str, model: str, answers: int
) -> tuple[float, float] | None:
    """GRPO on as many completions writes and learns about as much as a round does."""
    from studio.calculator.dataset_lengths import RowCount

    recipe = recommended_recipe("grpo", method, model)[0].with_(
        reward_funcs=("length:1-100",),
        num_generations=plan.n,
        max_completion_length=plan.max_new_tokens,
        num_train_epochs=1.0,
        max_steps=-1,
    )
    rows = RowCount(max(1, answers // plan.n), plan.max_new_tokens)
    return estimate_run(studio, recipe, None, rows).cost.seconds


def line(one: Kept) -> str:
    """How rounds ended, in words."""
    done = f"{len(one.outcomes):,} of {plural(one.wanted, 'round')}"
    spent = sum(each.seconds for each in one.outcomes)
    time = f" in {duration_text(spent)}" if spent else ""
    pairs = plural(sum(each.pairs for each in one.outcomes), "pair")
    end = "; ended, as two duels in a row were even" if one.settled else ""
    return f"{done}{time}, {pairs}{end}"
