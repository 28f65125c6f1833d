"""A conversation with several models: its turns, its votes, and how it survives a refresh."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from components.compare.tool_results import called, exchange
from components.ui import access
from studio.core.errors import ConfigError, WorkspaceError
from studio.core.messages import Message, plain, revived
from studio.core.workspace import secret_id, write_json
from studio.generation.request import Answer, Generation, MemoryUse, Sampling
from studio.labels import Pair, Project
from studio.labels.pair_filter import pair_digest
from studio.labels.types import clean_text
from studio.workflows.comparisons import Side

if TYPE_CHECKING:
    from studio import Studio

PROJECT_KIND = "votes in Compare"


@dataclass(frozen=True)
class Turn:
    """One prompt and every model's answer to it."""

    prompt: str
    asked: Sequence[list[Message]]
    """What each model was sent."""
    sampling: Sampling
    answers: Sequence[Answer]
    spent: Sequence[float] = ()
    """Seconds each model wrote, up to its own end."""
    shared: bool | None = None
    held: Sequence[MemoryUse | None] = ()
    """Memory of each model."""
    done: bool = False
    waiting: bool = False
    error: str | None = None
    rewards: Sequence[float] = ()
    """What a reward model gives each answer, where one was chosen."""
    role: str = "user"
    """Who says the prompt: the user, or a tool that the answers before it called."""

    @property
    def same_question(self) -> bool:
        """Whether every model read exactly the same conversation, which makes a vote fair."""
        return all(messages == self.asked[0] for messages in self.asked)


@dataclass(frozen=True)
class Chat:
    """One browser's conversation with one to four models.

    Replaced, never changed: a `gr.State` hands the same object to every handler of a browser, and
    its first value to all browsers.
    """

    sides: tuple[Side, ...] = ()
    system: str = ""
    turns: tuple[Turn, ...] = ()
    live: Generation | None = None
    raw: bool = False
    """The prompt is sent as typed, without template and without history."""
    marked: bool = False
    """Differences between the answers are highlighted."""
    id: str = field(default_factory=lambda: secret_id("chat"))
    follow: int | None = None
    """The model whose answers all continue from; None where each continues from its own."""

    @property
    def busy(self) -> bool:
        return self.live is not None and not self.live.finished

    @property
    def called(self) -> list[str]:
        """The tools that the last answers call, so that a result can be sent; see `called`."""
        if self.raw or self.busy or not self.turns:
            return []
        answers = self.turns[-1].answers
        return called(answers if self.follow is None else [self._continued(self.turns[-1], 0)])

    def _continued(self, turn: Turn, column: int) -> Answer:
        """The answer that a model continues from."""
        source = column if self.follow is None else min(self.follow, len(turn.answers) - 1)
        return turn.answers[source]

    def messages(self, column: int, prompt: str, role: str = "user") -> list[Message]:
        """What a model is asked next: the system prompt, the history, and the new prompt of a user
        or result of a tool; `ConfigError` for a result that nobody asked for."""
        if self.raw:
            return [{"role": "user", "content": prompt}]
        found: list[Message] = []
        if self.system.strip():
            found.append({"role": "system", "content": self.system.strip()})
        before: Answer | None = None
        asked = [(turn.prompt, turn.role, self._continued(turn, column)) for turn in self.turns]
        for at, (said, who, answer) in enumerate([*asked, (prompt, role, None)]):
            if who == "tool":
                found += exchange(before or Answer(), said, at)
            else:
                found += [{"role": "assistant", "content": before.text}] if before else []
                found.append({"role": "user", "content": said})
            before = answer
        return found


def vote(studio: Studio, chat: Chat, choice: str, annotator: str) -> tuple[str, int]:
    """Store a vote on the last turn with its full provenance.

    Returns the labeling project's name and how many pairs this annotator has voted on in it.
    """
    turn = chat.turns[-1]
    first, second = chat.sides[:2]
    sampling = turn.sampling.model_dump(mode="json")
    project = _vote_project(studio, first, second)
    left, right = (clean_text(answer.text) for answer in turn.answers[:2])  # as the store does
    one, two = (
        side.source(studio.runs, sampling)
        | ({"reasoning": answer.reasoning} if answer.reasoning else {})
        for side, answer in zip((first, second), turn.answers, strict=False)
    )
    item = Pair(turn.asked[0], left, right, one, two, {"from": "compare", "blind": False})
    labels = studio.labels
    added = labels.add_items(project.id, [item])
    if not added.added and "duplicate" not in added.set_aside:
        reason = next(iter(added.set_aside), "empty")
        raise ConfigError(
            f"Not saved: the two answers are {reason}, so there is nothing to vote on."
        )
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


def _vote_project(studio: Studio, first: Side, second: Side) -> Project:
    """The labeling project for votes on these two models; created with the first vote."""
    mark = {"kind": PROJECT_KIND, "columns": [first.key, second.key]}
    for project in studio.labels.projects():
        if project.provenance == mark:
            return project
    name = studio.labels.free_name(f"Compare: {first.label} or {second.label}"[:110])
    return studio.labels.create_project(name, provenance=mark)


# ---- surviving a refresh ------------------------------------------------------------------------


def keep(studio: Studio, chat: Chat) -> None:
    """Save a conversation to the workspace, so that a refresh can restore it for this person."""
    turns = [
        {
            **vars(turn),
            "asked": [plain(prompt) for prompt in turn.asked],
            "sampling": turn.sampling.model_dump(mode="json"),
            "answers": [vars(answer) for answer in turn.answers],
        }
        for turn in chat.turns
        if turn.done
    ]
    whole = {
        "person": access.login(),
        "sides": [asdict(side) for side in chat.sides],
        "system": chat.system,
        "raw": chat.raw,
        "turns": turns,
    }
    write_json(studio.workspace.comparisons / f"{chat.id}.json", whole)


def bring_back(studio: Studio, identifier: str) -> Chat | None:
    """This person's saved conversation by id; None where there is none that can be read."""
    try:
        path = studio.workspace.folder("comparisons", identifier).with_suffix(".json")
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["person"] != access.login():
            return None
        turns = tuple(
            Turn(
                **{
                    **turn,
                    "asked": [revived(prompt) for prompt in turn["asked"]],
                    "sampling": Sampling(**turn["sampling"]),
                    "answers": [Answer(**{**a, "ids": tuple(a["ids"])}) for a in turn["answers"]],
                    "held": tuple(each and MemoryUse(*each) for each in turn["held"]),
                    "rewards": tuple(turn["rewards"]),
                }
            )
            for turn in kept["turns"]
        )
        sides = tuple(Side(**side) for side in kept["sides"])
        return Chat(sides, kept["system"], turns, raw=kept["raw"], id=identifier)
    except (OSError, ValueError, TypeError, KeyError, WorkspaceError):
        return None
