"""A prepared dataset without some of its training rows, as a dataset of its own."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Collection
from dataclasses import replace

from studio.core.errors import DataError
from studio.core.formatting import plural
from studio.core.workspace import new_id, write_json
from studio.data.prepared.store import DatasetStore, PreparedDataset
from studio.data.types import JsonObject


def without(
    store: DatasetStore, dataset: PreparedDataset, rows: Collection[int], why: str = ""
) -> PreparedDataset:
    """Keep all but these places of the training split; held-out rows stay as they are.

    Args:
        why: recorded with the new dataset, for people to read.

    Raises a `DataError` for a place that is not there, and where no row would be left.
    """
    import pyarrow.parquet as pq

    gone, count = sorted(set(rows)), dataset.rows["train"]
    if not gone or gone[0] < 0 or gone[-1] >= count:
        raise DataError(f"{dataset.name} has rows 0 to {count - 1:,}; name some of these.")
    if len(gone) == count:
        raise DataError(f"Without these rows {dataset.name} would be empty; leave some in.")
    table = pq.read_table(dataset.path("train"))
    dropped = set(gone)
    kept = table.take([at for at in range(count) if at not in dropped])
    digest = hashlib.sha256(f"{dataset.fingerprint} without {gone}".encode()).hexdigest()
    identifier = new_id("dataset")
    folder = store.workspace.datasets / f".{identifier}"
    folder.mkdir()
    try:
        pq.write_table(kept, folder / "train.parquet", use_dictionary=False)
        for split in dataset.rows.keys() - {"train"}:
            shutil.copyfile(dataset.path(split), folder / f"{split}.parquet")
        made = replace(
            dataset,
            id=identifier,
            name=_free(store, f"{dataset.name} without {plural(len(gone), 'row')}"),
            rows={**dataset.rows, "train": count - len(gone)},
            fingerprint=digest,
            steps=[*dataset.steps, {"step": "leave out", "dropped": len(gone), "why": why}],
            created=time.time(),
            provenance=_origin(dataset) | {"without": {"of": dataset.id, "rows": gone}},
            folder=folder,
        )
        write_json(folder / "dataset.json", made.as_dict())
        return replace(made, folder=folder.rename(store.workspace.datasets / identifier))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _origin(dataset: PreparedDataset) -> JsonObject:
    """What is known of where rows come from, less what the whole dataset is found by."""
    found_by = ("sample", "sha256", "source", "options")
    return {key: value for key, value in dataset.provenance.items() if key not in found_by}


def _free(store: DatasetStore, name: str) -> str:
    taken = {dataset.name for dataset in store.list()}
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name} ({number})"
    return candidate
