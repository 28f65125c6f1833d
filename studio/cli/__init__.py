"""`python -m studio`: every part of the loop from a shell, for people and for machines.

stdout carries the result and nothing else; with `--json` that is exactly one JSON document.
Progress and notes go to stderr, and so does an error, in one sentence. Exit code 0 is success, 1 is
work that failed or was stopped, 2 is a command that cannot be understood.
Nothing heavy is imported until a command needs it, so `--help` answers at once.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.core
import typer.main
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError  # its own click

from studio.cli import (
    calc,
    data,
    datasets,
    export,
    generate,
    hardware,
    hub,
    label_results,
    labels,
    models,
    rewards,
    score,
    serve,
    train,
)
from studio.cli.output import Terminal, example, say_error
from studio.core.errors import Cancelled, ConfigError, StudioError
from studio.core.version import __version__

__all__ = ["app", "datasets", "export", "label_results", "main"]

# Libraries that talk while they work; their errors still come through as exceptions.
_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "BITSANDBYTES_NOWELCOME": "1",
}


class _InOrder(typer.core.TyperGroup):
    """Lists the commands in the order of the loop, not the commands first and the groups last."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        order = (
            "app",
            "data",
            "calc",
            "train",
            "runs",
            "generate",
            "score",
            "rewards",
            "pairs",
            "labels",
            "models",
            "hub",
            "hardware",
        )
        return sorted(super().list_commands(ctx), key=order.index)


app = typer.Typer(
    name="studio",
    cls=_InOrder,
    help="Alignment Studio: from data to an aligned model, on one GPU or on none.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("app", epilog=example("app --port 7860"))(serve.app)
app.add_typer(data.app, name="data")  # with the commands that `datasets` adds to it
app.command(
    "calc", epilog=example("calc pocket --lora-r 8 --lora-target-modules q_proj,k_proj,v_proj")
)(calc.calc)
app.command("train", epilog=example("train pocket-sft --set max_steps=20"))(train.train)
app.add_typer(train.app, name="runs")  # with the commands that `export` adds to it
app.command("generate", epilog=example("generate --run pocket-sft --prompts questions.txt"))(
    generate.generate
)
app.command(
    "score", epilog=example("score --run pocket-sft --data pocket-questions --metrics contains")
)(score.score)
app.add_typer(rewards.app, name="rewards")
app.add_typer(generate.app, name="pairs")
app.add_typer(labels.app, name="labels")
app.add_typer(models.app, name="models")
app.add_typer(hub.app, name="hub")
app.command("hardware", epilog=example("hardware --json"))(hardware.hardware)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alignment-studio {__version__}")
        raise typer.Exit


@app.callback(epilog=example("train pocket-sft --set max_steps=20", "COMMAND --help"))
def _root(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the libraries' own messages and reports.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    Terminal.verbose = verbose
    if not verbose:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code, with any error already told in one sentence."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verbose = bool(arguments) and arguments[0] in ("-v", "--verbose")
    try:
        code = typer.main.get_command(app).main(
            arguments, prog_name="python -m studio", standalone_mode=False
        )
        return code if isinstance(code, int) else 0
    except NoArgsIsHelpError as error:
        typer.echo(error.ctx.get_help() if error.ctx else str(error), err=True)
        return 2
    except UsageError as error:
        where = f" See {error.ctx.command_path} --help." if error.ctx else ""
        message = error.format_message().strip()
        say_error(f"{message}{'' if message.endswith(('.', '?')) else '.'}{where}")
        return 2
    except ClickException as error:
        say_error(error.format_message())
        return 1
    except ConfigError as error:
        say_error(str(error))
        return 2
    except (KeyboardInterrupt, typer.Abort, Cancelled):
        say_error("Stopped before it was done.")
        return 1
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except StudioError as error:
        say_error(str(error))
        return 1
    except Exception as error:  # a fault of ours or a library's: still one sentence
        if verbose:
            traceback.print_exc()
        first = (str(error).splitlines() or [""])[0]
        say_error(
            f"This broke off with {type(error).__name__}: {first} "
            "Repeat it as `python -m studio --verbose ...` for the full report."
        )
        return 1
