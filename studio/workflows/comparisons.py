"""What is compared: columns chosen by a person, chats, and saved answers to a set of prompts.

No Gradio here. A column is written as `base:<model>` or `run:<id>`; anything else is taken as a
model's name, so that a Hub id or a folder can be typed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from studio.core.answers import with_thought
from studio.core.errors import ConfigError, WorkspaceError
from studio.core.formatting import DOT
from studio.core.messages import Message, plain, revived
from studio.core.workspace import secret_id, write_json
from studio.generation.request import LIVE, Answer, Column, Generation, Sampling
from studio.labels.answer_source import recipe_digest, source_of
from studio.runs import checkpoints
from studio.runs.objectives import GENERATING
from studio.workflows.rewards import models

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.runs.store import Run, RunStore

LETTERS = "ABCD"
NONE = ""
_WITH_CHECKPOINTS = 4  # newest runs whose checkpoints are offered


@dataclass(frozen=True)
class Side:
    """One column as people see it, and as the engine takes it."""

    label: str
    kind: str  # base | tuned
    model: str
    run: str | None = None
    recipe: str | None = None  # digest of the run's recipe
    checkpoint: int | str | None = None
    endpoint: str | None = None

    @property
    def column(self) -> Column:
        return Column(self.model, self.run, self.label, self.checkpoint, self.endpoint)

    def sampled(self, sampling: Sampling, label: str) -> Column:
        """The column with a sampling of its own, so that one model can stand on both sides."""
        return replace(self.column, sampling=sampling, label=label)

    @property
    def key(self) -> str:
        """What tells this column's model from another's."""
        step = f"@{self.checkpoint}" if self.checkpoint is not None else ""
        return f"{self.endpoint or ''}{self.run or self.model}{step}"

    def source(self, runs: RunStore, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """What generated this column's answers, with the recipe as it was at the time."""
        made = source_of(runs, self.column, Sampling.model_validate(sampling))
        return made | {"recipe": self.recipe}


def finished(studio: Studio) -> list[Run]:
    """Runs that left weights and write answers, newest first."""
    return [
        run
        for run in studio.runs.list()
        if not run.live and run.objective in GENERATING and (run.adapter or run.weights)
    ]


def training(studio: Studio) -> list[Run]:
    """Runs in progress, which can answer as of their last step."""
    return [
        run
        for run in studio.runs.list()
        if run.state in ("running", "stopping") and run.objective in GENERATING
    ]


def reward_choices(studio: Studio) -> list[tuple[str, str]]:
    """(name, reward) of every finished reward model."""
    return [(run.name, f"model:{run.id}") for run in models(studio)]


def column_choices(runs: Sequence[Any], live: Sequence[Any] = ()) -> list[tuple[str, str]]:
    """(label, value): every base in play, runs in progress, runs that left weights, checkpoints."""
    models = dict.fromkeys(["pocket", *(run.model for run in (*live, *runs))])
    bases = [(f"{model}{DOT}base", f"base:{model}") for model in models]
    now = [(f"{run.name}{DOT}in progress", f"live:{run.id}") for run in live]
    tuned = [
        (f"{run.name}{DOT}{run.objective.upper()}, {run.step:,} steps", f"run:{run.id}")
        for run in runs
    ]
    kept = [
        (f"{run.name}{DOT}checkpoint at {step:,}", f"run:{run.id}@{step}")
        for run in (*live, *runs)[:_WITH_CHECKPOINTS]
        for step in checkpoints.steps(run.checkpoints)
        if step != run.step or run.live
    ]
    return [*bases, *now, *tuned, *kept]


def usual_columns(runs: Sequence[Any]) -> tuple[str, str]:
    """The base of the newest run beside that run; without runs the base alone."""
    if not runs:
        return "base:pocket", NONE
    return f"base:{runs[0].model}", f"run:{runs[0].id}"


