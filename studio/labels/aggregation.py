"""One verdict for an item out of everybody's current votes, by a rule that is stated with the rows.

Skips and flags are not counted, and a flagged item has no verdict. *majority*: the choice that more
than half of the remaining votes gave. *unanimous*: the choice that all of them gave. *each*: every
vote is a verdict of its own (for export only; results always count an item once). Where an owner
has settled a disagreement, their ruling is the only vote that counts, whatever the rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from studio.core.errors import ConfigError, did_you_mean
from studio.labels.types import STRENGTHS, UNDECIDED, Vote

RULES = ("majority", "unanimous", "each")


@dataclass(frozen=True)
class Rule:
    """How votes become rows: which verdicts count, and how strong they must be.

    `min_strength` is the least mean strength (1 to 4) of those behind a verdict; `edits` is whether
    an improved text takes the chosen answer's place.
    """

    name: str = "majority"
    min_strength: int = 1
    edits: bool = True

    def __post_init__(self) -> None:
        if self.name not in RULES:
            near = did_you_mean(str(self.name), RULES)
            raise ConfigError(f"The rule is {', '.join(RULES)}, not {self.name!r}.{near}")
        if self.min_strength not in STRENGTHS:
            raise ConfigError(f"The least strength is 1 to 4, not {self.min_strength!r}.")

    def sentence(self) -> str:
        """The rule in words, for whoever gets the rows."""
        how = {
            "majority": "One row an item, by the majority of its current votes (more than half, "
            "skips not counted).",
            "unanimous": "One row an item on which all current votes agree (skips not counted).",
            "each": "One row a vote.",
        }[self.name]
        none = " and items without a majority" if self.name == "majority" else ""
        weak = f" Verdicts weaker than {STRENGTHS[self.min_strength]} are left out."
        parts = (
            how,
            f" Ties{none} are left out.",
            weak if self.min_strength > 1 else "",
            "" if self.edits else " Edits are left aside.",
        )
        return "".join(parts)

    def verdicts(self, votes: Sequence[Vote]) -> list[Verdict]:
        """The verdicts on one item: one, or one a vote where each counts."""
        if self.name == "each" and any(vote.choice not in UNDECIDED for vote in votes):
            made = [decide([vote]) for vote in votes]
            if any(vote.choice == "broken" for vote in votes):
                made = [decide(votes)]
        else:
            made = [decide(votes)]
        return [self._held_to(verdict) for verdict in made]

    def _held_to(self, verdict: Verdict) -> Verdict:
        if verdict.outcome is None:
            return verdict
        if self.name == "unanimous" and verdict.agreement < 1:
            return Verdict(None, voters=verdict.voters, why_not="not unanimous")
        if verdict.outcome in ("a", "b") and verdict.strength < self.min_strength:
            return Verdict(None, voters=verdict.voters, why_not="too weak")
        return verdict if self.edits else replace(verdict, edited="")


@dataclass(frozen=True)
class Verdict:
    """`outcome` is "a", "b", "tie", "both_bad" or None; `why_not` says why there is none.

    `agreement` is the share of voters behind the outcome, `strength` the mean strength they gave
    it, `edited` the newest improved text among them ("" when nobody edited).
    """

    outcome: str | None
    voters: int = 0
    agreement: float = 0.0
    strength: float = 0.0
    edited: str = ""
    why_not: str = ""


def decide(votes: Sequence[Vote]) -> Verdict:
    """The majority verdict of an item's current votes."""
    if not votes:
        return Verdict(None, why_not="not labelled yet")
    if any(vote.choice == "broken" for vote in votes):
        return Verdict(None, why_not="flagged as broken")
    counted = [vote for vote in votes if vote.choice not in UNDECIDED]
    if not counted:
        return Verdict(None, why_not="skipped")
    choice, count = Counter(vote.choice for vote in counted).most_common(1)[0]
    if count * 2 <= len(counted):
        return Verdict(None, voters=len(counted), why_not="no majority")
    behind = [vote for vote in counted if vote.choice == choice]
    edits = [vote for vote in behind if vote.edited]
    return Verdict(
        choice,
        voters=len(counted),
        agreement=count / len(counted),
        strength=sum(vote.strength for vote in behind) / count if choice in ("a", "b") else 0.0,
        edited=max(edits, key=lambda vote: vote.vote_id).edited if edits else "",
    )
