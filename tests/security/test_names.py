"""Names that are made to become something else where they are written: code, lines, commands."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.core.errors import ConfigError, StudioError
from studio.core.formatting import one_line
from studio.core.workspace import Workspace
from studio.exports import serve_commands
from studio.runs.recipe import Recipe
from studio.runs.saved_recipes import Shelf
from studio.training import export_script

HOSTILE = st.lists(
    st.sampled_from(
        ['"""', "'''", '"', "'", "\\", "\n", "\r", "\u2028", "\x1b[31m", "\x00", "\u202e", "{", "}",
         "import os", "{0}", "%s", "#", "$(id)", "`id`", ";", "&&", "x", " ", "\\N{BULLET}", "\\x"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


def told(source: str) -> tuple[str, list[str]]:
    """A script's docstring, and the statements at its top that do something."""
    tree = ast.parse(source)
    kinds = [type(part).__name__ for part in tree.body]
    return ast.get_docstring(tree) or "", kinds


@settings(deadline=None, max_examples=60)
@given(HOSTILE, HOSTILE)
def test_a_name_stays_a_name_in_the_exported_script(name: str, revision: str) -> None:
    def script(name: str, revision: str) -> str:
        recipe = Recipe.defaults(name="plain").model_copy(update={"model_revision": revision})
        parts = export_script._parts(SimpleNamespace(name=name), recipe, name, "'auto'")
        return export_script._SCRIPT.format(**parts, settings="", watch="")

    about, kinds = told(script(name, revision))
    _, plain = told(script("plain", "main"))
    assert kinds == plain
    assert one_line(name) in about.splitlines()[0]


@settings(deadline=None, max_examples=60)
@given(HOSTILE)
def test_a_recipes_name_is_one_printable_line(name: str) -> None:
    kept = Recipe.defaults(name=name[:120]).name
    assert kept.isprintable() and kept == " ".join(kept.split())


@settings(deadline=None, max_examples=60)
@given(HOSTILE, HOSTILE)
def test_a_name_stays_a_word_in_commands_and_a_string_in_code(name: str, base: str) -> None:
    record = {
        "name": name, "to": "adapter", "lora_r": 8, "base": base, "base_kind": "hub",
        "base_revision": name, "files": [],
    }  # fmt: skip
    words = [len(shlex.split(text)) for _, text in serve_commands.commands(record, base)]
    plain = {**record, "name": "x", "base": "x"}
    assert words == [len(shlex.split(text)) for _, text in serve_commands.commands(plain, "x")]
    _, kinds = told(serve_commands.loading(record, base))
    assert kinds == ["ImportFrom", "ImportFrom", "Assign", "Assign", "Assign"]


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(HOSTILE | st.text("ab-._/\\\0 ", min_size=55, max_size=70))
def test_a_presets_name_never_leaves_its_folder(tmp_path: Path, name: str) -> None:
    shelf = Shelf(Workspace(tmp_path))
    try:
        slug = shelf.save(name, Recipe.defaults())
    except ConfigError as refused:
        assert "Name the recipe" in str(refused) or "bundled" in str(refused)
        return
    assert [path.parent for path in tmp_path.rglob(f"{slug}.yaml")] == [shelf.folder]
    assert shelf.get(slug).name == slug and slug in shelf.slugs()
    shelf.delete(slug)


@pytest.mark.parametrize("slug", ["../x", "a/../../x", "/etc/passwd", "a\0b", "..", ".x", "", "A"])
def test_a_presets_slug_is_no_path(tmp_path: Path, slug: str) -> None:
    shelf = Shelf(Workspace(tmp_path))
    for ask in (shelf.get, shelf.delete):
        with pytest.raises(StudioError, match=r"not a valid recipe name|no (saved )?recipe"):
            ask(slug)