def side(studio: Studio, choice: str) -> Side:
    """What a column's value stands for: `run:<id>`, `run:<id>@<step>`, `live:<id>`, `api:<model>`,
    `base:<model>`, or a model's name."""
    kind, _, name = choice.strip().partition(":")
    if kind == "api" and name:
        from studio.generation import openai_endpoint

        served = openai_endpoint.column(name, f"{name} (served)")
        return Side(served.label, "base", name, endpoint=served.endpoint)
    if kind in ("run", "live") and name:
        name, _, step = name.partition("@")
        return _run_side(studio.runs.get(name), LIVE if kind == "live" else step)
    model = name if kind == "base" and name else choice.strip()
    return Side(f"{model} (base)", "base", model)


def _run_side(run: Run, step: str) -> Side:
    digest = recipe_digest(run)
    if step == LIVE:
        return Side(f"{run.name}, in progress", "tuned", run.model, run.id, digest, LIVE)
    if step:
        if not (step.isdecimal() and len(step) < 16):
            raise ConfigError(f"A checkpoint is named by its step, not {step!r:.40}.")
        label = f"{run.name} at {int(step):,}"
        return Side(label, "tuned", run.model, run.id, digest, int(step))
    if run.adapter is None and run.weights is None:
        raise ConfigError(f"{run.name} left no weights to compare; it is {run.state}.")
    return Side(run.name, "tuned", run.model, run.id, digest)


def sides(studio: Studio, choices: Sequence[str | None]) -> tuple[Side, ...]:
    """The columns that are set, at least one."""
    found = tuple(side(studio, choice) for choice in choices if choice and choice.strip())
    if not found:
        raise ConfigError("Choose at least one column to answer.")
    return found


# ---- a set of prompts ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """Every column's answers to a set of prompts, with all settings; one JSON file."""

    id: str
    name: str
    created: float
    sides: tuple[Side, ...]
    prompts: list[list[Message]]
    answers: list[list[dict[str, Any]]]  # [column][prompt]: text, tokens, ended, error
    sampling: dict[str, Any]
    source: str = ""
    references: list[str | None] = field(default_factory=list)
    seconds: float = 0.0
    shared: bool | None = None
    complete: bool = True
    held: Sequence[Sequence[int] | None] = field(default_factory=list)
    judged: list[dict[str, Any]] = field(default_factory=list)
    """What judge models said about the first two columns (`studio.labels.llm_judge.result`)."""
    rewards: list[list[float | None]] = field(default_factory=list)
    """[column][prompt], where answers were scored; None for one that never came."""
    reward: str = ""
    """What they were scored by, for people."""

    @property
    def said(self) -> bool:
        """Whether there is any answer at all: only then it is kept."""
        return any(cell["text"] for column in self.answers for cell in column)

    def worth(self, column: int, at: int) -> float | None:
        """The reward of one answer, where it has one."""
        return self.rewards[column][at] if self.rewards else None

    def groups(self) -> list[list[int]]:
        """The places of each prompt's answers: one, or several where it was asked so often."""
        places = groupby(range(len(self.prompts)), key=self.prompts.__getitem__)
        return [list(each) for _, each in places]

    def best(self, at: int, column: int) -> int:
        """Of how many answers to its prompt this one scores highest; 0 where it does not."""
        places = next(each for each in self.groups() if at in each)
        worth = {each: found for each in places if (found := self.worth(column, each)) is not None}
        if len(worth) < 2 or at != max(worth, key=worth.__getitem__):
            return 0
        return len(worth)

    def scored(self, column: int) -> tuple[list[list[Message]], list[list[str]], list[list[float]]]:
        """(prompts, answers to each, their rewards): those of a column that have one."""
        prompts, answers, rewards = [], [], []
        for places in self.groups():
            there = [at for at in places if self.worth(column, at) is not None]
            if there:
                prompts.append(self.prompts[there[0]])
                answers.append([self.answers[column][at]["text"] for at in there])
                rewards.append([self.rewards[column][at] for at in there])
        return prompts, answers, rewards

    def texts(self, column: int) -> list[str]:
        """The answers without their thinking."""
        return [cell["text"] for cell in self.answers[column]]

    def written(self, column: int) -> list[str]:
        """The answers with their thinking."""
        cells = self.answers[column]
        return [with_thought(cell["text"], cell.get("reasoning", "")) for cell in cells]


