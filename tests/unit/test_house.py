"""`benchmarks.house`: what it counts, and the circles and floors it finds."""

from __future__ import annotations

from benchmarks import house

GRAPH = {
    "studio.a.one": {"studio.b.two"},
    "studio.b.two": {"studio.c.three"},
    "studio.c.three": set(),
    "studio.c.four": {"studio.c.three"},
}


def test_a_circle_is_found_however_long_it_is():
    assert house.circles(GRAPH) == []
    closed = GRAPH | {"studio.c.three": {"studio.a.one"}}
    assert house.circles(closed) == [["studio.a.one", "studio.b.two", "studio.c.three"]]


def test_packages_can_close_a_circle_that_no_file_does():
    packages = house.by_package(GRAPH | {"studio.c.four": {"studio.a.one"}})
    assert house.circles(packages) == [["studio.a", "studio.b", "studio.c"]]
    assert house.circles(house.by_package(GRAPH)) == []


def test_a_module_that_imports_itself_is_a_circle():
    assert house.circles({"studio.a": {"studio.a"}}) == [["studio.a"]]


def test_floors_are_the_longest_chain_of_packages():
    assert house.floors(house.by_package(GRAPH)) == 3


def test_lengths_skips_and_plain_any_are_counted(tmp_path):
    file = tmp_path / "one.py"
    file.write_text(
        "def f(x: Any, y: dict[str, Any]) -> Any:\n"
        "    table = [1,2]  # fmt: skip\n"
        "    return table\n"
        "async def g(*, z: int) -> None: ...\n"
    )
    assert house.measure([file]) == house.Sizes(
        files=1, lines=4, functions=(3, 1), skips=1, plain_any=2
    )


def test_the_graph_counts_imports_in_functions_and_for_types():
    modules = house.imports()
    assert "studio.core.chat_templates" in modules["studio.models.loading"]
    assert "studio.core.hardware" in modules["studio.training.launcher"]
    assert "studio.runs.recipe" in modules["studio.training.online_rl"]  # under TYPE_CHECKING
