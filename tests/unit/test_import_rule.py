"""The import rule: app -> components -> studio, tabs apart, nothing heavy before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "bitsandbytes", "pandas", "gradio")


def imports(path: Path) -> list[str]:
    """Every module a file imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize(
    ("folder", "banned"), [("studio", ("gradio", "components", "app")), ("components", ("app",))]
)
def test_imports_point_one_way(folder, banned):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in imports(path)
        if any(within(name, package) for package in banned)
    ]
    assert wrong == []


def test_a_tab_never_imports_another():
    tabs = sorted((ROOT / "components").glob("*_tab.py"))
    others = {f"components.{tab.stem}" for tab in tabs}
    wrong = [
        f"{tab.name} imports {name}"
        for tab in tabs
        for name in imports(tab)
        if name in others - {f"components.{tab.stem}"}
    ]
    assert wrong == []


def loaded_by(statement: str, *names: str) -> list[str]:
    """Which of `names` are loaded in a fresh Python after a statement."""
    code = f"import sys; {statement}; print(*[n for n in {names!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    "statement",
    ["import studio", "import studio.cli", "import studio.runs.recipe, studio.runs.store"],
)
def test_the_light_parts_load_nothing_heavy(statement):
    assert loaded_by(statement, *HEAVY, "pyarrow", "sqlalchemy") == []


def test_the_engine_is_there_before_torch_is():
    heavy = [name for name in HEAVY if name != "gradio"]
    assert loaded_by("from studio.engine.studio import Studio", *heavy, "gradio") == []
