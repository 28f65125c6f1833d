"""Agreement, biases and a row per annotator for a project's votes.

Figures are over current votes; repeats count for self-agreement only. Biases say how often the
answer on the left was chosen, and how often the longer one. Their unit is the pair: several votes
on one pair are not independent, so a pair counts once, by the share of its decided votes.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from studio.labels.two_raters import two_raters
from studio.labels.types import UNDECIDED, JudgedItem, Vote
from studio.metrics.agreement import krippendorff_alpha, raw_agreement, unanimous
from studio.metrics.proportions import sign_test, wilson_interval

_LISTED = 50  # disagreements and flagged items shown at once
_SNIPPET = 140
#: A median time below a third of the others' median is flagged as hasty.
_HASTY = 1 / 3


def report(
    items: Sequence[JudgedItem], second_looks: Iterable[tuple[Vote, Vote]]
) -> dict[str, Any]:
    """Agreement, biases, a row per annotator, disagreements and flagged items; JSON-able."""
    looks = list(second_looks)
    units = _units(items)
    agreed, shared = unanimous(units)
    return {
        "agreement": {
            "raw": raw_agreement(units),
            "alpha": krippendorff_alpha(units),
            "unanimous": agreed,
            "shared": shared,
        },
        "self_agreement": _same(looks),
        "left": _share([_took_left(vote) for vote in item.votes] for item in items),
        "longer": _share([_took_longer(item, vote) for vote in item.votes] for item in items),
        "people": people(items, looks),
        "two": two_raters(items),
        "disagreements": [_brief(item) for item in items if _disagrees(item) and not item.ruling][
            :_LISTED
        ],
        "settled": sum(item.ruling is not None for item in items),
        "flagged": [_brief(i) for i in items if any(v.choice == "broken" for v in i.votes)][
            :_LISTED
        ],
    }


def people(items: Sequence[JudgedItem], looks: Sequence[tuple[Vote, Vote]]) -> list[dict[str, Any]]:
    """One row per annotator, most votes first."""
    by_name: dict[str, list[tuple[JudgedItem, Vote]]] = {}
    for item in items:
        for vote in item.votes:
            by_name.setdefault(vote.annotator, []).append((item, vote))
    paces = {name: _pace([vote for _, vote in given]) for name, given in by_name.items()}
    rows: list[dict[str, Any]] = []
    for name, given in sorted(by_name.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        others = [pace for other, pace in paces.items() if other != name and pace is not None]
        pace = paces[name]
        usual = statistics.median(others) if others else None
        rows.append(
            {
                "name": name,
                "votes": len(given),
                "seconds": pace,
                "hasty": pace is not None and usual is not None and pace < usual * _HASTY,
                "skipped": sum(vote.choice in UNDECIDED for _, vote in given),
                "left": _share([_took_left(vote)] for _, vote in given),
                "longer": _share([_took_longer(item, vote)] for item, vote in given),
                "with_others": _with_others(given),
                "self_agreement": _same([look for look in looks if look[0].annotator == name]),
            }
        )
    return rows


def _units(items: Sequence[JudgedItem]) -> list[list[str]]:
    return [[v.choice for v in item.votes if v.choice not in UNDECIDED] for item in items]


def _share(pairs: Iterable[Iterable[bool | None]]) -> dict[str, Any]:
    """Mean over pairs of the share of their decided votes; `count` pairs, of `votes` votes.

    The interval is Wilson's for `count` pairs (95 %): too wide, never too narrow, where the votes
    on a pair differ. The exact sign test is of the pairs that lean one way or the other.
    """
    decided = [known for votes in pairs if (known := [vote for vote in votes if vote is not None])]
    shares = [sum(known) / len(known) for known in decided]
    low, high = wilson_interval(sum(shares), len(shares))
    return {
        "share": statistics.fmean(shares) if shares else None,
        "count": len(shares),
        "votes": sum(map(len, decided)),
        "low": low,
        "high": high,
        "p_value": sign_test(
            sum(each > 0.5 for each in shares), sum(each < 0.5 for each in shares)
        ),
    }


def _took_left(vote: Vote) -> bool | None:
    return vote.choice == vote.order[0] if vote.choice in ("a", "b") else None


def _took_longer(item: JudgedItem, vote: Vote) -> bool | None:
    longer = len(item.answer_a) - len(item.answer_b)
    if vote.choice not in ("a", "b") or not longer:
        return None
    return (vote.choice == "a") == (longer > 0)


def _same(looks: Sequence[tuple[Vote, Vote]]) -> dict[str, Any]:
    decided = [pair for pair in looks if all(vote.choice not in UNDECIDED for vote in pair)]
    equal = sum(first.choice == second.choice for first, second in decided)
    return {"share": equal / len(decided) if decided else None, "count": len(decided)}


def _with_others(given: Sequence[tuple[JudgedItem, Vote]]) -> float | None:
    """Share of others' votes on the same items that are the same, every item counting the same."""
    shares: list[float] = []
    for item, mine in given:
        others = [
            vote.choice == mine.choice
            for vote in item.votes
            if vote.annotator != mine.annotator and vote.choice not in UNDECIDED
        ]
        if others and mine.choice not in UNDECIDED:
            shares.append(sum(others) / len(others))
    return statistics.fmean(shares) if shares else None


def _pace(votes: Sequence[Vote]) -> float | None:
    seconds = [vote.seconds for vote in votes if vote.seconds > 0]
    return statistics.median(seconds) if seconds else None


def _disagrees(item: JudgedItem) -> bool:
    return len({vote.choice for vote in item.votes if vote.choice not in UNDECIDED}) > 1


def _brief(item: JudgedItem) -> dict[str, Any]:
    asked = item.prompt[-1]["content"] if item.prompt else ""
    return {
        "item": item.item_id,
        "asked": _start(asked),
        "a": _start(item.answer_a),
        "b": _start(item.answer_b),
        "votes": [
            {"name": vote.annotator, "choice": vote.choice, "note": _start(vote.note)}
            for vote in item.votes
        ],
    }


def _start(text: str) -> str:
    return text if len(text) <= _SNIPPET else text[: _SNIPPET - 1] + "\N{HORIZONTAL ELLIPSIS}"
