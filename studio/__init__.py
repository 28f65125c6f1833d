"""Alignment Studio: from data to an aligned model, on one GPU.

from studio import Studio, Recipe
studio = Studio()
run = studio.train(Recipe.defaults("sft", dataset_name="pocket-sft"))
studio.wait(run.id)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.core.version import __version__

if TYPE_CHECKING:
    from studio.commands import Commands
    from studio.core.errors import StudioError
    from studio.engine.studio import Studio
    from studio.runs.recipe import Recipe

__all__ = ["Commands", "Recipe", "Studio", "StudioError", "__version__"]

_HOMES = {
    "Commands": "studio.commands",
    "Recipe": "studio.runs.recipe",
    "Studio": "studio.engine.studio",
    "StudioError": "studio.core.errors",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that `import studio.core.errors` stays free."""
    if name not in _HOMES:
        raise AttributeError(f"module 'studio' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
