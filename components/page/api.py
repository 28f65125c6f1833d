"""The app's API: every command of `studio.commands` under its own name, and `compare`.

For `gradio_client`, for curl and, where it is asked for, for agents over MCP. See docs/api.md. The
page's own handlers are private; these are what others are meant to call.
"""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.events import api
from pydantic import BaseModel, Field, ValidationError

from components.page import shared_folders
from components.ui import access, compat
from components.ui.handlers import guard, sentence
from components.ui.visitor_quota import Visits
from studio.commands import COMMANDS, Command
from studio.commands.base import first_problem
from studio.commands.generate import sampling_of
from studio.core.errors import ConfigError, ModelError
from studio.generation.request import GenerationRequest
from studio.workflows.comparisons import side

if TYPE_CHECKING:
    from studio import Studio

READ_ONLY = frozenset({"compare", *(name for name, one in COMMANDS.items() if one.read_only)})
"""Endpoints that change nothing in the workspace: all that MCP offers by default."""


def build(studio: Studio, visits: Visits, mcp: str = "off") -> None:
    """Make the endpoints inside the open `gr.Blocks`; `mcp` is off, read or write.

    They answer at once or when the work is done, without Gradio's queue: one request, one reply.
    """

    def compare(
        prompt: str,
        columns: list[str],
        temperature: float = 0.0,
        max_new_tokens: int = 128,
        seed: int = 0,
    ) -> list[str]:
        """Answer one prompt with several models, in order. Visitors may ask this too.

        Args:
            prompt: The prompt.
            columns: `base:MODEL` or `run:RUN`, each.
            temperature: Sampling temperature; 0 is greedy.
            max_new_tokens: Longest answer in tokens.
            seed: Random seed; the same seed gives the same answers.
        """
        sampling = sampling_of(
            {"temperature": temperature, "max_new_tokens": max_new_tokens, "seed": seed}
        )
        asked = _asked(prompt, columns)
        chosen = tuple(side(studio, column).column for column in asked.columns)
        generation = visits.generate(GenerationRequest((asked.prompt,), chosen, sampling))
        generation.wait()
        snapshot = generation.snapshot()
        if snapshot.error:
            raise ModelError(snapshot.error)
        return [column[0].error or column[0].text for column in snapshot.answers]

    endpoints = {name: _endpoint(studio, command) for name, command in COMMANDS.items()}
    for name, function in {**endpoints, "compare": compare}.items():
        # MCP lists what is public; what it must not list can still be called by its name.
        listed = mcp != "read" or name in READ_ONLY
        api(
            guard(_plain_errors(function), "everybody" if name == "compare" else "owners"),
            api_name=name,
            queue=False,
            api_visibility="public" if listed else "undocumented",
        )
    compat.take_endpoints_off_the_page()


class _Asked(BaseModel):
    prompt: str
    columns: list[str] = Field(min_length=1, max_length=16)


def _asked(prompt: object, columns: object) -> _Asked:
    """What `compare` was sent, which Gradio does not look at; `ConfigError` names what is wrong."""
    try:
        return _Asked.model_validate({"prompt": prompt, "columns": columns}, strict=True)
    except ValidationError as error:
        raise ConfigError(first_problem(error)) from None


def _plain_errors(function: Any) -> Any:
    """The function with errors as plain sentences; the page's toasts hold markup, JSON does not."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from None

    return call


def _endpoint(studio: Studio, command: Command) -> Any:
    """A command with the signature and docstring that Gradio reads."""
    offered = [one for one in command.parameters if not one.about.shell_only]

    def endpoint(*places: Any, **names: Any) -> Any:
        studio.worker.settle()
        values = {**dict(zip((one.name for one in offered), places, strict=False)), **names}
        if access.agent_asks():
            for one in offered:
                path = one.type in _PATHS
                shared_folders.check(values.get(one.name), studio.workspace, path)
        return command(studio, provenance={"door": "api"}, **values)

    taken = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=one.default,
            annotation=_json_type(one.type),
        )
        for one in sorted(offered, key=lambda one: not one.required)
    ]
    about = [f"    {one.name}: {one.about.full_help()}" for one in offered]
    endpoint.__name__ = command.name
    endpoint.__doc__ = "\n".join([command.help, "", *(["Args:", *about] if about else [])])
    endpoint.__signature__ = inspect.Signature(taken, return_annotation=Any)  # pyright: ignore[reportFunctionMemberAccess]
    endpoint.__annotations__ = {one.name: one.annotation for one in taken} | {"return": Any}
    return endpoint


_PATHS = (Path, Path | None, list[Path], list[Path] | None)


def _json_type(hint: Any) -> Any:
    """The type with text for paths, as JSON has it."""
    if hint == Path:
        return str
    if hint == Path | None:
        return str | None
    return list[str] if hint == list[Path] else hint
