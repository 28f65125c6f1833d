"""What events of an encoder's training show: vectors all alike, negatives that may be right.

Pure, on events; imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.core.formatting import plural

_ALIKE = 0.95  # mean cosine of unrelated documents from which on vectors tell nothing apart
_ABOVE = 0.5  # share of pairs whose mined negative is nearer than the positive
Note = Callable[[str, Any, str, str, str], None]
"""`note(kind, level, title, means, change)`."""


def read(kind: str, event: Mapping[str, Any], note: Note) -> None:
    """Note what one event shows."""
    _READERS[kind](event, note)


def _retrieval(event: Mapping[str, Any], note: Note) -> None:
    unrelated = event.get("similarity", {}).get("unrelated", {}).get("mean", 0.0)
    if unrelated < _ALIKE or not event.get("step"):  # before training it is the base's
        return
    note(
        "alike",
        "danger",
        f"All vectors are alike: unrelated documents have a cosine of {unrelated:.3f}.",
        "The encoder has collapsed: whatever is asked, every document is as near.",
        "Lower learning_rate, take a larger batch, or a loss with negatives; with full, try lora.",
    )


def _false_negatives(event: Mapping[str, Any], note: Note) -> None:
    note(
        "false_negatives",
        "warn",
        f"{event['count']:,} negatives are a positive of the same query elsewhere.",
        f"For example, {_short(event['anchor'])} is answered by {_short(event['negative'])}, and "
        "is taught not to be.",
        "Remove those negatives from the rows, or merge the rows of one query.",
    )


def _mined(event: Mapping[str, Any], note: Note) -> None:
    lost = event["pairs"] - event["kept"]
    if lost:
        note(
            "mined_few",
            "warn" if lost > event["pairs"] / 10 else "info",
            f"{lost:,} of {event['pairs']:,} pairs have too few hard negatives and are left out.",
            "Too few other documents lie below the margin.",
            "Lower num_negatives or relative_margin.",
        )
    if event["above"] > _ABOVE * event["kept"]:
        note(
            "mined_above",
            "info",
            f"In {event['above']:,} of {event['kept']:,} pairs a mined negative was nearer than "
            "the positive.",
            "The model that mined them does not embed yet, or the negatives are right as well.",
            "Look at the mined examples; where they answer the query, set relative_margin, or mine "
            "from a run that embeds (start_from).",
        )


def _negatives(event: Mapping[str, Any], note: Note) -> None:
    left = event["given"] - event["rows"]
    if event["used"] < event["most"]:
        note(
            "negatives",
            "info",
            f"{event['used']} of up to {event['most']} negatives per row are used.",
            "A batch needs as many for every row, and some rows have no more.",
            "Give every row as many negatives, or mine them with num_negatives.",
        )
    if left:
        note(
            "no_negative",
            "warn",
            f"{left:,} of {event['given']:,} rows have no negative and are not trained on.",
            "TripletLoss needs one for every pair.",
            "Set num_negatives, or loss_type: MultipleNegativesRankingLoss.",
        )


def _few_texts(event: Mapping[str, Any], note: Note) -> None:
    note(
        "few_texts",
        "warn",
        f"{plural(event['texts'], 'different ' + event['side'])}: batches hold no more rows.",
        f"No text stands twice in a batch; {event['batch']:,} rows, each a negative of the others, "
        "were asked for.",
        "Give more texts, or negatives beside the pairs; for classes, choose another objective.",
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f"\N{LEFT DOUBLE QUOTATION MARK}{line[:60]}\N{RIGHT DOUBLE QUOTATION MARK}"


_READERS: dict[str, Callable[[Mapping[str, Any], Note], None]] = {
    "retrieval": _retrieval,
    "false_negatives": _false_negatives,
    "mined": _mined,
    "negatives": _negatives,
    "few_texts": _few_texts,
}
