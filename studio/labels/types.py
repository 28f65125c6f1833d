"""Projects, items and votes as frozen values, independent of the database.

A *choice* is one of

    "a", "b"      that stored answer is better      (strength 1..4)
    "tie"         as good as each other
    "both_bad"    neither is acceptable
    "skip"        the annotator prefers not to say; counts as seen, decides nothing
    "broken"      the item cannot be judged (cut off, wrong language ...); decides nothing, and the
                  item is left out of results and exports until an owner has looked

and *strength* has four steps: 1 slightly better, 2 better, 3 clearly better, 4 much better.
"left" and "right" are accepted wherever a person chose by what they saw; the store turns them into
"a" or "b".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from studio.core.errors import DataError
from studio.core.messages import Message, Prompt, kwargs_of, tools_of

CHOICES = ("a", "b", "tie", "both_bad", "skip", "broken")
STRENGTHS = {1: "slightly better", 2: "better", 3: "clearly better", 4: "much better"}
DEFAULT_STRENGTH = 2
#: Choices that decide nothing: left out of decisions, win rates and agreement.
UNDECIDED = ("skip", "broken")
#: The `turn` of an owner's ruling on a pair that annotators disagree on: it alone decides.
ADJUDICATION = 2
DEFAULT_QUESTION = "Which answer is better?"


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt, and where each came from.

    `prompt` is a list of messages (a string becomes one user turn). A source is a JSON-able
    mapping; the keys the studio itself writes are `label` (the column's name), `model`, `run`,
    `adapter`, `recipe` (digest), `sampling` and `seed`, and, where the model thought before it
    answered, `reasoning`: answers are stored without it.
    """

    prompt: Sequence[Message] | str
    answer_a: str
    answer_b: str
    source_a: Mapping[str, Any] = field(default_factory=dict[str, Any])
    source_b: Mapping[str, Any] = field(default_factory=dict[str, Any])
    provenance: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Added:
    """How many items were added, and how many were set aside, by reason."""

    added: int
    set_aside: dict[str, int]


@dataclass(frozen=True)
class Project:
    """A labeling project.

    `order` is "random" (shuffled on arrival), "given" or "uncertain" (`pair_filter.order_pairs`).
    `overlap` is the number of annotators per item, 0 for everyone; once in `repeat_every` votes an
    earlier item is shown again, 0 for never; `done` counts first votes. `show_reasoning`:
    annotators may unfold what a model thought before it answered.
    """

    id: str
    name: str
    question: str
    guidelines: str
    guideline_version: int
    order: str
    seed: int
    items: int
    created: float
    provenance: dict[str, Any]
    overlap: int = 0
    repeat_every: int = 0
    aspects: list[str] = field(default_factory=list[str])
    reasons: list[str] = field(default_factory=list[str])
    done: int = 0
    show_reasoning: bool = False

    @property
    def wanted(self) -> int | None:
        """Votes until the project is complete; None where everyone labels everything."""
        return self.items * self.overlap if self.overlap else None


@dataclass(frozen=True)
class ShownItem:
    """An item as one annotator sees it: sides shuffled, sources hidden. `order` is "ab" or "ba".

    `turn` is 1 for a repeat, `ADJUDICATION` where an owner decides. The thinking of each side is
    empty unless the project shows it.
    """

    project_id: str
    item_id: int
    prompt: list[Message]
    left: str
    right: str
    order: str
    turn: int = 0
    left_reasoning: str = ""
    right_reasoning: str = ""


@dataclass(frozen=True)
class VoteReceipt:
    """Proof that a vote is on disk; `repeated` if this submission had been stored before."""

    vote_id: int
    item_id: int
    version: int
    choice: str
    strength: int
    created: float
    repeated: bool = False


@dataclass(frozen=True)
class Progress:
    """One annotator's progress; `seconds_each` is the median of their last 30 votes.

    `total` is what this annotator has done and may still do. Where items are assigned, `together`
    counts everybody's votes and `wanted` is their final number.
    """

    done: int
    total: int
    today: int
    seconds_each: float | None
    saved_at: float | None
    together: int | None = None
    wanted: int | None = None

    @property
    def left(self) -> int:
        return self.total - self.done

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"left": self.left}


