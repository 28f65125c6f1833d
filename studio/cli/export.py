"""`runs export` and `runs import`: a result or its making taken out, adapters taken in."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.output import Json, Terminal, example
from studio.cli.progress import watch
from studio.cli.train import RunName, app, as_dict
from studio.core.errors import ConfigError

if TYPE_CHECKING:
    from studio.runs.store import Run


@app.command(
    "export",
    epilog=example(
        "runs export pocket-sft --to merged --out mine",
        "runs export pocket-sft --to gguf --outtype f16 --out mine-gguf",
        "runs export pocket-sft --to trl --out exported",
        "runs export pocket-sft --to job > job.py",
    ),
)
def export(
    run: RunName,
    to: Annotated[str, typer.Option(help="adapter, merged, gguf, trl, script or job.")],
    out: Annotated[
        Path | None,
        typer.Option(help="A new or empty folder; a job is printed without.", file_okay=False),
    ] = None,
    outtype: Annotated[
        str, typer.Option(help="How a GGUF file holds weights: q8_0, f16, bf16 or f32.")
    ] = "q8_0",
    as_json: Json = False,
) -> None:
    """Write a run's result (adapter, merged, gguf), or what repeats it (trl, script, job).

    A result is loaded back with the stock libraries and must answer as the run does. What repeats
    a run is plain TRL with its rows; a job is one script for a machine elsewhere.
    """
    with Terminal(as_json) as terminal:
        studio = terminal.studio
        found = studio.runs.get(run)
        if out is None and to != "job":
            raise ConfigError(f"Name a folder to write into: --to {to} --out exported.")
        if out is None:
            with tempfile.TemporaryDirectory() as held:
                [script] = _repeating(terminal, found, to, Path(held))
                text = script.read_text(encoding="utf-8")
            terminal.result({"script": text}, text.rstrip())
        elif to in ("trl", "script", "job"):
            files = _repeating(terminal, found, to, out)
            terminal.result({"files": [str(path) for path in files]}, str(files[0]))
        else:
            from studio.exports import ExportRequest

            job = studio.export(ExportRequest(found.id, to, out, outtype))
            record = watch(terminal, job, "Loading the run")
            terminal.result(record, _exported(record))


def _repeating(terminal: Terminal, run: Run, to: str, out: Path) -> list[Path]:
    from studio.training.export_config import export as write

    return write(run, terminal.studio.runs, terminal.studio.datasets, to, out)


def _exported(record: dict[str, Any]) -> str:
    """What was proven, and how to serve it."""
    from studio.exports import serve_commands

    found = record["figures"]
    lines = [
        f"{record['folder']}: {record['bytes'] / 1e6:,.1f} MB, {', '.join(record['files'])}",
        f"largest difference of a logit {found['largest_difference']:.3g} "
        f"({found['tolerance'] * found['largest_logit']:.3g} allowed), "
        f"greedy tokens that agree {found['agreement']:.1%}",
        *(
            f"{program}: {line}"
            for program, line in serve_commands.commands(record, record["folder"])
        ),
    ]
    return "\n".join(lines)


@app.command("import", epilog=example("runs import ./my-adapter --base pocket --name theirs"))
def import_adapter(
    folder: Annotated[Path, typer.Argument(help="What PEFT saved.", exists=True, file_okay=False)],
    base: Annotated[
        str | None, typer.Option(help="The model it belongs on, where its config names none here.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="A label for the run.")] = None,
    as_json: Json = False,
) -> None:
    """Take in an adapter made elsewhere as a finished run; pickles are refused."""
    with Terminal(as_json) as out:
        from studio.exports.import_adapter import adopt

        run = adopt(out.studio.runs, folder, base, name)
        out.result(as_dict(run), f"{run.id} {run.name}: {run.method} on {run.model}")
