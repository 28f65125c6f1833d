"""The datasets that a recipe names, and what a run's record says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from studio.core.errors import DataError
from studio.data import DatasetStore, PreparedDataset, PrepareOptions, looks_like_source
from studio.labels.votes_provenance import learned_from
from studio.runs.dataset_entries import DatasetEntry, label
from studio.runs.mixture import draw
from studio.runs.recipe import Recipe
from studio.training.train_dataset import metric_names


def dataset_for(store: DatasetStore, name: str) -> PreparedDataset:
    """A prepared dataset by id or name; a shipped sample, file or Hub id is prepared first."""
    try:
        return store.get(name)
    except DataError as unknown:
        if not looks_like_source(name):
            raise unknown
        return store.prepare(name)


def datasets_for(store: DatasetStore, recipe: Recipe) -> list[PreparedDataset]:
    """The datasets of a recipe, in order; those that are not prepared yet are prepared first.

    Raises a `DataError` for a split or configuration of what is prepared already.
    """
    if not recipe.datasets:
        return [dataset_for(store, recipe.dataset_name)]
    return [_entry(store, entry) for entry in recipe.datasets]


def _entry(store: DatasetStore, entry: DatasetEntry) -> PreparedDataset:
    if not (entry.name or entry.split):
        return dataset_for(store, entry.path)
    options = PrepareOptions(config=entry.name, split=entry.split)
    for dataset in store.list():
        wanted = {"source": entry.path, "options": options.recorded()}
        if wanted.items() <= dataset.provenance.items():
            return dataset
        if entry.path in (dataset.id, dataset.name):
            raise DataError(
                f"{dataset.name} is prepared already, so name and split, which choose from the "
                "Hub, cannot apply; leave them out."
            )
    return store.prepare(entry.path, options=options)


def record(recipe: Recipe, prepared: Sequence[PreparedDataset]) -> dict[str, Any]:
    """`Run.data`: id, name, fingerprint and rows of a dataset, and the votes it was made from.

    Of a mixture, `rows` are those that are drawn, `id` is the first dataset's, and `datasets` says
    the same of each, with its `fraction`, the rows it was `drawn_from`, and its name in `metrics`.
    """
    first = prepared[0]
    votes = next((found for one in prepared if (found := learned_from(one))), None)
    extra = {"votes": votes} if votes else {}
    if not recipe.datasets:
        return _identity(first) | {"rows": dict(first.rows)} | extra
    counts = draw(recipe, [one.rows.get("train", 0) for one in prepared]).counts(len(prepared))
    names = [one.name for one in prepared]
    datasets = [
        _identity(one)
        | {"rows": {**one.rows, "train": count}, "drawn_from": one.rows.get("train", 0)}
        | {"fraction": entry.fraction, "metrics": metric}
        for one, entry, count, metric in zip(
            prepared, recipe.datasets, counts, metric_names(names), strict=True
        )
    ]
    together = hashlib.sha256("\n".join(one.fingerprint for one in prepared).encode())
    held_out = sum(one.rows.get("test", 0) for one in prepared)
    return {
        "id": first.id,
        "name": label(names),
        "fingerprint": together.hexdigest()[: len(first.fingerprint)],
        "rows": {"train": sum(counts)} | ({"test": held_out} if held_out else {}),
        "datasets": datasets,
    } | extra


def _identity(dataset: PreparedDataset) -> dict[str, Any]:
    return {"id": dataset.id, "name": dataset.name, "fingerprint": dataset.fingerprint}
