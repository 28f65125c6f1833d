"""Recipes the user saved, as YAML files in the workspace, next to the bundled ones."""

from __future__ import annotations

import re
from pathlib import Path

from studio.core.errors import ConfigError, StudioError, did_you_mean
from studio.core.workspace import Workspace, write_durably
from studio.runs.recipe import Recipe, presets

_UNFIT = re.compile(r"[^a-z0-9._-]+")
_LONGEST = 60


class Shelf:
    """Saved recipes of a workspace: `presets/<slug>.yaml`."""

    def __init__(self, workspace: Workspace):
        self.folder = workspace.home / "presets"

    def slugs(self) -> list[str]:
        """Slugs of the saved recipes, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.yaml"))

    def get(self, slug: str) -> Recipe:
        """A saved recipe, or the bundled one with that name."""
        path = self._path(slug)
        if path.is_file():
            return Recipe.from_yaml(path)
        shipped = presets()
        if slug in shipped:
            return shipped[slug]
        known = [*self.slugs(), *shipped]
        raise ConfigError(f"There is no recipe {slug!r}.{did_you_mean(slug, known)}")

    def save(self, name: str, recipe: Recipe) -> str:
        """Save a recipe under a name, replacing an older one; its slug.

        What belongs to one run (`name`, `start_from`) is left out.
        """
        slug = _UNFIT.sub("-", name.strip().lower()).strip("-._")[:_LONGEST].rstrip("-._")
        if not slug:
            raise ConfigError("Name the recipe with letters or digits.")
        if slug in presets():
            raise ConfigError(f"{slug} is a bundled recipe; choose another name.")
        self.folder.mkdir(exist_ok=True)
        write_durably(self._path(slug), recipe.with_(name=slug, start_from=None).to_yaml())
        return slug

    def delete(self, slug: str) -> None:
        """Delete a saved recipe."""
        path = self._path(slug)
        if not path.is_file():
            raise StudioError(f"There is no saved recipe {slug!r}.")
        path.unlink()

    def _path(self, slug: str) -> Path:
        if slug != _UNFIT.sub("-", slug).strip("-._"):
            raise ConfigError(
                f"{slug!r} is not a valid recipe name; use lowercase letters, digits, and -._"
            )
        return self.folder / f"{slug}.yaml"
