"""A prepared dataset on its way out: a file, or a repository on the Hugging Face Hub."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pyarrow.parquet as pq

from studio.core import hub
from studio.core.errors import DataError
from studio.core.workspace import written_whole
from studio.data.rows import tidy
from studio.data.types import JsonObject

if TYPE_CHECKING:
    from studio.data.prepared.store import PreparedDataset


def export(dataset: PreparedDataset, path: str | Path, split: str = "train") -> int:
    """Write one split to `path` (.jsonl or .parquet) as TRL reads it; returns its rows."""
    out = Path(path)
    if out.suffix not in (".jsonl", ".parquet"):
        raise DataError(
            f"{out.name} ends in {out.suffix or 'nothing'}; name it .jsonl or .parquet."
        )
    source = dataset.path(split)
    with written_whole(out) as part:
        if out.suffix == ".parquet":
            shutil.copyfile(source, part)
        else:
            with part.open("wb") as file:
                for batch in pq.ParquetFile(source).iter_batches(1000):
                    file.writelines(orjson.dumps(tidy(row)) + b"\n" for row in batch.to_pylist())
    return dataset.rows[split]


def card(dataset: PreparedDataset) -> str:
    """The dataset card: what the rows are, where they came from, and every step, for the Hub."""
    lines = [
        "---",
        "tags:",
        "- trl",
        "- alignment-studio",
        "configs:",
        "- config_name: default",
        "  data_files:",
        *(
            line
            for split in dataset.rows
            for line in (f"  - split: {split}", f"    path: data/{split}.parquet")
        ),
        "---",
        "",
        f"# {_inline(dataset.name)}",
        "",
        f"{dataset.type.replace('_', ' ').capitalize()} rows in the format of "
        "[TRL](https://huggingface.co/docs/trl/dataset_formats), prepared with the alignment "
        f"studio from `{_inline(dataset.source)}`{_revision(dataset)} (recognized as "
        f"{dataset.format}).",
        "",
        f"License: {_inline(str(dataset.provenance.get('license') or UNKNOWN))}.",
        "",
        "| split | rows |",
        "|---|---:|",
        *(f"| {split} | {rows:,} |" for split, rows in dataset.rows.items()),
        "",
        "## Steps",
        "",
        *(f"{at}. {_step(step)}" for at, step in enumerate(dataset.steps, 1)),
        "",
    ]
    if dataset.problems:
        lines += ["## Problems found in the source", ""]
        lines += [f"- {kind.replace('_', ' ')}: {n:,}" for kind, n in dataset.problems.items()]
        lines.append("")
    lines += [f"Fingerprint of the rows: `{dataset.fingerprint}`.", ""]
    return "\n".join(lines)


UNKNOWN = "not stated by the source"


def _revision(dataset: PreparedDataset) -> str:
    found = dataset.provenance.get("revision")
    return f" at revision `{_inline(str(found))}`" if found else ""


def _inline(text: str) -> str:
    """A name that cannot break out of its line of Markdown."""
    return re.sub(r"[`\r\n]+", " ", text).strip() or "dataset"


def _step(step: JsonObject) -> str:
    rest = ", ".join(
        f"{_inline(str(name)).replace('_', ' ')} {_inline(str(value))}"
        for name, value in step.items()
        if name not in ("step", "mapping")
    )
    return f"{step['step'].replace('_', ' ')}: {rest}" if rest else step["step"]


def preview(dataset: PreparedDataset) -> list[tuple[str, int]]:
    """(name, bytes) of exactly the files that a push sends."""
    splits = [
        (f"data/{split}.parquet", dataset.path(split).stat().st_size) for split in dataset.rows
    ]
    return [("README.md", len(card(dataset).encode())), *sorted(splits)]


def push(
    dataset: PreparedDataset,
    repo: str,
    *,
    token: str | None = None,
    private: bool = True,
    on_progress: hub.OnProgress | None = None,
) -> str:
    """Upload every split and the card to `owner/name` on the Hub; returns the page's address.

    Made private unless `private=False`. Raises `ConfigError` for a name the Hub cannot have or a
    token it refuses, `DataError` where it cannot be reached.
    """
    hub.check_name(repo, "dataset")
    try:
        return hub.push(
            _staged(dataset),
            repo,
            private=private,
            kind="dataset",
            token=token,
            message=f"Upload {_inline(dataset.name)}",
            on_progress=on_progress,
        )
    finally:
        shutil.rmtree(_stage(dataset), ignore_errors=True)


def _stage(dataset: PreparedDataset) -> Path:
    return dataset.folder.parent.parent / "exports" / f".push-{dataset.id}"


def _staged(dataset: PreparedDataset) -> Path:
    """The repository as a folder: README.md and data/<split>.parquet."""
    folder = _stage(dataset)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text(card(dataset), encoding="utf-8")
    for split in dataset.rows:
        shutil.copyfile(dataset.path(split), folder / "data" / f"{split}.parquet")
    return folder
