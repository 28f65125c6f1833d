"""Rows as sentence-transformers' losses take them: two sides, negatives beside them, or a score.

Every dataset type becomes one of two shapes: anchor, positive and a list of negatives, or two
sentences with a score. The columns' order is what its losses read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from studio.core import compat
from studio.core.errors import DataError, TrainingError
from studio.core.library_types import Rows, TextEncoder
from studio.data.pair_texts import SCORED, pair_of
from studio.data.rows import tidy
from studio.data.types import Row, RowError
from studio.runs.objectives import RANKING_LOSSES
from studio.runs.recipe import Recipe
from studio.training.chat_rows import Tokenized

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

Tell = Callable[..., None]
"""`tell(kind, **event)`."""
_SHOWN = 5  # mined negatives among the events
_BATCH = 64  # texts embedded at once while mining


def encoded(rows: Dataset, type: str) -> Tokenized:
    """The rows of one dataset in the shape its type has; what has no two sides is left out.

    Raises a `DataError` where no row is left.
    """
    scored = type == SCORED
    refused: dict[int, str] = {}
    kept: list[Row] = []
    for at, row in enumerate(rows):
        try:
            kept.append(pair_of(tidy(dict(row)), type))
        except RowError as problem:
            refused[at] = problem.message
    if not kept:
        raise DataError(f"No row can be trained on. {next(iter(refused.values()), '')}".strip())
    return Tokenized(_dataset(kept, scored), refused, {})


def _dataset(rows: list[Row], scored: bool) -> Dataset:
    from datasets import Dataset, Features, List, Value

    text: Any = Value("string")
    sides: dict[str, Any] = {"anchor": text, "positive": text, "negatives": List(text)}
    if scored:
        sides = {"sentence1": text, "sentence2": text, "score": Value("float64")}
    return Dataset.from_list(rows, features=Features(sides))


def prompts(recipe: Recipe, *sets: Dataset) -> dict[str, str]:
    """The prompt before each text column: the first is the query's side."""
    names = dict.fromkeys(name for rows in sets for name in rows.column_names if name != "score")
    first, *others = names
    return {first: recipe.query_prompt, **dict.fromkeys(others, recipe.document_prompt)}


def columns(
    recipe: Recipe, train: Dataset, evaluation: Dataset | DatasetDict | None, tell: Tell
) -> tuple[Dataset, Dataset | DatasetDict | None]:
    """Rows with a column per negative, as many for each: what sentence-transformers batches.

    As many negatives are used as the row with fewest has. TripletLoss takes one, and leaves rows
    without out.
    """
    if "score" in train.column_names:
        if len(set(train["score"])) < 2:
            raise TrainingError(
                "All scores are the same, and CoSENTLoss learns from which of two pairs is more "
                "alike. Give pairs of different scores."
            )
        return train, evaluation
    needs = recipe.loss_type[0] == "TripletLoss"
    made, number, most = _spread(train, needs)
    if made is None:
        raise TrainingError(
            "TripletLoss needs a negative for every pair, and these rows have none; set "
            "num_negatives, or loss_type: MultipleNegativesRankingLoss."
        )
    _check_apart(recipe, made, number, tell)
    if number < most or len(made) < len(train):
        tell("negatives", used=number, most=most, rows=len(made), given=len(train))
    if not isinstance(evaluation, dict):
        return made, _spread(evaluation, needs)[0] if evaluation is not None else None
    from datasets import DatasetDict

    held = {name: _spread(rows, needs)[0] for name, rows in evaluation.items()}
    left: Any = {name: rows for name, rows in held.items() if rows is not None}
    return made, DatasetDict(left) if left else None


def _check_apart(recipe: Recipe, train: Rows, number: int, tell: Tell) -> None:
    """Tell of batches that hold fewer rows than asked for, as no text may stand there twice, and
    refuse those of one row: without other rows, nothing is a negative."""
    if recipe.loss_type[0] not in RANKING_LOSSES:
        return
    sides = ("anchor", "positive") if recipe.batch_sampler == "no_duplicates" else ("positive",)
    side = min(sides, key=lambda name: len(set(train[name])))
    texts = len(set(train[side]))
    if texts < 2 and not number:
        raise TrainingError(
            f"All rows have the same {side}, so none is a negative of another and "
            f"{recipe.loss_type[0]} has nothing to learn. Give more rows, or negatives."
        )
    if texts < min(recipe.per_device_train_batch_size, len(train)) and len(sides) == 2:
        tell("few_texts", side=side, texts=texts, batch=recipe.per_device_train_batch_size)


