"""The app's API: every command under its name with underscores, and `compare`.

For `gradio_client`, for curl and, where it is asked for, for agents over MCP. See docs/api.md. The
page's own handlers are private; these are what others are meant to call.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.events import api

from components.ui.handlers import guard, sentence
from components.ui.visitor_quota import Visits
from studio.cli.commands import Call, calls
from studio.core.errors import ModelError
from studio.generation.request import GenerationRequest, Sampling
from studio.workflows.comparisons import side

if TYPE_CHECKING:
    from studio import Studio

READING = frozenset(
    {
        "calc",
        "compare",
        "data_inspect",
        "data_list",
        "data_show",
        "generate",
        "hardware",
        "hub_preview",
        "labels_judge",
        "labels_list",
        "labels_results",
        "labels_rounds",
        "labels_show",
        "models_list",
        "rewards_preview",
        "rewards_report",
        "runs_list",
        "runs_show",
        "score",
    }
)
"""Endpoints that change nothing in the workspace: all that MCP offers unless told otherwise."""


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
        """One prompt to several columns; their answers, in order. Visitors may ask this too.

        Args:
            prompt: What is asked.
            columns: `base:MODEL` or `run:RUN`, each.
            temperature: 0 is greedy.
            max_new_tokens: Longest answer in tokens.
            seed: The same seed gives the same answers.
        """
        sampling = Sampling.model_validate(
            {"temperature": temperature, "max_new_tokens": max_new_tokens, "seed": seed}
        )
        chosen = tuple(side(studio, column).column for column in columns)
        generation = visits.generate(GenerationRequest((prompt,), chosen, sampling))
        generation.wait()
        snapshot = generation.snapshot()
        if snapshot.error:
            raise ModelError(snapshot.error)
        return [column[0].error or column[0].text for column in snapshot.answers]

    endpoints = {name: _endpoint(studio, call) for name, call in calls().items()}
    for name, function in {**endpoints, "compare": compare}.items():
        # MCP lists what is public; what it must not list can still be called by its name.
        listed = mcp != "read" or name in READING
        api(
            guard(_said(function), "everybody" if name == "compare" else "owners"),
            api_name=name,
            queue=False,
            api_visibility="public" if listed else "undocumented",
        )


def _said(function: Any) -> Any:
    """The function with errors as plain sentences; the page's toasts hold markup, JSON does not."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from None

    return call


def _endpoint(studio: Studio, call: Call) -> Any:
    """A command as a typed function whose docstring says what each value is."""

    def endpoint(*places: Any, **names: Any) -> Any:
        studio.worker.settle()
        given = dict(zip((one.name for one in call.parameters), places, strict=False))
        return call(studio, **{**given, **names})

    told = [f"    {one.name}: {call.told.get(one.name) or one.name}" for one in call.parameters]
    endpoint.__name__ = call.name
    endpoint.__doc__ = "\n".join([call.help, "", *(["Args:", *told] if told else [])])
    taken = [one.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for one in call.parameters]
    endpoint.__signature__ = inspect.Signature(taken, return_annotation=Any)  # pyright: ignore[reportFunctionMemberAccess]
    endpoint.__annotations__ = {one.name: one.annotation for one in taken} | {"return": Any}
    return endpoint
