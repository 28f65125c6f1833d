"""The shape of the code: size, function lengths, plain `Any`, circles of imports, floors.

    python -m benchmarks.house

Imports inside functions and under `TYPE_CHECKING` count like any other. Exits with 1 where files or
packages import one another in a circle, or where the engine has more than 12 floors.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
CODE = ("studio", "components")
PACKAGES = (*CODE, "benchmarks")
MOST_FLOORS = 12
Graph = Mapping[str, set[str]]


@dataclass(frozen=True)
class Sizes:
    """Counts over a set of files; lengths are in lines."""

    files: int
    lines: int
    functions: tuple[int, ...]
    skips: int
    plain_any: int


def files(suffixes: Iterable[str]) -> list[Path]:
    """The engine's and the page's files with one of these suffixes."""
    found = (path for folder in CODE for path in (ROOT / folder).rglob("*"))
    return sorted(path for path in found if path.suffix in suffixes)


def measure(paths: Iterable[Path]) -> Sizes:
    """Sizes of Python files."""
    texts = [path.read_text(encoding="utf-8") for path in paths]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    return Sizes(
        files=len(texts),
        lines=sum(len(text.splitlines()) for text in texts),
        functions=tuple(
            (node.end_lineno or node.lineno) - node.lineno + 1
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ),
        skips=sum(text.count(f"fmt: {mark}") for text in texts for mark in ("skip", "off")),
        plain_any=sum(
            isinstance(note, ast.Name) and note.id == "Any"
            for node in nodes
            for note in _annotations(node)
        ),
    )


def _annotations(node: ast.AST) -> Iterator[ast.expr | None]:
    """What a parameter, a variable, or a function's result is annotated with."""
    if isinstance(node, ast.arg | ast.AnnAssign):
        yield node.annotation
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.returns


def imports() -> dict[str, set[str]]:
    """Each module with the modules of these packages that it imports, anywhere in it."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def by_package(graph: Graph) -> dict[str, set[str]]:
    """The graph of the packages two levels deep: `studio.data.formats.chat` is `studio.data`."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, targets in graph.items():
        package = _package(module)
        found[package] |= {_package(target) for target in targets} - {package}
    return found


def _package(module: str) -> str:
    return ".".join(module.split(".")[:2])


def circles(graph: Graph) -> list[list[str]]:
    """Groups that import one another, directly or by way of others; each sorted."""
    reached = {name: _reached(graph, name) for name in graph}
    groups = {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in graph
        if name in reached[name]
    }
    return sorted(sorted(group) for group in groups)


def _reached(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += graph[name]
    return seen


def floors(graph: Graph) -> int:
    """Packages on the longest chain of imports; the graph must have no circle."""
    heights: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in heights:
            heights[name] = 1 + max((height(target) for target in graph[name]), default=0)
        return heights[name]

    return max(map(height, graph), default=0)


def main() -> int:
    python, page = measure(files({".py"})), files({".js", ".css"})
    page_lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in page)
    median, p90 = statistics.median(python.functions), statistics.quantiles(python.functions, n=10)
    modules = imports()
    packages = by_package(modules)
    engine = {name: found for name, found in packages.items() if name.startswith("studio")}
    of_files, of_packages = circles(modules), circles(packages)
    height = 0 if of_packages else floors(engine)
    print(f"Python           {python.files} files, {python.lines:,} lines")
    print(f"scripts, styles  {len(page)} files, {page_lines:,} lines")
    print(f"functions        {len(python.functions):,}; median {median:g} lines, p90 {p90[-1]:g}")
    print(f"fmt: skip, off   {python.skips}")
    print(f"plain Any        {python.plain_any}")
    print(f"circles          {len(of_files)} of files, {len(of_packages)} of packages")
    for group in (*of_files, *of_packages):
        print(f"  {' <-> '.join(group)}")
    print(f"floors           {height or 'not counted: a circle'} (at most {MOST_FLOORS})")
    return int(bool(of_files or of_packages) or height > MOST_FLOORS)


if __name__ == "__main__":
    sys.exit(main())
