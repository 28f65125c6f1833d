"""A project in Label Studio's pairwise format: its tasks, with everybody's votes as annotations.

The tasks import into a Label Studio project whose labeling config has `<Pairwise name="preference"
toName="answer1,answer2"/>` over `$answer1` and `$answer2`. Its Pairwise tag knows left and right
only: ties and "both bad" become annotations that select nothing. Names of annotators go out as they
are; ids of users are Label Studio's own, so `completed_by` is left to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from studio.labels.types import JudgedItem, Vote, source_label

Row = dict[str, Any]
_SIDES = {"a": "left", "b": "right"}


def tasks(items: Iterable[JudgedItem]) -> list[Row]:
    """One task a pair, judged or not."""
    return [
        {
            "data": {
                "prompt": _spoken(item),
                "answer1": item.answer_a,
                "answer2": item.answer_b,
                "item": item.item_id,
                "source1": source_label(item.source_a),
                "source2": source_label(item.source_b),
            },
            "annotations": [_annotation(vote) for vote in item.votes],
        }
        for item in items
    ]


def _spoken(item: JudgedItem) -> str:
    """The prompt as one text, its speakers named where there are several turns."""
    if len(item.prompt) == 1:
        return str(item.prompt[0]["content"])
    turns = [f"{turn['role'].capitalize()}: {turn['content']}" for turn in item.prompt]
    return "\n\n".join(turns)


def _annotation(vote: Vote) -> Row:
    side = _SIDES.get(vote.choice)
    chosen = {
        "type": "pairwise",
        "from_name": "preference",
        "to_name": "answer1,answer2",
        "value": {"selected": side},
    }
    return {
        "was_cancelled": False,
        "lead_time": vote.seconds,
        "result": [chosen] if side else [],
        "meta": {"annotator": vote.annotator, "choice": vote.choice, "strength": vote.strength},
    }