def from_generation(
    generation: Generation, chosen: tuple[Side, ...], source: str, references: list[str | None]
) -> Comparison:
    """A comparison as it stands; cells not begun yet are empty."""
    snapshot = generation.snapshot()
    cells = [[_cell(answer) for answer in column] for column in snapshot.answers]
    return Comparison(
        id=secret_id("comparison"),
        name=f"{' or '.join(each.label for each in chosen)}, {source}",
        created=time.time(),
        sides=chosen,
        prompts=[p if isinstance(p, list) else [] for p in generation.request.prompts],
        answers=cells,
        sampling=generation.request.sampling.model_dump(mode="json"),
        source=source,
        references=references,
        seconds=snapshot.seconds,
        shared=snapshot.shared,
        held=snapshot.held,
        complete=all(a.ended not in (None, "cancelled") for c in snapshot.answers for a in c),
    )


def _cell(answer: Answer) -> dict[str, Any]:
    """What is kept of an answer."""
    kept = {name: getattr(answer, name) for name in ("text", "tokens", "ended", "error")}
    if answer.reasoning:
        names = ("reasoning", "reasoning_tokens", "thinking")
        kept |= {name: getattr(answer, name) for name in names}
    return kept


def save(studio: Studio, comparison: Comparison) -> None:
    """Keep it in the workspace."""
    prompts = [plain(prompt) for prompt in comparison.prompts]
    kept = asdict(comparison) | {"prompts": prompts}
    write_json(studio.workspace.comparisons / f"{comparison.id}.json", kept)


def saved(studio: Studio) -> list[tuple[str, str]]:
    """(label, id) of what was kept, newest first."""
    found = []
    for path in sorted(studio.workspace.comparisons.glob("comparison-*.json"), reverse=True)[:50]:
        try:
            name = json.loads(path.read_text(encoding="utf-8"))["name"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        stamp = time.strftime("%d %b %H:%M", time.localtime(path.stat().st_mtime))
        found.append((f"{name}{DOT}{stamp}", path.stem))
    return found


def load(studio: Studio, identifier: str) -> Comparison:
    """A kept comparison by id."""
    path = studio.workspace.folder("comparisons", identifier).with_suffix(".json")
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        sides = tuple(Side(**each) for each in kept["sides"])
        prompts = [revived(prompt) for prompt in kept["prompts"]]
        return Comparison(**{**kept, "sides": sides, "prompts": prompts})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WorkspaceError(
            f"The comparison {identifier} cannot be read; choose another."
        ) from error


def to_label(
    studio: Studio, comparison: Comparison, name: str = "", **rules: Any
) -> tuple[str, int, dict[str, int]]:
    """A blind labeling project of the first two columns: (project id, pairs, set aside).

    `rules` go to `create_project`.
    """
    from studio.labels import pairs_from_texts

    if len(comparison.sides) < 2:
        raise ConfigError("Pairs need two columns; choose a second one and answer again.")
    first, second = comparison.sides[:2]
    items, aside = pairs_from_texts(
        comparison.prompts,
        comparison.written(0),
        comparison.written(1),
        first.source(studio.runs, comparison.sampling),
        second.source(studio.runs, comparison.sampling),
        {"comparison": comparison.id},
    )
    if not items:
        raise ConfigError("Every pair was set aside: the answers are identical or empty.")
    name = studio.labels.free_name(name or f"{first.label} or {second.label}"[:110])
    project = studio.labels.create_project(name, provenance={"comparison": comparison.id}, **rules)
    added = studio.labels.add_items(project.id, items)
    return project.id, added.added, dict(Counter(aside) + Counter(added.set_aside))
