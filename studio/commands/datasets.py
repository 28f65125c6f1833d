"""`data list`, `show`, `delete`, `restore`, `export`, `push`: datasets in the workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from studio.commands.base import Json, OnProgress, Param, command, silent

if TYPE_CHECKING:
    from studio.data import PreparedDataset
    from studio.engine.studio import Studio

DatasetName = Annotated[str, Param("A prepared dataset, by name or id.", metavar="DATASET")]


@command(read_only=True)
def data_list(studio: Studio) -> list[Json]:
    """List prepared datasets, newest first."""
    return [_as_dict(dataset) for dataset in studio.datasets.list()]


@command(read_only=True)
def data_show(
    studio: Studio,
    dataset: DatasetName,
    *,
    rows: Annotated[int, Param("How many rows to show.", min=0, max=1000)] = 5,
    split: Annotated[str, Param("Split to show rows of.")] = "train",
) -> Json:
    """Show how a dataset was made, and its first rows."""
    found = studio.datasets.get(dataset)
    return _as_dict(found) | {"steps": found.steps, "first": found.head(rows, split)}


@command()
def data_delete(studio: Studio, dataset: DatasetName) -> Json:
    """Delete a prepared dataset.

    `data restore` restores it until another one is deleted.
    """
    found = studio.datasets.get(dataset)
    studio.datasets.trash(found.id)
    return {"deleted": found.id, "name": found.name}


@command()
def data_restore(studio: Studio, dataset: Annotated[str, Param("Id of the dataset.")]) -> Json:
    """Restore the dataset that was deleted last."""
    return _as_dict(studio.datasets.take_back(dataset))


@command()
def data_export(
    studio: Studio,
    dataset: DatasetName,
    out: Annotated[Path, Param("File to write: .jsonl or .parquet.")],
    *,
    split: Annotated[str, Param("Split to write.")] = "train",
) -> Json:
    """Write a prepared dataset's rows to a file that TRL reads."""
    from studio.data import export

    rows = export(studio.datasets.get(dataset), out, split)
    return {"out": str(out), "split": split, "rows": rows}


@command()
def data_push(
    studio: Studio,
    dataset: DatasetName,
    repo: Annotated[str, Param("Repository on the Hub.", metavar="OWNER/NAME")],
    *,
    public: Annotated[bool, Param("Make the repository public.")] = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Upload a prepared dataset with its card to the Hub.

    The repository is made private by default. The token is HF_TOKEN or the Hub login.
    """
    from studio.data import push

    found = studio.datasets.get(dataset)
    return {"url": push(found, repo, private=not public, on_progress=on_progress)}


def _as_dict(dataset: PreparedDataset) -> Json:
    names = ("id", "name", "type", "format", "source", "rows", "fingerprint", "created")
    return {name: getattr(dataset, name) for name in names}
