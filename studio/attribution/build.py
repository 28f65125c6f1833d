"""Indexes a run: the gradient of every row, made small and written in chunks.

Runs in the worker's thread and serves others between batches. Killed, it goes on at the last chunk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash
from safetensors.torch import save_file

from studio.attribution import index_files, moments, run_loss
from studio.attribution.index_files import SCALES, Index
from studio.attribution.per_row import Trained, only_graph, row_gradients, trained_parts
from studio.attribution.projection import Projector, unit
from studio.attribution.request import FINAL, Indexing, IndexSpec
from studio.attribution.run_loss import RunLoss
from studio.core.device_errors import is_out_of_memory
from studio.core.errors import ConfigError
from studio.data import DatasetStore
from studio.models.pool import ModelPool, release_memory
from studio.runs import checkpoints
from studio.runs.store import Run, RunStore

CHUNK = 256
"""Rows between two records of progress."""


def folder_of(run: Run, spec: IndexSpec, point: int) -> Path:
    return run.folder / "attribution" / spec.name(point)


def indexes(run: Run, spec: IndexSpec) -> list[Index] | None:
    """The indexes of all points of a spec, where all are complete and of the run as it is."""
    found = [index_files.opened(folder_of(run, spec, point)) for point in spec.points]
    for index, point in zip(found, spec.points, strict=True):
        if index is None or not index.complete or index.record["weights"] != _stamp(run, point):
            return None
    return [index for index in found if index is not None]


def build(
    job: Indexing,
    run: Run,
    spec: IndexSpec,
    pool: ModelPool,
    runs: RunStore,
    datasets: DatasetStore,
    serve: Callable[[], None] = lambda: None,
) -> list[Index]:
    """Index a run at every point of a spec; what is complete already is taken as it is."""
    kept = indexes(run, spec)
    if kept is not None:
        run_loss.check_rows(run, datasets)
        return kept
    rows = run_loss.made(run, runs, datasets, pool)
    rows.load(run, spec.points[0])  # first: AdaLoRA's matrices are as large as they ended
    trained = trained_parts(rows.model)
    scales = _scales(rows, run, spec, trained)
    projector = Projector(trained.shapes, spec.dims, spec.seed, scales, rows.model.device)
    found: list[Index] = []
    job.expect(len(rows) * len(spec.points))
    for point in spec.points:
        if point != spec.points[0]:
            rows.load(run, point)
        wanted = _wanted(run, rows, trained, spec, point)
        index = index_files.begun(folder_of(run, spec, point), wanted, rows.places)
        job.step(index.done, f"Reading the rows of {run.name}")
        if scales is not None:
            save_file(scales, index.folder / SCALES)
        with only_graph(rows.model, trained):
            _fill(job, index, rows, trained, projector, serve, run.name)
        found.append(index)
    return found


def _fill(
    job: Indexing,
    index: Index,
    rows: RunLoss,
    trained: Trained,
    projector: Projector,
    serve: Callable[[], None],
    name: str,
) -> None:
    order = sorted(range(len(rows)), key=lambda at: (-rows.lengths[at], at))
    started, before = time.monotonic(), float(index.record.get("seconds", 0.0))
    kept, sizes = index.vectors("r+"), index.norms("r+")
    while not index.filled:
        chunk = order[index.done : index.done + CHUNK]
        for start in range(0, len(chunk), rows.batch_size):
            part = chunk[start : start + rows.batch_size]
            vectors, norms = unit(_gradients(rows, trained, projector, part))
            kept[part], sizes[part] = vectors.half().cpu().numpy(), norms.cpu().numpy()
            job.step(len(part), f"Reading the rows of {name}")
            serve()
        kept.flush()
        sizes.flush()
        spent = before + time.monotonic() - started
        index.advance(index.done + len(chunk), seconds=spent)
    if "unlike" not in index.record:
        index.advance(index.done, unlike=unlike(index))


def _gradients(
    rows: RunLoss, trained: Trained, projector: Projector, part: list[int]
) -> torch.Tensor:
    """A batch's gradients; where memory runs out, its halves'."""
    try:
        return row_gradients(
            trained, projector, len(part), lambda at: rows.loss([part[one] for one in at])
        )
    except Exception as error:
        if not is_out_of_memory(error) or len(part) == 1:
            raise
    release_memory()
    middle = len(part) // 2
    halves = part[:middle], part[middle:]
    return torch.cat([_gradients(rows, trained, projector, half) for half in halves])


_DRAWN, _OTHERS = 256, 2048


def unlike(index: Index) -> list[float]:
    """What random rows of the run score for one another: the 1st and the 99th percentile.

    A row that scores less or more than these for an answer stands out. Further out there are only
    pairs that say the same: on the pocket run the 99th percentile is 0.30, the 99.9th 0.73.
    """
    draw = np.random.default_rng(0)
    vectors = index.vectors()
    count = len(vectors)
    some = np.sort(draw.choice(count, min(_DRAWN, count), replace=False))
    others = np.sort(draw.choice(count, min(_OTHERS, count), replace=False))
    scores = vectors[some].astype(np.float32) @ vectors[others].astype(np.float32).T
    different = some[:, None] != others[None]
    if not different.any():
        return [-1.0, 1.0]
    return [float(one) for one in np.quantile(scores[different], (0.01, 0.99))]


def _wanted(
    run: Run, rows: RunLoss, trained: Trained, spec: IndexSpec, point: int
) -> dict[str, Any]:
    """What an index of another making differs in."""
    return {
        "dims": spec.dims,
        "seed": spec.seed,
        "precondition": spec.precondition,
        "point": point,
        "rows": len(rows),
        "data": run.data.get("fingerprint", ""),
        "base": run.base,
        "weights": _stamp(run, point),
        "hooked": bool(trained.layers),
        "parts": {name: list(shape) for name, shape in trained.shapes.items()},
        "left_out": round(trained.left_out, 4),
    }


def _stamp(run: Run, point: int) -> str:
    """A digest of the weights' files at a point: their names, sizes and first megabyte."""
    folder = run.adapter or run.weights
    if point != FINAL:
        folder = run.checkpoints / f"checkpoint-{point}"
    state = xxhash.xxh3_64()
    for path in sorted(folder.glob("*.safetensors")) if folder else ():
        state.update(f"{path.name} {path.stat().st_size}".encode())
        with path.open("rb") as file:
            state.update(file.read(1 << 20))
    return state.hexdigest()


def _scales(
    rows: RunLoss, run: Run, spec: IndexSpec, trained: Trained
) -> dict[str, torch.Tensor] | None:
    if not spec.precondition:
        return None
    newest = checkpoints.newest(run.checkpoints)
    if newest is None:
        raise ConfigError(f"{run.name} keeps no checkpoint; leave precondition off.")
    return moments.scales(rows.trainer, newest, list(trained.shapes))