@dataclass(frozen=True)
class Standing:
    """The annotator's next items (the first one is current), progress, and guidelines' version."""

    upcoming: list[ShownItem]
    progress: Progress
    guideline_version: int


@dataclass(frozen=True)
class Vote:
    """The current version of one annotator's vote on one item.

    `studio_version` is the studio's that recorded it; "" where that was not recorded yet.
    """

    vote_id: int
    item_id: int
    annotator: str
    version: int
    choice: str
    strength: int
    order: str
    seconds: float
    note: str
    edited: str
    guideline_version: int
    created: float
    turn: int = 0
    reasons: list[str] = field(default_factory=list[str])
    aspects: dict[str, str] = field(default_factory=dict[str, str])
    studio_version: str = ""


@dataclass(frozen=True)
class JudgedItem:
    """A stored item with every annotator's current vote.

    `sampled` is whether the item was drawn at random, as unbiased win rates need.
    `ruling` is an owner's vote on a disagreement, if any.
    """

    item_id: int
    prompt: list[Message]
    answer_a: str
    answer_b: str
    source_a: dict[str, Any]
    source_b: dict[str, Any]
    votes: tuple[Vote, ...]
    sampled: bool = True
    ruling: Vote | None = None

    @property
    def deciding(self) -> tuple[Vote, ...]:
        """The votes that decide the item: the ruling alone, else all."""
        return (self.ruling,) if self.ruling else self.votes


_CARRIED = ("name", "tool_calls", "tool_call_id")
"""What an earlier turn of a prompt keeps besides its role and its text."""


def clean_text(text: str) -> str:
    """Text that every database accepts: NUL and lone surrogates become U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def as_messages(prompt: object, where: str = "the prompt") -> list[Message]:
    """A prompt as messages, with its tools and kwargs if any; raises `DataError` for anything that
    is neither text nor messages."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": clean_text(prompt)}] if prompt.strip() else []
    if not isinstance(prompt, Sequence):
        raise DataError(
            f"In {where}: expected text or a list of messages, found {type(prompt).__name__}."
        )
    messages: list[Message] = []
    for turn, message in enumerate(cast("Sequence[object]", prompt), 1):
        if not isinstance(message, Mapping):
            raise DataError(f"In {where}, turn {turn}: expected a message with role and content.")
        fields = cast("Mapping[str, object]", message)
        content = fields.get("content")
        if not isinstance(content, str):
            raise DataError(
                f"In {where}, turn {turn}: content must be text, found {type(content).__name__}."
            )
        role = clean_text(str(fields.get("role", "user")))
        more = {name: fields[name] for name in _CARRIED if fields.get(name)}
        messages.append({"role": role, "content": clean_text(content), **more})
    tools, kwargs = tools_of(prompt), kwargs_of(prompt)
    return Prompt(messages, tools, kwargs) if tools or kwargs else messages


def source_label(source: Mapping[str, Any]) -> str:
    """The name under which an answer's source appears in results: its label, run or model."""
    for key in ("label", "run", "model"):
        if source.get(key):
            return str(source[key])
    return "unnamed"


def source_names(items: Iterable[JudgedItem]) -> Callable[[Mapping[str, Any]], str]:
    """`source_label`, with the run or model behind it where several share a label.

    Two runs may have one name; their votes are not one model's.
    """
    behind: dict[str, set[str]] = {}
    for item in items:
        for source in (item.source_a, item.source_b):
            behind.setdefault(source_label(source), set()).add(_behind(source))

    def name(source: Mapping[str, Any]) -> str:
        label = source_label(source)
        return label if len(behind.get(label, ())) < 2 else f"{label} ({_behind(source)})"

    return name


def _behind(source: Mapping[str, Any]) -> str:
    return str(source.get("run") or source.get("model") or "unnamed")


def side_order(seed: int, annotator: str, item_id: int, turn: int = 0) -> str:
    """Which stored answer this annotator sees on the left: "ab" or "ba", the same every time.

    A repeat shows the sides swapped.
    """
    digest = hashlib.sha256(f"{seed}\x1f{annotator}\x1f{item_id}".encode()).digest()
    return "ba" if (digest[0] + turn) & 1 else "ab"
