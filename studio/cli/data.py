"""`data inspect` and `data prepare`: what a file holds, and rows that TRL can train on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.output import Json, Terminal, example, one_line, parse_pairs, table
from studio.core.errors import DataError

if TYPE_CHECKING:
    from studio.data import Inspection, SourceReading

app = typer.Typer(
    help="Data: look into any file, and make rows to train on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE", help="Files, a folder, a shipped sample (pocket-sft) or a Hub id."
    ),
]
FormatName = Annotated[
    str | None, typer.Option("--format", help="Overrule the format that was recognised.")
]
Mapping = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="FIELD=COLUMN", help="Say which column is what; repeatable."),
]
Config = Annotated[str | None, typer.Option(help="A Hub dataset's configuration.")]
Split = Annotated[str | None, typer.Option(help="A Hub dataset's split, such as train[:500].")]


@app.command(
    "inspect",
    epilog=example(
        "data inspect rows.jsonl",
        "data inspect pocket-sft --json",
        "data inspect one.csv two.jsonl --table",
        "data inspect rows.jsonl --model pocket --max-length 256 --problems-out wrong.jsonl",
    ),
)
def inspect_source(
    source: Sources,
    format: FormatName = None,
    mapping: Mapping = None,
    config: Config = None,
    split: Split = None,
    limit: Annotated[int | None, typer.Option(help="Read no more rows than this.", min=1)] = None,
    as_table: Annotated[
        bool, typer.Option("--table", help="A line a source, each read by itself.")
    ] = False,
    problems_out: Annotated[
        Path | None,
        typer.Option(help="Write every problem to this file (JSON Lines: file, row, kind, ...)."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Count tokens with this model, and say what is too long.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="The chat template to count with; the model's own without.")
    ] = None,
    max_length: Annotated[int, typer.Option(help="The length limit, in tokens.", min=1)] = 512,
    as_json: Json = False,
) -> None:
    """Say what a file holds and what is wrong with it.

    Its format and type, how many rows load, why the others do not, and the first rows as they will
    be trained on.
    """
    if as_table and (problems_out is not None or model is not None):
        raise typer.BadParameter("--problems-out and --model go with one source, not with --table")
    how: dict[str, Any] = {
        "config": config,
        "split": split,
        "format": format,
        "mapping": parse_pairs(mapping or [], "--map") or None,
        "limit": limit,
    }
    with Terminal(as_json) as out, out.progress("Reading rows") as report:
        from studio.data import read

        if as_table:
            found = [_line(name, {**how, "progress": report}) for name in source]
            out.result(found, table([list(line.values()) for line in found], list(found[0])))
            return
        with read(_one_or_all(source), progress=report, **how) as reading:
            if model is not None:
                _count_tokens(out, reading, model, template, max_length, report)
            if problems_out is not None:
                count = reading.problems.write(problems_out)
                out.note(f"{count:,} problems written to {problems_out}")
            inspected = reading.inspection()
        out.result(inspected.as_dict(), _describe(inspected))


def _count_tokens(
    out: Terminal, reading: SourceReading, model: str, template: str | None, limit: int, report: Any
) -> None:
    """Add what a model's tokens tell of the rows to their problems."""
    tokenizer = out.studio.tokenizer(model, template)
    from studio.data.prepared.token_checks import check_tokens

    found = check_tokens(reading, tokenizer, max_length=limit, progress=report)
    out.note(
        f"Tokens of {found.measured:,} of {found.rows:,} rows counted with {model}; "
        f"suggested max_length {found.suggestion():,}"
    )


def _line(source: str, how: dict[str, Any]) -> dict[str, Any]:
    """One source in a line: what it is and how much of it loads, or why it cannot be read."""
    from studio.data import inspect

    try:
        found = inspect(source, **how)
    except DataError as error:
        empty = {"format": "-", "type": "-", "rows": None, "kept": None}
        return {"source": source, **empty, "problems": str(error)}
    counts = ", ".join(f"{n:,} {kind}" for kind, n in sorted(found.problem_counts.items()))
    return {
        "source": source,
        "format": found.format,
        "type": found.type,
        "rows": found.rows,
        "kept": found.kept,
        "problems": counts or "none",
    }


