"""Scores of EleutherAI's bergson for `benchmarks.attribution`, run by the Python that has it.

    python benchmarks/attribution_bergson.py '{"method": "ekfac", "adapter": ..., ...}'

The same adapter, rows and questions, token for token; all else is bergson's own default. It stands
by itself: its environment holds nothing of the studio.

ekfac      Kronecker factors of the Gauss-Newton matrix with corrected eigenvalues, whole gradients
trackstar  cosines of projected gradients under their damped second moment, weighed by Adam's
plain      cosines of whole gradients, to tell how far the two sides agree
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Score and save [questions, rows] as `scores.npy` in the folder `out`."""
    given = json.loads(sys.argv[1])
    with contextlib.redirect_stdout(sys.stderr):
        scores = score(**given)
    np.save(Path(given["out"]) / "scores.npy", scores)


def score(
    method: str, adapter: str, tokenizer: str, optimizer: str, rows: str, questions: str, out: str
) -> Any:
    """[questions, rows]: every question's scores."""
    from bergson import DataConfig, IndexConfig, PreprocessConfig, QuerySetConfig, ScoreConfig
    from bergson.cli.trackstar import TrackstarConfig, trackstar
    from bergson.config.config import HessianConfig, HessianPipelineConfig
    from bergson.data import load_scores
    from bergson.hessians.pipeline import hessian_pipeline

    place = f"{out}/{method}"
    common: dict[str, Any] = {
        "model": adapter,
        "tokenizer": tokenizer,
        "data": DataConfig(dataset=rows),
        "token_batch_size": 512,  # as many as the pocket model reads
    }
    query = QuerySetConfig(dataset=questions)
    if method == "trackstar":
        index = IndexConfig(place, projection_dim=16, optimizer_state=optimizer, **common)
        preprocess = PreprocessConfig(unit_normalize=True)
        trackstar(index, TrackstarConfig(query, preprocess, stats_sample_size=None))
    elif method == "ekfac":
        hessian_pipeline(
            IndexConfig(place, **common),
            HessianConfig(method="kfac", ev_correction=True),
            ScoreConfig(),
            PreprocessConfig(),
            HessianPipelineConfig(query=query),
        )
    else:
        plain(IndexConfig(place, **common), query)
    return np.asarray(load_scores(Path(place) / "scores")[:], np.float32).T


def plain(index: Any, query: Any) -> None:
    """Cosines of whole gradients."""
    from copy import deepcopy

    from bergson import PreprocessConfig, ScoreConfig
    from bergson.build import build_query
    from bergson.score.score import score_dataset

    preprocess = PreprocessConfig(unit_normalize=True)
    asked, scored = deepcopy(index), deepcopy(index)
    asked.run_path, scored.run_path = f"{index.run_path}/query", f"{index.run_path}/scores"
    build_query(asked, query, deepcopy(preprocess))
    score_dataset(scored, ScoreConfig(query_path=asked.run_path), preprocess)


if __name__ == "__main__":
    main()
