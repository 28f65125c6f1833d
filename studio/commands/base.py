"""What makes a function a command, and what is known about its parameters.

A command is a plain typed function. It takes a `Studio` where it needs one, and parameters that are
`Annotated` with a `Param`; it returns JSON-able data, raises `StudioError`, and prints nothing.
Parameters before the `*` are positional in the shell, those after it are options.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from studio.core.errors import ConfigError, ModelError, did_you_mean

if TYPE_CHECKING:
    from studio.core.jobs import Job
    from studio.engine.studio import Studio

Json = dict[str, Any]
"""A JSON object."""
OnProgress = Callable[[int, int | None, str], None]
"""Called with the parts done, the parts in all (None while unknown), and what is being done."""
Function = TypeVar("Function", bound=Callable[..., Any])


def silent(done: int, total: int | None, what: str) -> None:
    """An `OnProgress` that reports to nobody."""


@dataclass(frozen=True)
class Param:
    """What a command says of one of its parameters, beside its name, type and default.

    `{values}` in `help` stands for the names that `values` gives, which may be slow to load.
    """

    help: str
    min: float | None = None
    max: float | None = None
    metavar: str | None = None
    commas: bool = False
    """Whether the shell splits the list's values at commas."""
    shell_only: bool = False
    """Whether the page's API leaves it out, as what writes files in a command that only reads."""
    values: Callable[[], Iterable[str]] | None = None

    def full_help(self) -> str:
        """The help with the names of its values, for whoever is about to show it."""
        return self.help.format(values=", ".join(self.values())) if self.values else self.help


def objectives() -> Iterable[str]:
    """The names of the training objectives."""
    from studio.runs.objectives import OBJECTIVES

    return OBJECTIVES


def methods() -> Iterable[str]:
    """The names of the fine-tuning methods."""
    from studio.runs.methods import METHODS

    return METHODS


