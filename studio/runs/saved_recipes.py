"""Recipes a person saved, as plain YAML files in the workspace, beside those that are shipped."""

from __future__ import annotations

import re
from pathlib import Path

from studio.core.errors import ConfigError, StudioError, did_you_mean
from studio.core.workspace import Workspace, write_durably
from studio.runs.recipe import Recipe, presets

_UNFIT = re.compile(r"[^a-z0-9._-]+")
_LONGEST = 60


class Shelf:
    """The presets of a workspace: `presets/<slug>.yaml`."""

    def __init__(self, workspace: Workspace):
        self.folder = workspace.home / "presets"

    def slugs(self) -> list[str]:
        """Saved presets by slug, in order."""
        return sorted(path.stem for path in self.folder.glob("*.yaml"))

    def get(self, slug: str) -> Recipe:
        """A saved preset, or a shipped recipe of that name."""
        path = self._path(slug)
        if path.is_file():
            return Recipe.from_yaml(path)
        shipped = presets()
        if slug in shipped:
            return shipped[slug]
        known = [*self.slugs(), *shipped]
        raise ConfigError(f"There is no recipe {slug!r}.{did_you_mean(slug, known)}")

    def save(self, name: str, recipe: Recipe) -> str:
        """Keep a recipe under a name; the slug it can be found by. An older one is replaced.

        What names one run (`name`, `start_from`) is left out.
        """
        slug = _UNFIT.sub("-", name.strip().lower()).strip("-._")[:_LONGEST]
        if not slug:
            raise ConfigError("Give the preset a name of letters or numbers.")
        if slug in presets():
            raise ConfigError(f"{slug} is a shipped recipe; choose another name for yours.")
        self.folder.mkdir(exist_ok=True)
        write_durably(self._path(slug), recipe.with_(name=slug, start_from=None).to_yaml())
        return slug

    def delete(self, slug: str) -> None:
        """Remove a saved preset."""
        path = self._path(slug)
        if not path.is_file():
            raise StudioError(f"There is no saved preset {slug!r}.")
        path.unlink()

    def _path(self, slug: str) -> Path:
        if slug != _UNFIT.sub("-", slug).strip("-._"):
            raise ConfigError(f"{slug!r} is not the name of a preset.")
        return self.folder / f"{slug}.yaml"
