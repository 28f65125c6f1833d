"""Templates over columns that a person saved by name, in one file of the workspace."""

from __future__ import annotations

from studio.core.errors import ConfigError, did_you_mean
from studio.core.records import checked, read_json
from studio.core.workspace import Workspace, write_json
from studio.data.column_template import ColumnTemplate
from studio.data.types import JsonObject

_LONGEST = 60


class SavedTemplates:
    """Templates by name: `templates.json`."""

    def __init__(self, workspace: Workspace):
        self.path = workspace.home / "templates.json"

    def all(self) -> dict[str, ColumnTemplate]:
        """Every saved template, by name."""
        try:
            held = checked(dict[str, JsonObject], read_json(self.path), self.path)
        except FileNotFoundError:
            return {}
        return {
            name: ColumnTemplate(tuple(one.get("prompts", ())), one.get("completion", ""))
            for name, one in sorted(held.items())
        }

    def get(self, name: str) -> ColumnTemplate:
        """A template by name; `ConfigError` where there is none."""
        known = self.all()
        if name not in known:
            raise ConfigError(
                f"There is no saved template {name!r}.{did_you_mean(name, known)} A template "
                "itself names a column in braces, such as {question}."
            )
        return known[name]

    def save(self, name: str, template: ColumnTemplate) -> str:
        """Keep a template under a name, replacing an older one; the name."""
        name = " ".join(name.split())
        if not 0 < len(name) <= _LONGEST or "{" in name:
            raise ConfigError(f"Name the template: up to {_LONGEST} characters, no brace.")
        self._write({**self.all(), name: template})
        return name

    def delete(self, name: str) -> None:
        """Remove a saved template."""
        self.get(name)
        self._write({key: one for key, one in self.all().items() if key != name})

    def _write(self, templates: dict[str, ColumnTemplate]) -> None:
        plain = {
            name: {"prompts": list(one.prompts), "completion": one.completion}
            for name, one in templates.items()
        }
        write_json(self.path, plain)
