"""What Self-Instruct is to make, and how far it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from studio.core.errors import ConfigError


@dataclass(frozen=True)
class MakePlan:
    """What is to be made. Models are named as in Compare: `base:MODEL`, `run:RUN`, `api:MODEL`.

    One of `answerers` gives completions, two give pairs: the judge's better answer is chosen, or
    without a judge the first one's. `continues`: the writer continues a list of tasks in place of
    being asked, for a model that was never taught to follow instructions.
    """

    writer: str
    answerers: tuple[str, ...]
    seeds: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    topic: str = ""
    count: int = 50
    judge: str = ""
    min_score: float = 0.0
    continues: bool = False
    temperature: float = 0.9
    max_new_tokens: int = 96
    answer_tokens: int = 256
    seed: int = 42
    name: str = "made"

    def check(self) -> None:
        """Raise `ConfigError` for a plan that cannot give rows."""
        if not (self.seeds or self.documents or self.topic.strip()):
            raise ConfigError("Give seed tasks, documents, or a topic to write instructions from.")
        if not 1 <= len(self.answerers) <= 2:
            raise ConfigError("Name one model that answers, or two for chosen and rejected pairs.")
        if len(set(self.answerers)) < len(self.answerers) and not self.judge:
            raise ConfigError(
                "Only a judge can choose between two answers of one model; name a judge, or two "
                "models."
            )
        if self.min_score and not self.judge:
            raise ConfigError("min_score needs a judge, which gives the scores.")
        if self.continues and not (self.seeds or self.documents):
            raise ConfigError("A model that continues a list needs seed tasks to begin it with.")
        if self.count < 1:
            raise ConfigError("Make at least one row.")


@dataclass
class MakeState:
    """How far it is: batches asked, instructions proposed, rows kept, drops by reason."""

    batches: int = 0
    proposed: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict[str, int])
    unread_scores: int = 0
    fruitless: int = 0
    dataset: str = ""

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def sentence(self) -> str:
        """`40 of 112 proposals kept; dropped: 60 similar, 12 too short.`"""
        reasons = ", ".join(
            f"{count:,} {reason}" for reason, count in Counter(self.dropped).most_common()
        )
        text = f"{self.kept:,} of {self.proposed:,} proposals kept"
        unread = f" {self.unread_scores:,} scores could not be read." if self.unread_scores else ""
        return f"{text}; dropped: {reasons or 'none'}.{unread}"
