"""Alignment Studio: from data to an aligned model, on one GPU.

from studio import Studio, Recipe
studio = Studio()
run = studio.train(Recipe.defaults("sft", dataset_name="pocket-sft"))
studio.wait(run.id)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.cli.calls import Commands
    from studio.errors import StudioError
    from studio.recipe import Recipe
    from studio.studio import Studio

__version__ = "0.1.0"
__all__ = ["Commands", "Recipe", "Studio", "StudioError", "__version__"]

_HOMES = {
    "Commands": "studio.cli.calls",
    "Recipe": "studio.recipe",
    "Studio": "studio.studio",
    "StudioError": "studio.errors",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that `import studio.errors` stays free."""
    if name not in _HOMES:
        raise AttributeError(f"module 'studio' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
