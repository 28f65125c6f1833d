"""What is compared: columns chosen by a person, chats, and saved answers to a set of prompts.

No Gradio here. A column is written as `base:<model>` or `run:<id>`; anything else is taken as a
model's name, so that a Hub id or a folder can be typed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from studio.errors import ConfigError, WorkspaceError
from studio.generation.request import Answer, Column, Generation, Message, Sampling
from studio.preference import Item
from studio.preference.pairs import pair_digest
from studio.workspace import new_id, write_json

if TYPE_CHECKING:
    from studio import Studio
    from studio.training.runs import Run

LETTERS = "ABCD"
DOT = " \N{MIDDLE DOT} "
NONE = ""
PROJECT_KIND = "votes in Compare"


@dataclass(frozen=True)
class Side:
    """One column as people see it, and as the engine takes it."""

    label: str
    kind: str  # base | tuned
    model: str
    run: str | None = None
    recipe: str | None = None  # digest of the run's recipe

    @property
    def column(self) -> Column:
        return Column(self.model, self.run, label=self.label)

    def source(self, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """Everything that made an answer, as it is kept beside a vote."""
        return {
            "label": self.label,
            "model": self.model,
            "run": self.run,
            "adapter": f"runs/{self.run}/adapter" if self.run else None,
            "recipe": self.recipe,
            "sampling": dict(sampling),
            "seed": sampling.get("seed"),
        }


def finished(studio: Studio) -> list[Run]:
    """Runs that left weights, newest first."""
    return [
        run
        for run in studio.runs.list()
        if not run.live and (run.adapter is not None or run.weights is not None)
    ]


def column_choices(runs: Sequence[Any]) -> list[tuple[str, str]]:
    """(label, value): every base in play, then every run that left weights."""
    models = dict.fromkeys(["pocket", *(run.model for run in runs)])
    bases = [(f"{model}{DOT}base", f"base:{model}") for model in models]
    tuned = [
        (f"{run.name}{DOT}{run.objective.upper()}, {run.step:,} steps", f"run:{run.id}")
        for run in runs
    ]
    return bases + tuned


def usual_columns(runs: Sequence[Any]) -> tuple[str, str]:
    """The base of the newest run beside that run; without runs the base alone."""
    if not runs:
        return "base:pocket", NONE
    return f"base:{runs[0].model}", f"run:{runs[0].id}"


def side(studio: Studio, choice: str) -> Side:
    """What a column's value stands for."""
    kind, _, name = choice.strip().partition(":")
    if kind == "run" and name:
        run = studio.runs.get(name)
        if run.adapter is None and run.weights is None:
            raise ConfigError(f"{run.name} left no weights to compare; it is {run.state}.")
        digest = hashlib.sha256(run.recipe.to_yaml().encode()).hexdigest()[:12]
        return Side(run.name, "tuned", run.model, run.id, digest)
    model = name if kind == "base" and name else choice.strip()
    return Side(f"{model} (base)", "base", model)


def sides(studio: Studio, choices: Sequence[str | None]) -> tuple[Side, ...]:
    """The columns that are set, at least one."""
    found = tuple(side(studio, choice) for choice in choices if choice and choice.strip())
    if not found:
        raise ConfigError("Choose at least one column to answer.")
    return found


# ---- a chat -------------------------------------------------------------------------------------


@dataclass
class Turn:
    """One prompt and every column's answer to it."""

    prompt: str
    asked: list[list[Message]]
    sampling: Sampling
    answers: list[Answer]
    spent: list[float] = field(default_factory=list)
    """Seconds that each column wrote, up to its own end."""
    shared: bool | None = None
    done: bool = False
    waiting: bool = False
    error: str | None = None
    vote: str | None = None

    @property
    def same_question(self) -> bool:
        """Whether every column read exactly the same conversation: what makes a vote fair."""
        return all(messages == self.asked[0] for messages in self.asked)


@dataclass
class Chat:
    """One browser's conversation with two to four columns; each keeps its own history."""

    sides: tuple[Side, ...] = ()
    system: str = ""
    turns: list[Turn] = field(default_factory=list)
    live: Generation | None = None

    def messages(self, column: int, prompt: str) -> list[Message]:
        """What a column is asked next."""
        found: list[Message] = []
        if self.system.strip():
            found.append({"role": "system", "content": self.system.strip()})
        for turn in self.turns:
            found.append({"role": "user", "content": turn.prompt})
            found.append({"role": "assistant", "content": turn.answers[column].text})
        return [*found, {"role": "user", "content": prompt}]


