"""Everything that the shell and the API can do, as plain typed functions.

    do = Commands(Studio())
    do.runs_list()
    do.score(run=["first"], data="pocket-questions", limit=20)

The functions themselves are in the modules beside this one (`from studio.commands.runs import
train`). `Commands` checks the values first and gives results as JSON holds them, as the shell and
the API do. What `train` and `runs_resume` start goes on by itself; `Studio.wait` follows it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from studio.commands import (  # noqa: F401  importing them fills COMMANDS
    calc,
    context,
    data,
    data_make,
    datasets,
    embed,
    exports,
    generate,
    label_results,
    labels,
    models,
    rewards,
    runs,
    score,
    why,
    workspace,
)
from studio.commands.base import COMMANDS, Command
from studio.core.errors import did_you_mean

if TYPE_CHECKING:
    from studio.engine.studio import Studio

__all__ = ["COMMANDS", "Command", "Commands"]


class Commands:
    """Every command as a method, on one engine."""

    def __init__(self, studio: Studio):
        self._studio = studio

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in COMMANDS:
            raise AttributeError(f"There is no command {name!r}.{did_you_mean(name, COMMANDS)}")
        call = functools.partial(COMMANDS[name], self._studio, provenance={"door": "python"})
        return functools.update_wrapper(call, COMMANDS[name].function)

    def __dir__(self) -> list[str]:
        return sorted(COMMANDS)
