"""Rounds that run by themselves: a reward or a judge takes the place of people overnight.

Each round is an ordinary project of pairs (the best and the worst of n answers, with their margin),
an ordinary dataset and run on them, and an ordinary blind project of new against old on held-out
prompts, which people can vote on in the morning. The reward decides that duel for now: its
verdicts are written to `rounds/<id>.json`, and never become votes.

    plan = RoundsPlan(run="pocket-sft", rewards=("length:3-28",), rounds=3)
    for outcome in Rounds(studio, plan, prompts).run(): ...
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from studio.core.errors import Cancelled, ConfigError, DataError, ModelError, TrainingError
from studio.core.messages import Message
from studio.core.workspace import new_id, write_json
from studio.generation.request import Column, Sampling
from studio.labels.answer_source import source_of
from studio.metrics.bootstrap import bootstrap_mean
from studio.rewards.pairs import RewardedPair, best_and_worst
from studio.rewards.weighted import WeightedReward
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe, recommended_recipe
from studio.workflows import rewarded_pairs
from studio.workflows.rewards import scorers
from studio.workflows.rounds import make_duel, require_run
from studio.workflows.sample_n import answer_n

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.labels.types import Project
    from studio.runs.store import Run

_POLL = 0.5  # seconds between two looks at a run or a project that is being written
_STILL = 2  # duels in a row whose interval includes one half, which end the rounds
OnProgress = Callable[[int, "int | None", str], None]


@dataclass(frozen=True)
class RoundsPlan:
    """What to repeat. `changes` are values of the recipe that trains; of the prompts a share is
    `held_out` for the duels, by `seed`, and never answered for training."""

    run: str
    rewards: tuple[str, ...] = ()
    weights: tuple[float, ...] | None = None
    rubric: str = ""
    rounds: int = 3
    n: int = 4
    objective: str = "dpo"
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    held_out: float = 0.25
    prompts: int = 200  # a round
    temperature: float = 1.0
    max_new_tokens: int = 128
    seed: int = 0

    def check(self) -> None:
        row = OBJECTIVES.get(self.objective)
        if row is None or not ("preference" in row.types and (row.rewarded or not row.online)):
            raise ConfigError(
                f"Rounds train on pairs or on rewards, and {self.objective!r} does neither; choose "
                "dpo or grpo."
            )


@dataclass(frozen=True)
class RoundOutcome:
    """One round: its projects and run by id, its pairs, and the duel by the reward.

    `win` is the share of held-out prompts on which the new run's answer is rewarded more, even ones
    as half, with a 95 % interval over prompts.
    """

    number: int
    pairs_project: str
    run: str
    duel_project: str
    pairs: int
    margin: float
    win: float
    low: float
    high: float
    prompts: int
    seconds: float = 0.0

    @property
    def even(self) -> bool:
        """Whether one half is within the interval."""
        return self.low <= 0.5 <= self.high


class Rounds:
    """The rounds of one plan, one after the other; what is done is on disk after each."""

    def __init__(
        self,
        studio: Studio,
        plan: RoundsPlan,
        prompts: Sequence[list[Message]],
        reward: WeightedReward | None = None,
        on_progress: OnProgress = lambda done, total, what: None,
    ):
        """`reward` takes the place of the plan's, where it is no text: a rule of one's own."""
        plan.check()
        self.studio, self.plan, self.progress = studio, plan, on_progress
        self.id, self.began = new_id("rounds"), time.time()
        self.start = require_run(studio, plan.run)
        self.reward = reward or WeightedReward(
            plan.rewards, plan.weights, scorers(studio, plan.rewards, plan.rubric)
        )
        if self.reward.columns:
            raise ConfigError(
                "Duels of rounds are answered without references; choose rewards that compare with "
                "nothing, such as a judge, a reward model or length:3-28."
            )
        shuffled = list(prompts)
        random.Random(plan.seed).shuffle(shuffled)
        held = max(1, round(plan.held_out * len(shuffled)))
        self.held_out, self.asked = shuffled[:held], shuffled[held:]
        if not self.asked:
            raise DataError("There are too few prompts for rounds; give at least two.")
        self.outcomes: list[RoundOutcome] = []

    def run(self) -> Iterator[RoundOutcome]:
        """Each round as it ends; ends early where two duels in a row were even."""
        current = self.start
        self._keep()
        for number in range(1, self.plan.rounds + 1):
            outcome = self._round(number, current)
            self.outcomes.append(outcome)
            self._keep()
            yield outcome
            if len(self.outcomes) >= _STILL and all(o.even for o in self.outcomes[-_STILL:]):
                return
            current = self.studio.runs.get(outcome.run)

    def _round(self, number: int, old: Run) -> RoundOutcome:
        started = time.monotonic()
        self._tell("writing answers")
        pairs = self._pairs(number, old)
        if not pairs:
            raise DataError(
                f"In round {number} all answers to a prompt get the same reward, so there is "
                "nothing to learn. Raise the temperature or n, or choose another reward."
            )
        project = self._project(number, old, pairs)
        self._tell(f"training on {len(pairs):,} pairs")
        new = self._train(number, old, project, pairs)
        self._tell("new against old")
        sampling = Sampling(max_new_tokens=self.plan.max_new_tokens)
        duel, _ = make_duel(self.studio, new, old, self.held_out, sampling)
        self._wait_for_pairs(duel.id)
        scores = self._scores(duel, new)
        share = bootstrap_mean([[score] for score in scores])
        if share is None:
            raise DataError(f"No held-out prompt of round {number} was answered by both runs.")
        return RoundOutcome(
            number,
            project.id,
            new.id,
            duel.id,
            len(pairs),
            sum(pair.margin for pair in pairs) / len(pairs),
            share.value,
            share.low,
            share.high,
            share.count,
            round(time.monotonic() - started, 1),
        )

    def _pairs(self, number: int, old: Run) -> list[RewardedPair]:
        """The best and the worst of n answers to this round's prompts."""
        plan = self.plan
        first = (number - 1) * plan.prompts
        chosen = [self.asked[(first + k) % len(self.asked)] for k in range(plan.prompts)]
        if plan.prompts >= len(self.asked):
            chosen = list(self.asked)
        sampling = Sampling(
            temperature=plan.temperature,
            max_new_tokens=plan.max_new_tokens,
            seed=plan.seed + number,
        )
        column = Column(old.model, old.id, old.name)
        rows = [{"prompt": prompt} for prompt in chosen]

        def written(done: int, total: int) -> None:
            self._tell(f"writing answers, {done:,} of {total:,}")

        prompts, answers, graded = answer_n(
            self.studio, column, rows, self.reward, plan.n, sampling, written
        )
        totals = [[one.total for one in each] for each in graded]
        return best_and_worst(prompts, answers, totals)

    def _project(self, number: int, old: Run, pairs: Sequence[RewardedPair]) -> Project:
        """The pairs as people may check them: those with the smallest margin first."""
        column = Column(old.model, old.id, old.name)
        source = source_of(self.studio.runs, column, Sampling(temperature=self.plan.temperature))
        by = {"rounds": self.id, "round": number}
        name = f"{old.name}, round {number}"
        return rewarded_pairs.project(self.studio, pairs, name, source, by)[0]

    def _train(self, number: int, old: Run, project: Project, pairs: Sequence[RewardedPair]) -> Run:
        by = {"made_by": "rounds", "rounds": self.id, "round": number, "pairs": project.id}
        data = rewarded_pairs.dataset(self.studio, pairs, project.name, by)
        recipe = recommended_recipe(self.plan.objective, old.method, old.model)[0].with_(
            name=f"{self.start.name}, round {number}"[:110],
            dataset_name=data.id,
            start_from=old.id,
            **self.plan.changes,
        )
        if OBJECTIVES[self.plan.objective].rewarded:
            own = {"reward_funcs": self.plan.rewards, "reward_weights": self.plan.weights}
            recipe = recipe.with_(**own, judge_rubric=self.plan.rubric)
        run = self._wait(recipe)
        if run.state != "finished":
            said = run.error or "Start rounds again from the last finished run."
            raise TrainingError(f"Round {number} ended: {run.name} is {run.state}. {said}")
        return run

    def _wait(self, recipe: Recipe) -> Run:
        """Train to the end; whoever cancels the rounds stops the run, with its steps saved."""
        run = self.studio.train(recipe, {"rounds": self.id})
        try:
            while run.live:
                time.sleep(_POLL)
                run = self.studio.runs.get(run.id)
                self._tell(f"training, step {run.step:,}")
        except Cancelled:
            self.studio.stop(run.id)
            raise
        return run

    def _tell(self, what: str) -> None:
        """Where the rounds are; `on_progress` may raise `Cancelled`."""
        number = len(self.outcomes) + 1
        self.progress(number - 1, self.plan.rounds, f"round {number}: {what}")

    def _wait_for_pairs(self, project: str) -> None:
        while (plan := self.studio.pairs.plan(project)) is not None and not plan.done:
            if plan.error:
                raise ModelError(plan.error)
            self._tell(f"new against old, {plan.written:,} of {len(plan.prompts):,} prompts")
            time.sleep(_POLL)

    def _scores(self, duel: Project, new: Run) -> list[float]:
        """1 for every held-out prompt on which the new run is rewarded more, 0.5 for an even one.

        Answers that were the same were set aside, and count as even.
        """
        items = list(self.studio.labels.labelled_pairs(duel.id))
        prompts = [item.prompt for item in items for _ in range(2)]
        texts = [text for item in items for text in (item.answer_a, item.answer_b)]
        graded = self.reward.grade(prompts, texts, [{}] * len(texts)) if texts else []
        scores = []
        for at, item in enumerate(items):
            gap = graded[2 * at].total - graded[2 * at + 1].total
            gap = gap if item.source_a.get("run") == new.id else -gap
            scores.append(0.5 if gap == 0 else float(gap > 0))
        plan = self.studio.pairs.plan(duel.id)
        aside = plan.set_aside if plan else {}
        even = aside.get("identical", 0) + aside.get("near-identical", 0)
        return [*scores, *[0.5] * even]

    def _keep(self) -> None:
        folder = self.studio.workspace.home / "rounds"
        folder.mkdir(exist_ok=True)
        plan = {**asdict(self.plan), "changes": dict(self.plan.changes)}
        record = {
            "id": self.id,
            "started": self.began,
            "start": {"run": self.start.id, "name": self.start.name, "model": self.start.model},
            "plan": plan,
            "rounds": [asdict(one) for one in self.outcomes],
        }
        write_json(folder / f"{self.id}.json", record)
