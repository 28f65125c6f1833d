"""The reference's log-probabilities, scored once for every run that asks for the same ones.

TRL keeps such scores too, keyed by all weights, the adapter's random start among them: another seed
or rank misses them. What decides a score is less: the frozen weights, the rows as tokens, and where
they are cut. So a sweep over beta, rate or rank scores the reference once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, concatenate_datasets

from studio.runs.recipe import Recipe

_KEPT = 32  # files; the least recently used go first


def reference_key(recipe: Recipe, fingerprint: str, parent: Path | None) -> str:
    """What the reference's scores depend on, beside the rows."""
    digest = hashlib.sha256()
    for part in (
        fingerprint,
        recipe.dtype,
        recipe.quantized,
        recipe.load_in_8bit,
        recipe.bnb_4bit_quant_type,
        recipe.use_bnb_nested_quant,
        recipe.max_length,
        recipe.ld_alpha,
        recipe.method == "loftq" and recipe.seed,
        *([recipe.rope_parameters] if recipe.rope_parameters else []),
    ):
        digest.update(f"{part}\n".encode())
    if parent is not None:  # the reference is the frozen copy of this adapter
        for path in sorted(parent.glob("adapter_*")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass
class ReferenceCache:
    """Log-probabilities by key, as Parquet files in a folder that may be emptied at any time."""

    folder: Path
    key: str

    def fill(self, dataset: Dataset, score: Callable[[], Dataset]) -> Dataset:
        """`dataset` with the reference's columns; `score` makes them where they are not kept."""
        path = self.folder / f"{self._key_of(dataset)}.parquet"
        if path.exists():
            os.utime(path)
            kept = Dataset.from_parquet(str(path), keep_in_memory=True)
            return concatenate_datasets([dataset, kept], axis=1)  # pyright: ignore[reportArgumentType]
        filled = score()
        added = [name for name in filled.column_names if name not in dataset.column_names]
        self.folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        filled.select_columns(added).to_parquet(str(part))
        part.replace(path)
        self._tidy()
        return filled

    def _key_of(self, dataset: Dataset) -> str:
        digest = hashlib.sha256(self.key.encode())
        tokens = [name for name in dataset.column_names if name.endswith("_ids")]
        batches: Any = dataset.select_columns(tokens).with_format("arrow").iter(1000)
        for batch in batches:
            for column in batch.columns:
                digest.update(str(column.to_pylist()).encode())
        return digest.hexdigest()[:32]

    def _tidy(self) -> None:
        files = sorted(self.folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime)
        for path in files[:-_KEPT]:
            path.unlink(missing_ok=True)
