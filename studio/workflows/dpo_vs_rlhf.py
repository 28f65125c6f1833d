"""Two roads from one start and the same votes: DPO, and a reward model with learning from it.

    begin(studio, plan)        queues DPO, the reward model, and GRPO or RLOO with it
    journeys(studio)           what the workspace holds of it, newest first
    meet(studio, journey, ..)  blind duels: each against the start, and one against the other

Nothing is stored here: a journey is read from the provenance of its runs and from the projects in
which they met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError, DataError, TrainingError
from studio.core.workspace import new_id
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES, REWARDED
from studio.runs.recipe import recommended_recipe
from studio.workflows.rounds import Duel, duels_of, make_duel, require_run
from studio.workflows.rule_annotator import Ruler

if TYPE_CHECKING:
    from studio.core.messages import Message
    from studio.engine.studio import Studio
    from studio.generation.request import Sampling
    from studio.labels.types import Project
    from studio.metrics.bootstrap import Interval
    from studio.runs.store import Run

RULE = "the pocket world's rule"
"""The name that the rule annotator votes under."""


@dataclass(frozen=True)
class Plan:
    """Where both roads begin and what they learn from.

    `dataset` holds the votes as pairs; `start` is a finished run, `objective` what follows the
    reward model; `max_steps` shortens every run.
    """

    dataset: str
    start: str
    objective: str = "grpo"
    max_steps: int | None = None


@dataclass(frozen=True)
class Cost:
    """What training took: seconds, tokens read or written, the most bytes held at once."""

    seconds: float
    tokens: int
    memory: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Road:
    """Runs one after another; the last one answers."""

    label: str
    runs: tuple[Run, ...]

    @property
    def run(self) -> Run:
        return self.runs[-1]

    @property
    def cost(self) -> Cost:
        each = [cost(run) for run in self.runs]
        return Cost(
            sum(one.seconds for one in each),
            sum(one.tokens for one in each),
            max(one.memory for one in each),
        )

    @property
    def state(self) -> str:
        """`finished`, or that of its first run that is not."""
        return next((run.state for run in self.runs if run.state != "finished"), "finished")


@dataclass(frozen=True)
class Meeting:
    """A blind duel of one model with another; `project` and `duel` are None before there is any."""

    one: str
    other: str
    project: str | None = None
    duel: Duel | None = None

    @property
    def share(self) -> Interval | None:
        """Win rate of `one` with ties as half, over prompts; None before any verdict."""
        return self.duel.share if self.duel else None


@dataclass(frozen=True)
class Journey:
    """Both roads from one start.

    `meetings` are DPO and the start, the other road and the start, and the other road and DPO.
    """

    id: str
    start: Run | None
    rows: str
    roads: tuple[Road, Road]
    meetings: tuple[Meeting, ...] = ()

    @property
    def finished(self) -> bool:
        return all(road.state == "finished" for road in self.roads)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able: states, costs, and the win rates with their intervals."""
        roads = [
            {
                "road": road.label,
                "runs": [run.id for run in road.runs],
                "state": road.state,
                **road.cost.as_dict(),
            }
            for road in self.roads
        ]
        duels = [
            {
                "one": each.one,
                "other": each.other,
                "project": each.project,
                "win_rate": each.share.as_dict() if each.share else None,
            }
            for each in self.meetings
        ]
        start = self.start.id if self.start else None
        return {"id": self.id, "start": start, "rows": self.rows, "roads": roads, "duels": duels}


def begin(studio: Studio, plan: Plan) -> Journey:
    """Queue all three runs, one after another, and return the journey.

    Raises `ConfigError` or `DataError` before anything is queued where the votes or the start will
    not do.
    """
    if plan.objective not in REWARDED:
        raise ConfigError(f"After a reward model comes {' or '.join(REWARDED)}.")
    start = require_run(studio, plan.start)
    dataset = studio.dataset_for(plan.dataset)
    if dataset.type != "preference":
        raise DataError(f"Both roads learn from pairs, and {dataset.name} holds {dataset.type}.")
    method = start.method if METHODS[start.method].adapter else "lora"
    limit = {"max_steps": plan.max_steps} if plan.max_steps else {}
    journey = new_id("roads")

    def train(objective: str, **changes: Any) -> Run:
        recipe, _ = recommended_recipe(objective, method, start.model)
        name = f"{start.name} {OBJECTIVES[objective].label}"[:100]
        recipe = recipe.with_(name=name, dataset_name=dataset.id, **limit, **changes)
        return studio.train(recipe, {"roads": {"id": journey, "start": start.id}})

    dpo = train("dpo", start_from=start.id)
    reward = train("reward")
    rewards = {"reward_funcs": (f"model:{reward.id}",), "reward_weights": None}
    learned = train(plan.objective, start_from=start.id, **rewards)
    return _journey(studio, journey, [dpo, reward, learned], start)


