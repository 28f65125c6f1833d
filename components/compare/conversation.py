"""A conversation with several columns: its turns, its votes, and how it survives a refresh."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError, WorkspaceError
from studio.core.messages import Message
from studio.core.workspace import new_id, write_json
from studio.generation.request import Answer, Generation, Sampling
from studio.labels import Pair
from studio.labels.pair_filter import pair_digest
from studio.labels.types import clean_text
from studio.workflows.comparisons import Side

if TYPE_CHECKING:
    from studio import Studio

PROJECT_KIND = "votes in Compare"
_beginning = threading.Lock()


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
    held: Sequence[Sequence[int] | None] = field(default_factory=list)
    """Memory of each column: `studio.generation.request.Held`."""
    done: bool = False
    waiting: bool = False
    error: str | None = None
    rewards: list[float] = field(default_factory=list)
    """What a reward model gives to each answer, where one was asked."""

    @property
    def same_question(self) -> bool:
        """Whether every column read exactly the same conversation: what makes a vote fair."""
        return all(messages == self.asked[0] for messages in self.asked)


@dataclass
class Chat:
    """One browser's conversation with two to four columns."""

    sides: tuple[Side, ...] = ()
    system: str = ""
    turns: list[Turn] = field(default_factory=list)
    live: Generation | None = None
    raw: bool = False
    """The prompt is given as typed, without template and without what was said before."""
    marked: bool = False
    """Differences between the answers are marked."""
    id: str = field(default_factory=lambda: new_id("chat"))
    follow: int | None = None
    """The column from whose answers all go on; None where each goes on from its own."""
    begun: bool = False
    """Asked or brought back: an earlier conversation that comes late does not replace it."""

    def begin(self) -> bool:
        """Whether it had not begun before; of two handlers at once, one is told so."""
        with _beginning:
            first, self.begun = not self.begun, True
            return first and not self.turns

    def messages(self, column: int, prompt: str) -> list[Message]:
        """What a column is asked next."""
        found: list[Message] = []
        if self.raw:
            return [{"role": "user", "content": prompt}]
        if self.system.strip():
            found.append({"role": "system", "content": self.system.strip()})
        for turn in self.turns:
            found.append({"role": "user", "content": turn.prompt})
            own = column if self.follow is None else min(self.follow, len(turn.answers) - 1)
            found.append({"role": "assistant", "content": turn.answers[own].text})
        return [*found, {"role": "user", "content": prompt}]


def vote(studio: Studio, chat: Chat, choice: str, annotator: str) -> tuple[str, int]:
    """Keep a verdict on the last turn with everything that made it: (project name, its votes)."""
    turn = chat.turns[-1]
    first, second = chat.sides[:2]
    sampling = turn.sampling.model_dump(mode="json")
    project = _vote_project(studio, first, second)
    left, right = (clean_text(answer.text) for answer in turn.answers[:2])  # as the store does
    item = Pair(
        turn.asked[0],
        left,
        right,
        first.source(studio.runs, sampling),
        second.source(studio.runs, sampling),
        {"from": "compare", "blind": False},
    )
    labels = studio.labels
    added = labels.add_items(project.id, [item])
    if not added.added and "duplicate" not in added.set_aside:
        reason = next(iter(added.set_aside), "empty")
        raise ConfigError(f"Not kept: the two answers are {reason}, so there is nothing to judge.")
    digest = pair_digest(item)
    stored = next(
        each
        for each in labels.labelled_pairs(project.id)
        if pair_digest(Pair(each.prompt, each.answer_a, each.answer_b)) == digest
    )
    order = "ab" if stored.answer_a.split() == left.split() else "ba"
    choice = {"a": "left", "b": "right"}.get(choice, choice)
    labels.vote(project.id, stored.item_id, annotator, choice, shown_order=order)
    return project.name, labels.progress(project.id, annotator).done


def _vote_project(studio: Studio, first: Side, second: Side) -> Any:
    """The labelling project for in-place votes on these two, made when there is none."""
    mark = {"kind": PROJECT_KIND, "columns": [first.key, second.key]}
    for project in studio.labels.projects():
        if project.provenance == mark:
            return project
    name = studio.labels.free_name(f"Compare: {first.label} or {second.label}"[:110])
    return studio.labels.create_project(name, provenance=mark)


# ---- kept for a refresh -------------------------------------------------------------------------


def keep(studio: Studio, chat: Chat) -> None:
    """Write a conversation to the workspace, so that a refresh can bring it back."""
    turns = [
        {
            **vars(turn),
            "sampling": turn.sampling.model_dump(mode="json"),
            "answers": [vars(answer) for answer in turn.answers],
        }
        for turn in chat.turns
        if turn.done
    ]
    plain = {
        "sides": [asdict(side) for side in chat.sides],
        "system": chat.system,
        "raw": chat.raw,
        "turns": turns,
    }
    write_json(studio.workspace.comparisons / f"{chat.id}.json", plain)


def bring_back(studio: Studio, identifier: str) -> Chat | None:
    """A kept conversation by id; None where there is none any more."""
    try:
        path = studio.workspace.folder("comparisons", identifier).with_suffix(".json")
        plain = json.loads(path.read_text(encoding="utf-8"))
        turns = [
            Turn(
                **{
                    **turn,
                    "sampling": Sampling(**turn["sampling"]),
                    "answers": [Answer(**{**a, "ids": tuple(a["ids"])}) for a in turn["answers"]],
                }
            )
            for turn in plain["turns"]
        ]
        sides = tuple(Side(**side) for side in plain["sides"])
        return Chat(sides, plain["system"], turns, raw=plain["raw"], id=identifier)
    except (OSError, ValueError, TypeError, KeyError, WorkspaceError):
        return None
