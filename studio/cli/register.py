"""Turns commands into Typer commands: options and help from the functions' signatures."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperOption

from studio.cli.terminal import Terminal, print_error
from studio.commands.base import Command, Parameter, silent
from studio.core.errors import Cancelled, ConfigError

_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]


class View:
    """How the shell shows a command.

    Args:
        render: makes the text of the result; a string is filled in with the result's values.
        examples: for the help, without the command's name.
        follow: waits for what the command has started, and gives the result in its place.
        failure: the error of a result that is printed but counts as failed, or None.
    """

    def __init__(
        self,
        render: str | Callable[[Any], str],
        *examples: str,
        follow: Callable[[Terminal, Any], Any] = lambda out, value: value,
        failure: Callable[[Any], str | None] = lambda value: None,
    ):
        self.render = render.format_map if isinstance(render, str) else render
        self.examples, self.follow, self.failure = examples, follow, failure


def add(app: typer.Typer, name: str, command: Command, view: View) -> None:
    """Make `name` a command of a Typer app."""
    words = command.name.replace("_", " ")
    examples = example(*(f"{words} {line}".strip() for line in view.examples))
    shown = app.command(name, cls=_help_with_values(command), epilog=examples)
    shown(_typer_function(command, view))


def _help_with_values(command: Command) -> type[TyperCommand]:
    """Typer's command, whose help loads the names of a parameter's values when it is shown."""

    class WithValues(TyperCommand):
        def format_options(self, ctx: Any, formatter: Any) -> None:
            helps = {one.name: one.about.full_help() for one in command.parameters}
            for each in self.params:
                if isinstance(each, TyperOption) and each.name in helps:
                    each.help = helps[each.name]
            super().format_options(ctx, formatter)

    return WithValues


def example(*commands: str) -> str:
    """The last lines of a command's help."""
    lines = "\n".join(f"  python -m studio {command}" for command in commands)
    return f"\b\nExample{'s' if len(commands) > 1 else ''}:\n{lines}"


def _typer_function(command: Command, view: View) -> Callable[..., None]:
    def run(as_json: bool, **given: Any) -> None:
        values = {one.name: _parsed(one, given[one.name]) for one in command.parameters}
        with Terminal(as_json) as out:
            line = shlex.join(["python", "-m", "studio", *sys.argv[1:]])
            by = {"door": "shell", "command": line}
            slow = "on_progress" in command.takes
            try:
                with out.progress("Working") if slow else nullcontext(silent) as report:
                    value = command(out.studio, on_progress=report, provenance=by, **values)
                value = view.follow(out, value)
            except KeyboardInterrupt:  # Typer would end with an exit code of its own
                raise Cancelled from None
            out.result(value, view.render)
        if problem := view.failure(value):
            print_error(problem)
            raise typer.Exit(1)

    options = [(one.name, one.default, _annotation(one)) for one in command.parameters]
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(name, kind, default=default, annotation=annotation)
        for name, default, annotation in [*options, ("as_json", False, _JSON)]
    ]
    run.__doc__ = command.help
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    return run


def _annotation(one: Parameter) -> Any:
    """The parameter's type and description as Typer takes them."""
    about, kind = one.about, one.type
    how: dict[str, Any] = {"help": about.help, "min": about.min, "max": about.max}
    if one.positional:
        metavar = about.metavar or one.name.upper()
        return Annotated[kind, typer.Argument(metavar=metavar, **how)]
    how["metavar"] = about.metavar
    if get_origin(kind) is Annotated or any(get_origin(o) is Annotated for o in get_args(kind)):
        how["metavar"] = about.metavar or "NAME"  # Typer would print the annotation itself
    flag = f"--{one.name.replace('_', '-')}"
    if _mapping(kind):
        kind, how["metavar"] = list[str] | None, about.metavar or "KEY=VALUE"
    if about.commas:
        kind, how["metavar"] = str | None, about.metavar or "NAME,NAME"
    # A flag that is off by default has no opposite.
    switch = bool in (kind, *get_args(kind)) and one.default is not False
    names = [flag] if not switch else [f"{flag}/--no-{flag[2:]}"]
    return Annotated[kind, typer.Option(*names, **how)]


def _mapping(kind: Any) -> Any:
    """The mapping's type among a parameter's, or None."""
    return next((one for one in (kind, *get_args(kind)) if get_origin(one) is dict), None)


def _parsed(one: Parameter, value: Any) -> Any:
    """What the function takes, from what Typer gives: mappings and lists out of text."""
    if value is None:
        return None
    if one.about.commas:
        return [part.strip() for part in value.split(",") if part.strip()]
    if not (mapping := _mapping(one.type)):
        return value
    found = {}
    for pair in value:
        key, equals, text = pair.partition("=")
        if not (equals and key.strip()):
            metavar = one.about.metavar or "KEY=VALUE"
            raise ConfigError(f"--{one.name} takes {metavar}, not {pair!r}.")
        found[key.strip()] = _value(get_args(mapping)[1], text, f"--{one.name} {key}")
    return found


def _value(kind: Any, text: str, where: str) -> Any:
    """A mapping's value by its type: the text itself, a list of values, or YAML."""
    if kind is str:
        return text
    import yaml

    from studio.runs.sweep import values_of

    try:
        return values_of(text) if get_origin(kind) is list else yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"{where}: {text!r} is not a YAML value.") from None
