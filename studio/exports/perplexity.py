"""The perplexity of a run, its base and its export on the run's own rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from studio.core import rope
from studio.core.errors import DataError, ModelError, StudioError
from studio.core.library_types import LanguageModel, Tokenizer
from studio.data import DatasetStore
from studio.data.rows import tidy
from studio.data.tokens import token_view
from studio.exports import PERPLEXITY_RATIO, QUANTIZED
from studio.models.pool import LoadedModel
from studio.runs.objectives import OBJECTIVES
from studio.runs.store import Run
from studio.training.run_rows import Part
from studio.training.train_dataset import rows_for

ROWS = 64
_LONGEST = 256  # tokens of a row that are read, its first ones
_TOKENS = 8192  # of all rows together
HELD_OUT, TRAINING, OWN = "held-out rows", "training rows", "the run's own answers"


@dataclass(frozen=True)
class Rows:
    """Token ids of rows; `counted[i][j]` says whether the loss counts `ids[i][j]`."""

    source: str
    ids: list[list[int]]
    counted: list[list[bool]]

    @property
    def tokens(self) -> int:
        return sum(sum(row[1:]) for row in self.counted)


@dataclass(frozen=True)
class Perplexity:
    """Mean losses of a counted token in nats; perplexity is their exponential."""

    source: str
    rows: int
    tokens: int
    run: float
    base: float
    export: float
    allowed: float

    @property
    def ratio(self) -> float:
        """The export's perplexity over the run's."""
        return math.exp(min(700.0, self.export - self.run))

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


def held_out(run: Run, datasets: DatasetStore, base: LoadedModel) -> Rows | None:
    """The run's held-out rows, else its training rows; None where they are gone."""
    for source, test in ((HELD_OUT, True), (TRAINING, False)):
        found = _rows(run, datasets, base, test, ROWS)
        if found:
            return _limited(source, found)
    return None


def training(run: Run, datasets: DatasetStore, base: LoadedModel, most: int) -> list[list[int]]:
    """Token ids of up to `most` training rows, spread over all; empty where they are gone."""
    return [ids for ids, _ in _rows(run, datasets, base, False, most)]


def answers(prompts: list[list[int]], given: list[list[int]]) -> Rows:
    """The run's own greedy answers as rows, for a run whose rows are gone."""
    ids = [prompt + answer for prompt, answer in zip(prompts, given, strict=True)]
    counted = [
        [False] * len(prompt) + [True] * len(answer)
        for prompt, answer in zip(prompts, given, strict=True)
    ]
    return Rows(OWN, ids, counted)


def loss(model: LanguageModel, rows: Rows) -> float:
    """Mean negative log-probability of the counted tokens, in nats."""
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for ids, counted in zip(rows.ids, rows.counted, strict=True):
            given = torch.tensor([ids], device=model.device)
            logits = model(input_ids=given, attention_mask=torch.ones_like(given)).logits[0]
            logits = logits[-len(ids) :][:-1].float()  # prompt methods put virtual tokens in front
            wanted = torch.tensor(counted[1:], device=logits.device)
            losses = torch.nn.functional.cross_entropy(logits, given[0, 1:], reduction="none")
            total += float(losses[wanted].sum())
            tokens += int(wanted.sum())
    return total / max(1, tokens)


def judge(rows: Rows, run: float, base: float, export: float, stored_as: str) -> Perplexity:
    """The three losses together; `ModelError` where the export's is off.

    For the types that llama.cpp quantizes to also where it is nearer to the base's than to the
    run's though the run is better than its base: of the others the logits say that.
    """
    allowed = PERPLEXITY_RATIO[stored_as]
    found = Perplexity(rows.source, len(rows.ids), rows.tokens, run, base, export, allowed)
    if stored_as in QUANTIZED and run < base and abs(export - run) >= abs(export - base):
        raise ModelError(
            f"On {len(rows.ids)} of {rows.source} the export's loss of {export:.4g} is nearer to "
            f"the base's {base:.4g} than to the run's {run:.4g}: rounding to {stored_as} loses "
            "what was learned. Choose a wider outtype or an importance matrix, or export the "
            "adapter."
        )
    if not 1 / allowed <= found.ratio <= allowed:
        raise ModelError(
            f"On {len(rows.ids)} of {rows.source} the export's perplexity is {found.ratio:.4g} "
            f"times the run's, and {stored_as} allows {allowed:.4g}: choose a wider outtype, or an "
            "importance matrix."
        )
    return found


def _rows(
    run: Run, datasets: DatasetStore, base: LoadedModel, test: bool, most: int
) -> list[tuple[list[int], list[bool]]]:
    """(ids, counted) of up to `most` rows of all the run's datasets in turn."""
    try:
        parts = rows_for(run.recipe, run, datasets).parts
        encoded = [_encoded(run, part, base, test, -(-most // len(parts))) for part in parts]
    except (DataError, StudioError):  # the rows were deleted, or their template reads none
        return []
    return [row for row in itertools.chain(*encoded) if len(row[0]) > 1][:most]


def _encoded(
    run: Run, part: Part, base: LoadedModel, test: bool, most: int
) -> list[tuple[list[int], list[bool]]]:
    recipe = run.recipe
    source: Any = part.test if test else part.train
    if source is None or not len(source):
        return []
    step = max(1, len(source) // most)
    rows = [tidy(source[at]) for at in range(0, len(source), step)][:most]
    kind = "prompt_only" if OBJECTIVES[recipe.objective].online else part.type
    tokenizer: Tokenizer = base.tokenizer
    sequences = token_view.encode(
        rows,
        kind,
        tokenizer,
        recipe.completion_only_loss,
        recipe.assistant_only_loss,
        recipe.mask_history,
    )
    longest = min(_LONGEST, rope.context(base.model.config) or _LONGEST)
    return [_cut(sides[0], longest) for sides in sequences]


def _cut(one: token_view.Encoded, longest: int) -> tuple[list[int], list[bool]]:
    """The start of a sequence; all of it counts where training would count none of it."""
    ids, counted = list(one.ids[:longest]), list(one.trained[:longest])
    return ids, counted if any(counted[1:]) else [True] * len(ids)


def _limited(source: str, rows: Sequence[tuple[list[int], list[bool]]]) -> Rows:
    within = list(_until(rows, _TOKENS))
    return Rows(source, [ids for ids, _ in within], [counted for _, counted in within])


def _until(
    rows: Iterable[tuple[list[int], list[bool]]], tokens: int
) -> Iterable[tuple[list[int], list[bool]]]:
    for row in rows:
        yield row
        tokens -= len(row[0])
        if tokens <= 0:
            return
