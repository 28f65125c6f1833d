"""The commands as functions, for the app's API and for Python: the same names and checks.

    do = Commands(Studio())
    do.runs_list()
    do.score(run=["first"], data="pocket-questions", limit=20)

A call gives what the command prints under `--json`, on the engine it is given. Values are parsed
as the shell's are, so a wrong one is refused in the same sentence. What `train` and `runs_resume`
begin goes on by itself; `Studio.wait` follows it.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main
from typer._click.core import Command  # typer's own click
from typer._click.exceptions import ClickException

from studio.cli.output import HOST, Host
from studio.core.errors import ConfigError

if TYPE_CHECKING:
    from studio.engine.studio import Studio

_SHELL_ONLY = ("as_json", "as_table", "problems_out")
_NOT_HERE = ("app",)


@dataclass(frozen=True)
class Call:
    """One command, to be called with an engine and values by name."""

    name: str
    command: Command
    help: str
    parameters: tuple[inspect.Parameter, ...]
    """Its parameters with plain types (str, int, float, bool, list of str) and defaults."""
    told: Mapping[str, str]
    """A line of help for each."""

    def __call__(self, studio: Studio, **values: Any) -> Any:
        """What the command prints under `--json`; raises what the command raises."""
        host = Host(studio)
        before = HOST.set(host)
        try:
            words = _words(self.command, {**values, "as_json": True})
            self.command.main(words, prog_name=self.name, standalone_mode=False)
        except ClickException as error:
            raise ConfigError(f"{self.name}: {error.format_message()}") from None
        finally:
            HOST.reset(before)
        return host.value


class Commands:
    """Every command as a method, on one engine."""

    def __init__(self, studio: Studio):
        self._studio = studio
        self._calls = calls()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self._calls:
            raise AttributeError(f"There is no command {name!r}; there are {', '.join(dir(self))}.")
        return functools.partial(self._calls[name], self._studio)

    def __dir__(self) -> list[str]:
        return sorted(self._calls)


def calls() -> dict[str, Call]:
    """Every command by its name with underscores, such as `runs_list`."""
    from studio.cli import app

    return {call.name: call for call in map(_call, *zip(*_leaves(app), strict=True))}


def _leaves(app: typer.Typer, before: str = "") -> list[tuple[str, Callable[..., Any], Command]]:
    found = []
    group = typer.main.get_command(app)
    for info in app.registered_commands:
        name = info.name or str(getattr(info.callback, "__name__", ""))
        if info.callback is not None and name not in _NOT_HERE:
            command = group.commands[name]  # pyright: ignore[reportAttributeAccessIssue]
            found.append((f"{before}{name}", info.callback, command))
    for info in app.registered_groups:
        if info.typer_instance is not None:
            found += _leaves(info.typer_instance, f"{info.name}_")
    return found


def _call(name: str, function: Callable[..., Any], command: Command) -> Call:
    hints = typing.get_type_hints(function)
    parameters = tuple(
        one.replace(
            annotation=_plain(hints[one.name]),
            default=one.default.value if isinstance(one.default, Enum) else one.default,
            kind=inspect.Parameter.KEYWORD_ONLY,
        )
        for one in inspect.signature(function).parameters.values()
        if one.name not in _SHELL_ONLY and hints[one.name] is not typer.Context
    )
    told = {str(one.name): str(getattr(one, "help", "") or "") for one in command.params}
    return Call(name, command, inspect.cleandoc(function.__doc__ or ""), parameters, told)


def _plain(hint: Any) -> Any:
    """A type that JSON has, for a command's: paths and choices are texts."""
    arguments = typing.get_args(hint)
    if type(None) in arguments:
        [inner] = [one for one in arguments if one is not type(None)]
        return _plain(inner) | None
    if typing.get_origin(hint) is list:
        return list[_plain(arguments[0])]  # pyright: ignore[reportInvalidTypeArguments]
    return str if isinstance(hint, type) and issubclass(hint, Path | Enum) else hint


def _words(command: Command, values: Mapping[str, Any]) -> list[str]:
    """Values by name as the shell's words."""
    options, places = [], []
    for parameter in command.params:
        value = values.get(str(parameter.name))
        several = [] if value is None else value if isinstance(value, list) else [value]
        if parameter.param_type_name == "argument":
            places += [str(one) for one in several]
        elif isinstance(value, bool):
            named = parameter.opts if value else parameter.secondary_opts
            options += named[:1]
        else:
            options += [f"{parameter.opts[0]}={one}" for one in several]
    return [*options, "--", *places]