def vote(studio: Studio, chat: Chat, choice: str, annotator: str) -> tuple[str, int]:
    """Keep a verdict on the last turn with everything that made it: (project name, its votes)."""
    turn = chat.turns[-1]
    first, second = chat.sides[:2]
    sampling = turn.sampling.model_dump(mode="json")
    project = _vote_project(studio, first, second)
    item = Item(
        turn.asked[0], turn.answers[0].text, turn.answers[1].text,
        first.source(sampling), second.source(sampling), {"from": "compare", "blind": False},
    )  # fmt: skip
    labels = studio.labels
    added = labels.add_items(project.id, [item])
    if not added.added and "duplicate" not in added.set_aside:
        reason = next(iter(added.set_aside), "empty")
        raise ConfigError(f"Not kept: the two answers are {reason}, so there is nothing to judge.")
    digest = pair_digest(item)
    judged = list(labels.judged(project.id))
    stored = next(
        each
        for each in judged
        if pair_digest(Item(each.prompt, each.answer_a, each.answer_b)) == digest
    )
    if stored.answer_a != item.answer_a and choice in ("a", "b"):
        choice = "b" if choice == "a" else "a"
    labels.vote(project.id, stored.item_id, annotator, choice, shown_order="ab")
    turn.vote = choice
    return project.name, labels.progress(project.id, annotator).done


def _vote_project(studio: Studio, first: Side, second: Side) -> Any:
    """The labelling project for in-place votes on these two, made when there is none."""
    mark = {"kind": PROJECT_KIND, "columns": [first.run or first.model, second.run or second.model]}
    for project in studio.labels.projects():
        if project.provenance == mark:
            return project
    name = studio.labels.free_name(f"Compare: {first.label} or {second.label}"[:110])
    return studio.labels.create_project(name, provenance=mark)


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

    def texts(self, column: int) -> list[str]:
        return [cell["text"] for cell in self.answers[column]]


def from_generation(
    generation: Generation, chosen: tuple[Side, ...], source: str, references: list[str | None]
) -> Comparison:
    """A comparison as it stands; cells not begun yet are empty."""
    snapshot = generation.snapshot()
    cells = [
        [
            {"text": a.text, "tokens": a.tokens, "ended": a.ended, "error": a.error}
            for a in column
        ]
        for column in snapshot.answers
    ]  # fmt: skip
    return Comparison(
        id=new_id("comparison"),
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
        complete=all(a.ended not in (None, "cancelled") for c in snapshot.answers for a in c),
    )


def save(studio: Studio, comparison: Comparison) -> None:
    """Keep it in the workspace."""
    write_json(studio.workspace.comparisons / f"{comparison.id}.json", asdict(comparison))


def saved(studio: Studio) -> list[tuple[str, str]]:
    """(label, id) of what was kept, newest first."""
    found = []
    for path in sorted(studio.workspace.comparisons.glob("comparison-*.json"), reverse=True)[:50]:
        try:
            name = json.loads(path.read_text(encoding="utf-8"))["name"]
        except (OSError, ValueError, KeyError):
            continue
        stamp = time.strftime("%d %b %H:%M", time.localtime(path.stat().st_mtime))
        found.append((f"{name}{DOT}{stamp}", path.stem))
    return found


def load(studio: Studio, identifier: str) -> Comparison:
    """A kept comparison by id."""
    path = studio.workspace.folder("comparisons", identifier).with_suffix(".json")
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        return Comparison(**{**plain, "sides": tuple(Side(**each) for each in plain["sides"])})
    except (OSError, ValueError, TypeError) as error:
        raise WorkspaceError(
            f"The comparison {identifier} cannot be read; choose another."
        ) from error


def to_label(studio: Studio, comparison: Comparison) -> tuple[str, int, dict[str, int]]:
    """A blind labelling project of the first two columns: (project id, pairs, set aside)."""
    from studio.preference import pairs_from_texts

    if len(comparison.sides) < 2:
        raise ConfigError("Pairs need two columns; choose a second one and answer again.")
    first, second = comparison.sides[:2]
    items, aside = pairs_from_texts(
        comparison.prompts, comparison.texts(0), comparison.texts(1),
        first.source(comparison.sampling), second.source(comparison.sampling),
        {"comparison": comparison.id},
    )  # fmt: skip
    if not items:
        raise ConfigError("Every pair was set aside: the answers are identical or empty.")
    name = studio.labels.free_name(f"{first.label} or {second.label}"[:110])
    project = studio.labels.create_project(name, provenance={"comparison": comparison.id})
    added = studio.labels.add_items(project.id, items)
    for reason, count in added.set_aside.items():
        aside[reason] = aside.get(reason, 0) + count
    return project.id, added.added, aside
