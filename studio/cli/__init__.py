"""`python -m studio`: every part of the loop from a shell, for people and for programs.

stdout carries the result and nothing else; with `--json` that is exactly one JSON document.
Progress and notes go to stderr, and so does an error, in one sentence. Exit code 0 is success, 1 is
work that failed or was stopped, 2 is a command that cannot be understood.
The commands themselves are functions in `studio.commands`; here they get options and are printed.
Nothing heavy is imported until a command needs it, so `--help` answers at once.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.core import TyperGroup

from studio.cli import answers, calc, data, labels, models, runs, serve, why, workspace
from studio.cli.register import add, example
from studio.cli.terminal import Terminal, print_error
from studio.commands import COMMANDS
from studio.core.errors import Cancelled, ConfigError, StudioError
from studio.core.version import __version__

__all__ = ["app", "main"]

# Libraries that print while they work; their errors still come through as exceptions.
_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "BITSANDBYTES_NOWELCOME": "1",
}
_GROUPS = {
    "data": "Data: inspect any file, and prepare rows to train on.",
    "runs": "Runs: list, show, stop, resume, export, import.",
    "rewards": "Rewards: try them, evaluate a reward model, pick the best of n.",
    "pairs": "Pairs of answers for blind labeling.",
    "labels": "Labeling projects, their votes and their results.",
    "models": "The library: list, tag, delete, restore, clean up.",
    "hub": "The Hugging Face Hub: preview, push, pull.",
}
_ORDER = (
    *("app", "data", "calc", "train", "runs", "generate", "score", "context"),
    *("embed", "search", "retrieval"),
    *("why", "influence"),
    *("rewards", "pairs", "labels"),
)


_PARTS = (data, calc, runs, answers, why, labels, models, workspace)
_VIEWS = {name: view for part in _PARTS for name, view in part.VIEWS.items()}


class _InOrder(TyperGroup):
    """Lists the commands in the order of the loop, not the commands first and the groups last."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else 99)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alignment-studio {__version__}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the libraries' own messages and reports.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    Terminal.verbose = verbose
    if not verbose:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
    _help_alone(ctx)


def _help_alone(ctx: typer.Context) -> None:
    """A group without a command prints its help, as an error."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(2)


def _build() -> typer.Typer:
    root = typer.Typer(
        name="studio",
        cls=_InOrder,
        help="Alignment Studio: from data to an aligned model, on one GPU or on none.",
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    examples = example("train pocket-sft --set max_steps=20", "COMMAND --help")
    root.callback(invoke_without_command=True, epilog=examples)(_root)
    root.command("app", epilog=example("app --port 7860"))(serve.app)
    groups = {}
    for name, help in _GROUPS.items():
        groups[name] = typer.Typer(help=help, rich_markup_mode=None)
        groups[name].callback(invoke_without_command=True)(_help_alone)
        root.add_typer(groups[name], name=name)
    for name, view in _VIEWS.items():
        group, _, rest = name.partition("_")
        add(groups.get(group, root), rest or group, COMMANDS[name], view)
    return root


app = _build()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code, with any error already printed in one sentence."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        unicode = stream.encoding.lower().startswith("utf")
        if isinstance(stream, io.TextIOWrapper) and not unicode:  # the rest is shown all the same
            stream.reconfigure(errors="backslashreplace")
    verbose = bool(arguments) and arguments[0] in ("-v", "--verbose")
    try:
        code = app(arguments, prog_name="python -m studio", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:  # the command line itself
        context = getattr(error, "ctx", None)
        message = error.format_message().strip()
        end = "" if message.endswith((".", "?")) else "."
        where = f" See {context.command_path} --help." if context else ""
        print_error(f"{message}{end}{where}")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort, Cancelled):
        print_error("Stopped before it was done.")
        return 1
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except StudioError as error:
        print_error(str(error))
        return 2 if isinstance(error, ConfigError) else 1
    except UnicodeEncodeError:
        print_error("This terminal's encoding cannot hold that name; set PYTHONUTF8=1.")
        return 1
    except Exception as error:  # a fault of ours or a library's: still one sentence
        if verbose:
            traceback.print_exc()
        first = (str(error).splitlines() or [""])[0]
        print_error(
            f"This broke off with {type(error).__name__}: {first} "
            "Repeat it as `python -m studio --verbose ...` for the full report."
        )
        return 1
