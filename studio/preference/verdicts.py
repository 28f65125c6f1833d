"""One verdict for an item out of everybody's current votes.

The rule, stated once and used by results and export alike: skips are not counted; the verdict is
the choice that more than half of the remaining votes gave; otherwise there is no majority.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from studio.preference.items import UNDECIDED, Vote

RULE = (
    "One row an item, by the majority of its current votes (more than half, skips not counted). "
    "Ties and items without a majority are left out."
)


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
