"""One decision per item from all current votes, by a rule that is stated with the rows.

Skips and flags are not counted, and a flagged item has no decision. *majority*: the choice of more
than half of the remaining votes. *unanimous*: the choice that all of them gave. *each*: every vote
is a decision of its own (for export only; results always count an item once). Where an owner
has decided a disagreement, that ruling is the only vote that counts, whatever the rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from studio.core.errors import ConfigError, did_you_mean
from studio.labels.types import STRENGTHS, UNDECIDED, Vote

RULES = ("majority", "unanimous", "each")


@dataclass(frozen=True)
class Rule:
    """How votes become rows: which decisions count, and how strong they must be.

    `min_strength` is the minimum mean strength (1 to 4) of the votes behind a decision; `edits` is
    whether an edited text replaces the chosen answer.
    """

    name: str = "majority"
    min_strength: int = 1
    edits: bool = True

    def __post_init__(self) -> None:
        if self.name not in RULES:
            near = did_you_mean(str(self.name), RULES)
            raise ConfigError(f"The rule is {', '.join(RULES)}, not {self.name!r}.{near}")
        if self.min_strength not in STRENGTHS:
            raise ConfigError(f"The minimum strength is 1 to 4, not {self.min_strength!r}.")

    def sentence(self) -> str:
        """The rule as a sentence, for readers of the rows."""
        how = {
            "majority": "One row per item, by the majority of its current votes (more than half, "
            "skips not counted).",
            "unanimous": "One row per item on which all current votes agree (skips not counted).",
            "each": "One row per vote.",
        }[self.name]
        none = " and items without a majority" if self.name == "majority" else ""
        weak = f" Decisions weaker than {STRENGTHS[self.min_strength]} are left out."
        parts = (
            how,
            f" Ties{none} are left out.",
            weak if self.min_strength > 1 else "",
            "" if self.edits else " Edits are ignored.",
        )
        return "".join(parts)

    def decisions(self, votes: Sequence[Vote]) -> list[Decision]:
        """The decisions on one item: one, or one per vote where each counts."""
        if self.name == "each" and any(vote.choice not in UNDECIDED for vote in votes):
            made = [decide([vote]) for vote in votes]
            if any(vote.choice == "broken" for vote in votes):
                made = [decide(votes)]
        else:
            made = [decide(votes)]
        return [self._held_to(decision) for decision in made]

    def _held_to(self, decision: Decision) -> Decision:
        if decision.outcome is None:
            return decision
        if self.name == "unanimous" and decision.agreement < 1:
            return Decision(None, voters=decision.voters, why_not="not unanimous")
        if decision.outcome in ("a", "b") and decision.strength < self.min_strength:
            return Decision(None, voters=decision.voters, why_not="too weak")
        return decision if self.edits else replace(decision, edited="")


@dataclass(frozen=True)
class Decision:
    """`outcome` is "a", "b", "tie", "both_bad" or None; `why_not` says why there is none.

    `agreement` is the share of voters behind the outcome, `strength` the mean strength they gave
    it, `edited` the newest edited text among them ("" if there is none); `behind` are those votes.
    """

    outcome: str | None
    voters: int = 0
    agreement: float = 0.0
    strength: float = 0.0
    edited: str = ""
    why_not: str = ""
    behind: tuple[Vote, ...] = field(default=(), repr=False)


def decide(votes: Sequence[Vote]) -> Decision:
    """The majority decision of an item's current votes."""
    if not votes:
        return Decision(None, why_not="not labeled yet")
    if any(vote.choice == "broken" for vote in votes):
        return Decision(None, why_not="flagged as broken")
    counted = [vote for vote in votes if vote.choice not in UNDECIDED]
    if not counted:
        return Decision(None, why_not="skipped")
    choice, count = Counter(vote.choice for vote in counted).most_common(1)[0]
    if count * 2 <= len(counted):
        return Decision(None, voters=len(counted), why_not="no majority")
    behind = [vote for vote in counted if vote.choice == choice]
    edits = [vote for vote in behind if vote.edited]
    return Decision(
        choice,
        voters=len(counted),
        agreement=count / len(counted),
        strength=sum(vote.strength for vote in behind) / count if choice in ("a", "b") else 0.0,
        edited=max(edits, key=lambda vote: vote.vote_id).edited if edits else "",
        behind=tuple(behind),
    )
