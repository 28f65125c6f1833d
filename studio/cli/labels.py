"""`labels export`: votes as rows that TRL's trainers read."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.cli.output import Json, Terminal, example
from studio.errors import ConfigError, DataError
from studio.workspace import write_durably

app = typer.Typer(
    help="Labelling projects and what came of them.", no_args_is_help=True, rich_markup_mode=None
)


class Format(StrEnum):
    """TRL's trainers that can learn from votes."""

    dpo = "dpo"
    kto = "kto"
    reward = "reward"


@app.callback()
def _group() -> None:
    pass


@app.command(
    "export", epilog=example("labels export --project first --format dpo --out labels.jsonl")
)
def export(
    project: Annotated[str, typer.Option(help="Labelling project, by name or id.")],
    out: Annotated[Path, typer.Option(help="File to write: .jsonl, .json or .parquet.")],
    format: Annotated[Format, typer.Option(help="Trainer the rows are for.")] = Format.dpo,
    as_json: Json = False,
) -> None:
    """Write a project's votes as rows for DPO, KTO or reward training."""
    if out.suffix not in (".jsonl", ".json", ".parquet"):
        raise ConfigError(f"--out ends in {out.suffix or 'nothing'}; use .jsonl, .json, .parquet.")
    with Terminal(as_json) as terminal:
        labels = terminal.studio.labels
        chosen = labels.get(project)
        made = labels.export(chosen.id, format.value)
        if not made.rows:
            reasons = ", ".join(f"{n} {why}" for why, n in made.summary.left_out.items())
            raise DataError(
                f"{chosen.name} has no votes that become {format.value} rows"
                f"{f' ({reasons})' if reasons else ''}; label some pairs first."
            )
        write_rows(made.rows, out)
        summary = {"file": str(out), "project": chosen.name, **made.summary.as_dict()}
        left = "".join(f", {n:,} left out: {why}" for why, n in made.summary.left_out.items())
        terminal.result(summary, f"{out}: {len(made.rows):,} rows{left}")


def write_rows(rows: list[dict[str, Any]], path: Path) -> None:
    """Rows as JSONL, JSON or parquet, by the file's suffix; whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            import pyarrow
            import pyarrow.parquet

            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
            return
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from None
    if path.suffix == ".json":
        text = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    else:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_durably(path, text)