def journeys(studio: Studio) -> list[Journey]:
    """Every pair of roads whose three runs are still there, newest first."""
    runs = {run.id: run for run in studio.runs.list()}
    groups: dict[str, list[Run]] = {}
    for run in runs.values():
        if mark := run.provenance.get("roads"):
            groups.setdefault(mark["id"], []).append(run)
    whole = {key: own for key, own in groups.items() if len(own) == 3}
    return [
        _journey(studio, key, own, runs.get(own[0].provenance["roads"]["start"]))
        for key, own in whole.items()
    ]


def _journey(studio: Studio, key: str, runs: Sequence[Run], start: Run | None) -> Journey:
    by = {run.objective: run for run in runs}
    last = next(run for run in runs if run.objective in REWARDED)
    label = f"Reward model, {OBJECTIVES[last.objective].label}"
    roads = Road("DPO", (by["dpo"],)), Road(label, (by["reward"], last))
    met = tuple(
        _meeting(studio, road, opponent, other) for road, opponent, other in _pairings(roads, start)
    )
    return Journey(key, start, str(last.data.get("name", "")), roads, met)


def _pairings(roads: tuple[Road, Road], start: Run | None) -> list[tuple[Road, Run | None, str]]:
    """Who is to meet whom: (road, opponent, the opponent's name)."""
    first, second = roads
    name = start.name if start else "the start"
    return [(first, start, name), (second, start, name), (second, first.run, first.label)]


def _meeting(studio: Studio, road: Road, opponent: Run | None, other: str) -> Meeting:
    wanted = {"new": road.run.id, "old": opponent.id if opponent else None}
    projects = studio.labels.projects()
    project = next((p for p in projects if p.provenance.get("duel") == wanted), None)
    if project is None:
        return Meeting(road.label, other)
    found = next((d for d in duels_of(studio, road.run) if d.project == project.id), None)
    return Meeting(road.label, other, project.id, found or _all_alike(studio, project, opponent))


def _all_alike(studio: Studio, project: Project, opponent: Run | None) -> Duel | None:
    """The duel of two that wrote the same to every prompt: nobody is asked about any."""
    plan = studio.pairs.plan(project.id)
    if plan is None or not plan.done:
        return None
    from studio.metrics.bootstrap import bootstrap_mean

    share = bootstrap_mean([[0.5]] * plan.written)
    other = opponent.id if opponent else None
    return Duel(project.id, project.name, 0, other, None, share, even=plan.written)


def find(studio: Studio, key: str) -> Journey:
    """A journey by id."""
    for journey in journeys(studio):
        if journey.id == key:
            return journey
    raise ConfigError("There are no such roads any more: one of their runs was deleted.")


def cost(run: Run) -> Cost:
    """What a run took, from its own log."""
    logs = [event for event in run.events()[0] if event["kind"] == "log"]
    return Cost(
        run.train_seconds,
        int(max((each["num_tokens"] for each in logs if "num_tokens" in each), default=0)),
        int(max((each["memory"] for each in logs if "memory" in each), default=0)),
    )


# ---- the duels -----------------------------------------------------------------------------------


def meet(
    studio: Studio,
    journey: Journey,
    prompts: Sequence[list[Message]],
    sampling: Sampling | None = None,
) -> list[Project]:
    """Blind projects of the three meetings that have none yet; pairs come in the background."""
    if not journey.finished or journey.start is None:
        raise ConfigError("Both roads have to be finished, and their start kept, for a duel.")
    pairings = _pairings(journey.roads, journey.start)
    return [
        make_duel(studio, road.run, opponent, list(prompts), sampling)[0]
        for (road, opponent, _), met in zip(pairings, journey.meetings, strict=True)
        if met.project is None
    ]


def judge_by_rule(studio: Studio, journey: Journey) -> Journey:
    """Have the pocket world's rule judge all of the duels that it has not judged yet."""
    for project in filter(None, (met.project for met in find(studio, journey.id).meetings)):
        studio.pairs.wait(project)
        Ruler(RULE).judge(studio, studio.labels.get(project))
    return find(studio, journey.id)


def wait(studio: Studio, journey: Journey) -> Journey:
    """Follow all three runs to their end.

    Raises `TrainingError` with the run's own sentence where one does not finish.
    """
    for road in journey.roads:
        for run in road.runs:
            ended = studio.wait(run.id)
            if ended.state != "finished":
                raise TrainingError(f"{ended.name} is {ended.state}: {ended.error or 'by request'}")
    return find(studio, journey.id)


def walk(
    studio: Studio, plan: Plan, prompts: Sequence[list[Message]], by_rule: bool = False
) -> Journey:
    """Both roads to their end and the duels, waiting for all of it."""
    journey = wait(studio, begin(studio, plan))
    for project in meet(studio, journey, prompts):
        studio.pairs.wait(project.id)
    return judge_by_rule(studio, journey) if by_rule else find(studio, journey.id)
