"""Rows that an evaluation set holds too: what was trained on cannot be measured with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from studio.core.errors import DataError
from studio.data.checks.near_duplicates import NEAR, NearDuplicates, similarity
from studio.data.checks.rouge_novelty import asked
from studio.data.types import Progress, Row

_SPACE = re.compile(r"\s+")


def overlapping(
    rows: Iterable[Row], other: str | Path, progress: Progress | None = None
) -> np.ndarray:
    """For each row, whether its prompt is one of `other`'s, or nearly (0.7 of its word pairs).

    `other` is any source: a file, a folder, a sample's alias or the folder of a prepared dataset.
    Case and white space make no difference.
    """
    known = list(dict.fromkeys(_prompts(other)))
    prompts = [_plain(asked(row)) for row in rows]
    exact = set(known)
    result = np.array([prompt in exact for prompt in prompts], bool)
    # the evaluation set goes first, so that its prompts are the earlier ones of each pair
    texts = [*known, *prompts]
    with NearDuplicates() as near:
        for text in texts:
            near.add(text)
        skip = np.append(np.zeros(len(known), bool), result)
        for done, (at, before) in enumerate(near.candidates(skip, limit=len(known))):
            if progress and done % 200 == 0:
                progress(done, None, "Comparing with the evaluation set")
            if at >= len(known) and similarity(texts[at], texts[before]) >= NEAR:
                result[at - len(known)] = True
    return result


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip().lower()


def _prompts(source: str | Path) -> Iterable[str]:
    from studio.data.prepared.inspect import read

    try:
        with read(source, near=False) as reading:
            return [_plain(asked(row)) for row in reading.page(0, reading.kept)]
    except DataError as error:
        raise DataError(f"The evaluation set cannot be read: {error}") from error