def _spread(rows: Rows, needs: bool) -> tuple[Dataset | None, int, int]:
    """(rows with a column per negative, negatives used, most that a row has); None where every row
    `needs` its one negative and none has one."""
    from datasets import Dataset

    kept: list[Any] = [row for row in rows if row["negatives"] or not needs]
    if not kept:
        return None, 0, 0
    counts = [len(row["negatives"] or []) for row in kept]
    number = 1 if needs else min(counts)
    sides: dict[str, list[str]] = {
        "anchor": [row["anchor"] for row in kept],
        "positive": [row["positive"] for row in kept],
    }
    for at in range(number):
        name = "negative" if number == 1 else f"negative_{at + 1}"
        sides[name] = [row["negatives"][at] for row in kept]
    made: Any = Dataset
    return made.from_dict(sides), number, max(counts)


# ---- mining --------------------------------------------------------------------------------------


def mined(recipe: Recipe, train: Dataset, encoder: TextEncoder, tell: Tell) -> Dataset:
    """The pairs with the nearest wrong documents as negatives, in place of those they had.

    sentence-transformers' `mine_hard_negatives`, by the model as it starts. What was mined goes to
    `tell`, with the pairs that had too few.
    """
    import torch
    from sentence_transformers.util import mine_hard_negatives

    pairs = train.select_columns(["anchor", "positive"])
    try:
        with torch.random.fork_rng(), compat.quiet_mining():
            found = mine_hard_negatives(
                pairs,
                cast(Any, _Telling(encoder, tell)),
                num_negatives=recipe.num_negatives,
                relative_margin=recipe.relative_margin,
                query_prompt=recipe.query_prompt or None,
                corpus_prompt=recipe.document_prompt or None,
                output_format="n-tuple",
                output_scores=True,
                batch_size=_BATCH,
                verbose=False,
            )
    except ValueError as error:
        raise TrainingError(f"No hard negatives could be mined: {error}") from error
    if not len(found):
        raise TrainingError(
            f"No pair has {recipe.num_negatives} hard negatives; lower num_negatives or "
            "relative_margin."
        )
    rows = [_mined_row(row, recipe.num_negatives) for row in found]
    tell("mined", **_mined_event(rows, len(pairs), recipe.num_negatives))
    return _dataset([{key: row[key] for key in ("anchor", "positive", "negatives")}
                     for row in rows], False)  # fmt: skip


_AT_ONCE = 2048  # texts between two reports


class _Telling:
    """An encoder whose progress goes to a run's events instead of a bar."""

    def __init__(self, encoder: TextEncoder, tell: Tell):
        self._encoder, self._tell = encoder, tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_query(self, texts: list[str], **options: Any) -> Any:
        return self._embed("queries", self._encoder.encode_query, texts, options)

    def encode_document(self, texts: list[str], **options: Any) -> Any:
        return self._embed("documents", self._encoder.encode_document, texts, options)

    def _embed(self, what: str, encode: Any, texts: list[str], options: dict[str, Any]) -> Any:
        import numpy as np

        options["show_progress_bar"] = False
        parts = []
        for start in range(0, len(texts), _AT_ONCE):
            done = f"{start:,} of {len(texts):,} {what}"
            self._tell("phase", text=f"mining hard negatives: {done} embedded")
            parts.append(encode(texts[start : start + _AT_ONCE], **options))
        return np.concatenate(parts)


def _mined_row(row: Any, number: int) -> Row:
    names = ["negative"] if number == 1 and "negative" in row else [
        f"negative_{at + 1}" for at in range(number)
    ]  # fmt: skip
    return {
        "anchor": row["anchor"],
        "positive": row["positive"],
        "negatives": [row[name] for name in names],
        "scores": [float(score) for score in row["scores"]],
    }


def _mined_event(rows: list[Row], pairs: int, number: int) -> Row:
    positive = [row["scores"][0] for row in rows]
    negative = [score for row in rows for score in row["scores"][1:]]
    above = sum(max(row["scores"][1:]) > row["scores"][0] for row in rows)
    return {
        "pairs": pairs,
        "kept": len(rows),
        "each": number,
        "positive": sum(positive) / len(positive),
        "negative": sum(negative) / len(negative),
        "above": above,
        "examples": [
            {**{key: row[key] for key in ("anchor", "positive")}, "negative": row["negatives"][0]}
            for row in rows[:_SHOWN]
        ],
    }


def check_duplicates(train: Rows, tell: Tell) -> None:
    """Tell of negatives that are a positive of the same anchor elsewhere."""
    names = [name for name in train.column_names if name.startswith("negative")]
    if not names:
        return
    right: dict[str, set[str]] = defaultdict(set)
    for row in train:
        right[row["anchor"]].add(row["positive"])
    wrong = [
        (row["anchor"], row[name])
        for row in train
        for name in names
        if row[name] in right[row["anchor"]]
    ]
    if wrong:
        anchor, text = wrong[0]
        tell("false_negatives", count=len(wrong), rows=len(train), anchor=anchor, negative=text)
