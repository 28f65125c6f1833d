"""`data list`, `show`, `delete`, `restore`, `export`, `push`: the studio's own datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.data import app
from studio.cli.output import Json, Terminal, example, one_line, table

if TYPE_CHECKING:
    from studio.data import PreparedDataset

Dataset = Annotated[str, typer.Argument(help="A prepared dataset, by name or id.")]


@app.command("list", epilog=example("data list"))
def list_datasets(as_json: Json = False) -> None:
    """List prepared datasets, newest first."""
    with Terminal(as_json) as out:
        found = [_as_dict(one) for one in out.studio.datasets.list()]
        rows = [(one["id"], one["name"], one["type"], sum(one["rows"].values())) for one in found]
        out.result(found, table(rows, ("id", "name", "type", "rows")))


@app.command("show", epilog=example("data show pocket-sft --rows 3"))
def show(
    dataset: Dataset,
    rows: Annotated[int, typer.Option(help="So many rows.", min=0, max=1000)] = 5,
    split: Annotated[str, typer.Option(help="Of this split.")] = "train",
    as_json: Json = False,
) -> None:
    """Show how a dataset was made, and its first rows as they are trained on."""
    with Terminal(as_json) as out:
        found = out.studio.datasets.get(dataset)
        first = found.head(rows, split)
        lines = [f"{found.id}  {found.name}, {found.type}, from {found.source}"]
        lines += [one_line(str(row)) for row in first]
        told = _as_dict(found) | {"steps": found.steps, "first": first}
        out.result(told, "\n".join(lines))


@app.command("delete", epilog=example("data delete letters"))
def delete(dataset: Dataset, as_json: Json = False) -> None:
    """Remove a prepared dataset; `data restore` brings it back until another one is removed."""
    with Terminal(as_json) as out:
        found = out.studio.datasets.get(dataset)
        out.studio.datasets.trash(found.id)
        out.result({"deleted": found.id}, f"{found.name} is gone: data restore {found.id}")


@app.command("restore", epilog=example("data restore data-20260131-142501-9f3c"))
def restore(dataset: Annotated[str, typer.Argument(help="Its id.")], as_json: Json = False) -> None:
    """Bring back the dataset that was removed last."""
    with Terminal(as_json) as out:
        found = out.studio.datasets.take_back(dataset)
        out.result(_as_dict(found), f"{found.name} is back.")


@app.command(
    "export",
    epilog=example("data export letters letters.parquet", "data export pocket-sft a.jsonl"),
)
def export_rows(
    dataset: Dataset,
    to: Annotated[Path, typer.Argument(help="File to write: .jsonl or .parquet.")],
    split: Annotated[str, typer.Option(help="The split to write.")] = "train",
    as_json: Json = False,
) -> None:
    """Write a prepared dataset's rows to a file that TRL reads."""
    with Terminal(as_json) as out:
        from studio.data import export

        rows = export(out.studio.datasets.get(dataset), to, split)
        out.result({"out": str(to), "rows": rows}, f"{to}: {rows:,} {split} rows")


@app.command("push", epilog=example("data push letters my-name/letters"))
def push_rows(
    dataset: Dataset,
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Where to on the Hub.")],
    public: Annotated[bool, typer.Option("--public", help="For everybody to see.")] = False,
    as_json: Json = False,
) -> None:
    """Upload a prepared dataset with its card to the Hub (HF_TOKEN); private unless told."""
    with Terminal(as_json) as out:
        from studio.data import push

        url = push(out.studio.datasets.get(dataset), repo, private=not public)
        out.result({"url": url}, url)


def _as_dict(dataset: PreparedDataset) -> dict[str, Any]:
    names = ("id", "name", "type", "format", "source", "rows", "fingerprint", "created")
    return {name: getattr(dataset, name) for name in names}
