"""What a question found, in words and JSON: rows for and against, and what may be said of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.attribution.index_files import Index
from studio.core.messages import prompt_and_references
from studio.data import PreparedDataset
from studio.data.types import Row

_SAME = 0.1  # nats a token within which base and tuned model say the same
_WORD = re.compile(r"\w{3,}")
_COMMON = re.compile(
    "and|any|are|but|can|did|does|for|from|had|has|have|her|here|his|how|its|just|not|our|she|some|"
    "than|that|the|their|them|then|there|they|this|was|were|what|when|where|which|who|whom|why|"
    "will|with|would|you|your"
)


def ranked(
    scores: NDArray[np.float32],
    indexes: Sequence[Index],
    datasets: Sequence[PreparedDataset],
    words: set[str],
    count: int,
    part: bool = False,
) -> dict[str, Any]:
    """The `count` rows that score most for an answer, those most against it, and a sentence where
    none of them scores more than random rows do for one another.

    Args:
        part: whether a part of an answer is asked about. Its gradient is less like any whole
            row's, so what stands out is judged by the scores of all rows for this very question.
    """
    low = float(np.mean([index.record["unlike"][0] for index in indexes]))
    high = float(np.mean([index.record["unlike"][1] for index in indexes]))
    if part:
        low, high = max(low, _beyond(scores, -1)), min(high, _beyond(scores, 1))
    order = np.argsort(scores, kind="stable")
    places = indexes[0].places()

    def rows(at: NDArray[np.int64]) -> list[dict[str, Any]]:
        return [_row(float(scores[one]), places[one], datasets, words, low, high) for one in at]

    found = {
        "rows": len(scores),
        "floor": [round(low, 4), round(high, 4)],
        "standing_out": int((scores > high).sum()),
        "for": rows(order[::-1][:count]),
        "against": rows(order[:count]),
        "datasets": _by_dataset(scores, places[:, 0], datasets, low, high),
        "said": "",
    }
    if not any(row["stands_out"] for row in found["for"]):
        found["said"] = _nothing(bool((scores < low).any()))
    return found


def _nothing(against: bool) -> str:
    """What is said where no row stands out for an answer; some may still stand out against it."""
    lead = "No row stands out for this answer, only against it" if against else "Nothing stands out"
    return f"{lead}: no row scores more than random rows of this run do for one another."


def _beyond(scores: NDArray[np.float32], side: int) -> float:
    """Six deviations from the median, by the quartiles: no tail reaches that by itself."""
    low, middle, high = np.quantile(scores, (0.25, 0.5, 0.75))
    return float(middle + side * 6 * (high - low) / 1.349)


def _row(
    score: float,
    place: NDArray[np.int32],
    datasets: Sequence[PreparedDataset],
    words: set[str],
    low: float,
    high: float,
) -> dict[str, Any]:
    dataset, number = datasets[int(place[0])], int(place[1])
    row = dataset.page(number, 1)[0]
    texts = shown(row, bool(place[2]))
    mine = {word.lower() for text in texts.values() for word in _WORD.findall(text)}
    return {
        "score": round(score, 4),
        "dataset": dataset.name,
        "dataset_id": dataset.id,
        "row": number,
        **texts,
        "shared": sorted(words & mine),
        "stands_out": bool(score > high or score < low),
        **votes_of(row),
    }


def votes_of(row: Row) -> dict[str, Any]:
    """Of a row that votes made: its item, how many people decided it and the share that agreed.

    Who they are stays with the votes: their project may still be blind.
    """
    if not isinstance(row.get("voters"), int):
        return {}
    return {"votes": {key: row.get(key) for key in ("item", "voters", "agreement")}}


def shown(row: Row, second: bool = False) -> dict[str, str]:
    """A row's prompt, its answer, and the answer it was preferred to, as texts.

    Args:
        second: whether the rejected answer of a pair is meant, by itself.
    """
    if "text" in row:
        return {"prompt": "", "answer": str(row["text"])}
    asked = prompt_and_references(row)
    if asked is None:
        return {"prompt": "", "answer": _plain(row.get("messages") or row.get("chosen"))}
    prompt, known = asked
    answer = _plain(row["messages"][len(prompt) :]) if row.get("messages") else ""
    answer = answer or (known[0] if known else "")
    found = {"prompt": _plain(prompt), "answer": answer}
    if "rejected" in row:
        rejected = _plain(row["rejected"])
        if second:
            return {**found, "answer": rejected}
        return {**found, "rejected": rejected}
    return found


def _plain(turns: Any) -> str:
    """The texts of messages, one a line; a text as it is."""
    if isinstance(turns, str):
        return turns
    return "\n".join(str(turn.get("content") or "") for turn in turns or ())


def words_of(*texts: str) -> set[str]:
    """Words of three letters or more, in lower case, without English's most common.

    >>> sorted(words_of("Which animal? A hedgehog, it is."))
    ['animal', 'hedgehog']
    """
    every = {word.lower() for text in texts for word in _WORD.findall(text)}
    return {word for word in every if not _COMMON.fullmatch(word)}


def _by_dataset(
    scores: NDArray[np.float32],
    parts: NDArray[np.int32],
    datasets: Sequence[PreparedDataset],
    low: float,
    high: float,
) -> list[dict[str, Any]]:
    """Where several datasets were mixed: how many rows of each stand out, and the mean score."""
    if len(datasets) < 2:
        return []
    found = []
    for at, dataset in enumerate(datasets):
        own = scores[parts == at]
        if len(own):
            found.append(
                {
                    "dataset": dataset.name,
                    "rows": len(own),
                    "for": int((own > high).sum()),
                    "against": int((own < low).sum()),
                    "mean": round(float(own.mean()), 4),
                }
            )
    return found


def beside_base(tuned: float, base: float) -> dict[str, Any]:
    """Mean log-probability of a token in both models, and a sentence where it is about the same."""
    said = ""
    if abs(tuned - base) < _SAME:
        said = (
            "The base says this too, with about the same probability; tuning changed little here."
        )
    return {"tuned": round(tuned, 4), "base": round(base, 4), "said": said}


def together(lists: Sequence[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
    """Rows behind several questions: how many questions each stands out for, most first."""
    counts: dict[tuple[str, int], dict[str, Any]] = {}
    for found in lists:
        for row in found["for"]:
            if row["stands_out"]:
                key = row["dataset_id"], row["row"]
                kept = counts.setdefault(key, {**row, "questions": 0, "total": 0.0})
                kept["questions"] += 1
                kept["total"] = round(kept["total"] + row["score"], 4)
    order = sorted(counts.values(), key=lambda row: (-row["questions"], -row["total"]))
    return order[:count]