Limit = Annotated[int | None, Param("Use at most this many rows.", min=1)]
RunName = Annotated[str, Param("A run, by id or name.", metavar="RUN")]
ProjectName = Annotated[str, Param("A labeling project, by name or id.")]
Rows = Annotated[str, Param("A file, a shipped sample, a Hub id or a prepared dataset.")]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a command; `default` is `inspect.Parameter.empty` where it is required."""

    name: str
    type: Any
    default: Any
    about: Param
    positional: bool

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True)
class Command:
    """A function that is offered in the shell, over the API and as a method of `Commands`."""

    function: Callable[..., Any]
    read_only: bool

    @property
    def name(self) -> str:
        """Such as `runs_list`: `runs list` in the shell, `/runs_list` over the API."""
        return self.function.__name__

    @property
    def help(self) -> str:
        return inspect.cleandoc(self.function.__doc__ or "")

    @functools.cached_property
    def takes(self) -> frozenset[str]:
        """The names of all parameters, also of those that the caller's side fills in."""
        return frozenset(inspect.signature(self.function).parameters)

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What a user gives, in order."""
        # Studio is imported for type checkers only: naming a command must load no engine.
        names = {"Studio": object}
        hints = typing.get_type_hints(self.function, localns=names, include_extras=True)
        found = []
        for one in inspect.signature(self.function).parameters.values():
            plain, *notes = typing.get_args(hints.get(one.name)) or (None,)
            about = next((note for note in notes if isinstance(note, Param)), None)
            if about is not None:
                positional = one.kind is not inspect.Parameter.KEYWORD_ONLY
                found.append(Parameter(one.name, plain, one.default, about, positional))
        return tuple(found)

    def __call__(
        self,
        studio: Studio | Callable[[], Studio],
        *places: Any,
        on_progress: OnProgress = silent,
        provenance: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> Any:
        """Check the values, run the function and return its result as JSON holds it.

        Args:
            studio: the engine, or what makes it when the function needs one.
            on_progress: told how far the work is, where the function reports that.
            provenance: recorded with what is made: who asked, and how.

        Raises:
            ConfigError: for an unknown, missing or wrong parameter.
        """
        names = [one.name for one in self.parameters if one.positional]
        if len(places) > len(names):
            raise ConfigError(f"{self.name} takes no more than {len(names)} values without a name.")
        checked = self._check({**dict(zip(names, places, strict=False)), **values})
        given = {"on_progress": on_progress, "provenance": dict(provenance or {})}
        checked |= {name: value for name, value in given.items() if name in self.takes}
        if "studio" in self.takes:
            checked["studio"] = studio() if callable(studio) else studio
        return jsonable(self.function(**checked))

    def _check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        from pydantic import ValidationError

        for name in values:
            if name not in self._model.model_fields:
                known = self._model.model_fields
                raise ConfigError(f"{self.name} takes no {name!r}.{did_you_mean(name, known)}")
            if odd := _unwritable(values[name]):
                raise ConfigError(f"{name} holds {odd}, which no name or file has.")
        lists = {one.name for one in self.parameters if _takes_texts(one.type)}
        values = {
            name: [value] if name in lists and isinstance(value, str) else value
            for name, value in values.items()
        }
        try:
            checked = self._model.model_validate(values)
        except ValidationError as error:
            raise ConfigError(f"{self.name}: {first_problem(error)}") from None
        return {name: getattr(checked, name) for name in self._model.model_fields}

    @functools.cached_property
    def _model(self) -> Any:
        """A pydantic model with the parameters as its fields."""
        from pydantic import Field, create_model

        fields: Any = {
            one.name: (
                one.type,
                Field(... if one.required else one.default, ge=one.about.min, le=one.about.max),
            )
            for one in self.parameters
        }
        return create_model(self.name, **fields)


def _takes_texts(kind: Any) -> bool:
    """Whether a parameter is a list of texts, for which one text by itself may be given."""
    return list[str] in (kind, *typing.get_args(kind))


COMMANDS: dict[str, Command] = {}
"""Every command by name; complete once `studio.commands` is imported."""


def _unwritable(value: Any) -> str:
    """What a text, or one in a list, holds that nothing can write down; empty where it can."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(_unwritable, cast("Sequence[Any]", value))), "")
    if not isinstance(value, str):
        return "a NUL character" if isinstance(value, Path) and "\0" in str(value) else ""
    if "\0" in value:
        return "a NUL character"
    return "" if value.isascii() or not _HALF.search(value) else "half a character"


_HALF = re.compile("[\ud800-\udfff]")


def command(*, read_only: bool = False) -> Callable[[Function], Function]:
    """Register a function as a command; `read_only` ones change nothing in the workspace."""

    def register(function: Function) -> Function:
        made = Command(function, read_only)
        COMMANDS[made.name] = made
        return function

    return register


def first_problem(error: Any) -> str:
    """The first finding of a pydantic `ValidationError` as a sentence."""
    issue = error.errors()[0]
    name, message = str(issue["loc"][0]), str(issue["msg"]).removeprefix("Value error, ")
    if issue["type"] == "missing":
        return f"{name} is missing."
    return f"{name} cannot be {issue['input']!r:.200}: {message[0].lower()}{message[1:]}."


def jsonable(value: Any) -> Any:
    """The value as JSON holds it: tuples are lists, paths are text, NaN and infinity are null."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value, inf_nan_mode="null", fallback=str)


def one_or_all(source: Sequence[str]) -> Any:
    """One source by itself, several as a list: what the readers take."""
    return source[0] if len(source) == 1 else list(source)


def wait_for(job: Job, on_progress: OnProgress, what: str) -> Json:
    """Wait for a job and return its result; whatever breaks this off cancels the job.

    Raises `ModelError` with the job's own sentence where it failed.
    """
    on_progress(0, None, what)
    try:
        while not job.wait(0.2):
            if job.started:
                on_progress(job.done, job.total or None, job.what)
    except BaseException:
        job.cancel()
        job.wait(10)
        raise
    if job.error:
        raise ModelError(job.error)
    return job.result()