@app.command(
    "prepare",
    epilog=example(
        "data prepare rows.json --out train.jsonl", "data prepare rows.json --name letters"
    ),
)
def prepare(
    context: typer.Context,
    source: Sources,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; without it, a dataset of the studio's own."),
    ] = None,
    test_out: Annotated[
        Path | None, typer.Option(help="File for held-out rows; without it all go into --out.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the studio's own dataset.")] = None,
    format: FormatName = None,
    mapping: Mapping = None,
    config: Config = None,
    split: Split = None,
    test_fraction: Annotated[
        float | None, typer.Option(help="Share of rows held out for evaluation.", min=0.0, max=0.9)
    ] = None,
    min_words: Annotated[int, typer.Option(help="Drop answers shorter than this.", min=0)] = 0,
    sample: Annotated[int | None, typer.Option(help="Keep this many, at random.", min=1)] = None,
    keep_duplicates: Annotated[
        bool, typer.Option("--keep-duplicates", help="Keep rows that are there twice.")
    ] = False,
    max_words: Annotated[int, typer.Option(help="Drop answers longer than this.", min=0)] = 0,
    drop_near: Annotated[
        bool, typer.Option("--drop-near", help="Drop rows that are nearly the same as another.")
    ] = False,
    drop_contradictions: Annotated[
        bool, typer.Option("--drop-contradictions", help="Drop pairs that reverse another pair.")
    ] = False,
    novelty: Annotated[
        float, typer.Option(help="Drop prompts with this ROUGE-L to another (0.7).", min=0, max=1)
    ] = 0.0,
    held_out: Annotated[
        str | None, typer.Option(help="Drop rows whose prompt is in this evaluation file.")
    ] = None,
    balance: Annotated[
        str | None, typer.Option(help="A column whose groups become equally large.")
    ] = None,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Shuffle by the seed.")] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only say what each step would drop.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the sample and the split.", min=0)] = 42,
    as_json: Json = False,
) -> None:
    """Write rows in TRL's own dataset formats, cleaned.

    Rows that are empty or there twice are dropped, and so are pairs whose answers are equal.
    """
    if test_out is not None and to is None:
        raise typer.BadParameter("--test-out goes with --out")
    if to is not None and name is not None:
        raise typer.BadParameter("--out writes a file and --name a dataset; give one of them")
    asked = {**context.params, "mapping": parse_pairs(mapping or [], "--map") or None}
    with Terminal(as_json) as out, out.progress("Preparing rows") as report:
        from studio.data import PrepareOptions, prepare_to_file

        fields = {field.name for field in dataclasses.fields(PrepareOptions)}
        values = {name: asked[name] for name in fields & asked.keys() if asked[name] is not None}
        options = PrepareOptions(**values, dedupe=not keep_duplicates)
        if preview:
            out.result(*_previewed(_one_or_all(source), options, report))
            return
        if to is not None:
            summary = prepare_to_file(_one_or_all(source), to, options, report, test_out)
        else:
            made = out.studio.datasets.prepare(
                _one_or_all(source), name=name, options=options, progress=report
            )
            summary = {
                "id": made.id,
                "name": made.name,
                "type": made.type,
                "format": made.format,
                "rows": made.rows,
                "fingerprint": made.fingerprint,
                "steps": made.steps,
            }
        out.result(summary, _account(summary, to))


def _previewed(source: Any, options: Any, report: Any) -> tuple[list[dict[str, Any]], str]:
    from studio.data import preview
    from studio.data.prepared.writing import open_reading

    with open_reading(source, options, report) as reading:
        steps = [vars(step) for step in preview(reading, options, report)]
    lines = []
    for step in steps:
        lines.append(f"{step['step'].replace('_', ' ')}: {step['dropped']:,} rows dropped")
        lines += [f"   row {row['row']}: {one_line(str(row['data']))}" for row in step["examples"]]
    return steps, "\n".join(lines) or "No step is chosen."


def _one_or_all(source: list[str]) -> Any:
    return source[0] if len(source) == 1 else source


def _describe(found: Inspection) -> str:
    """An inspection for a person: what it is, then what is wrong, then the first row."""
    lines = [
        f"{found.source}: {found.format}, {found.type.replace('_', ' ')}",
        f"{found.why} ({found.confidence:.0%} sure)",
        f"{found.rows:,} rows, {found.kept:,} kept; columns {', '.join(found.columns)}",
        *found.notes,
    ]
    for kind, count in sorted(found.problem_counts.items(), key=lambda pair: -pair[1]):
        lines.append(f"{count:,} x {kind.replace('_', ' ')}")
        for problem in [p for p in found.problems if p.kind == kind][:3]:
            where = f"row {problem.row}: " if problem.row is not None else ""
            lines.append(f"   {where}{problem.message}")
    if found.sample:
        lines.append("First row:")
        for key, value in found.sample[0].items():
            turns = value if isinstance(value, list) else [value]
            lines += [f"   {key}: {one_line(_spoken(turn))}" for turn in turns]
    return "\n".join(lines)


def _spoken(turn: Any) -> str:
    """A message as `role: content`, anything else as it is."""
    if isinstance(turn, dict) and "role" in turn:
        return f"{turn['role']}: {turn.get('content')}"
    return str(turn)


def _account(summary: dict[str, Any], to: Path | None) -> str:
    """Where the rows went, how many of each split, and what was dropped on the way."""
    kind = summary["type"].replace("_", " ")
    splits = summary["splits"] if to is not None else summary["rows"]
    rows = ", ".join(f"{count:,} {split}" for split, count in splits.items())
    place = str(to) if to is not None else f"{summary['name']} ({summary['id']})"
    return f"{place}: {rows} rows ({kind})"
