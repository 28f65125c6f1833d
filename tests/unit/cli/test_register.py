"""A function's signature as options: names, values, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer

from studio.cli.register import View, add
from studio.commands.base import Command, OnProgress, Param, silent

SEEN: list[dict[str, Any]] = []
KINDS: list[str] = []


def mix(
    sources: Annotated[list[Path], Param("What to mix.")],
    *,
    set: Annotated[dict[str, Any] | None, Param("Any value.")] = None,
    map: Annotated[dict[str, str] | None, Param("Text.", metavar="A=B")] = None,
    sweep: Annotated[dict[str, list[Any]] | None, Param("Several values.")] = None,
    names: Annotated[list[str] | None, Param("Names.", commas=True)] = None,
    mode: Annotated[Literal["hard", "soft"], Param("Which.")] = "hard",
    dry_run: Annotated[bool, Param("Do nothing.")] = False,
    edits: Annotated[bool, Param("Use edits.")] = True,
    star: Annotated[bool | None, Param("Star it.")] = None,
    count: Annotated[int, Param("How many.", min=1)] = 1,
    kind: Annotated[str, Param("One of {values}.", values=lambda: KINDS)] = "plain",
    on_progress: OnProgress = silent,
    provenance: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Mix things."""
    given = dict(locals())
    SEEN.append(given)
    return {"count": count}


@pytest.fixture
def run(capsys):
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(lambda: None)
    view = View("{count} mixed", "a b", failure=lambda value: "Too many." * (value["count"] > 8))
    add(app, "mix", Command(mix, read_only=True), view)

    def call(*arguments: str) -> tuple[int, str, dict[str, Any]]:
        SEEN.clear()
        code = app(["mix", *arguments], standalone_mode=False)
        return code or 0, capsys.readouterr().out, SEEN[0] if SEEN else {}

    return call


def test_defaults_are_the_functions(run):
    code, out, given = run("a", "b")
    assert (code, out) == (0, "1 mixed\n")
    assert given["sources"] == [Path("a"), Path("b")]
    assert (given["set"], given["names"], given["mode"]) == (None, None, "hard")
    assert (given["dry_run"], given["edits"], given["star"]) == (False, True, None)
    assert given["provenance"]["door"] == "shell"


def test_values_are_read_by_their_type(run):
    flags = ["--set", "rate=1.0e-4", "--set", "on=true", "--map", "prompt=1", "--sweep", "r=4, 8"]
    _, _, given = run("a", *flags, "--names", "x, y,", "--mode", "soft")
    assert given["set"] == {"rate": 1e-4, "on": True}
    assert (given["map"], given["sweep"]) == ({"prompt": "1"}, {"r": [4, 8]})
    assert (given["names"], given["mode"]) == (["x", "y"], "soft")


def test_a_flag_that_is_on_can_be_turned_off(run):
    _, _, given = run("a", "--dry-run", "--no-edits", "--no-star")
    assert (given["dry_run"], given["edits"], given["star"]) == (True, False, False)
    with pytest.raises(typer.TyperException, match="--no-dry-run"):
        run("a", "--no-dry-run")


@pytest.mark.parametrize("flags", [["--mode", "wide"], ["--count", "0"], ["--count", "x"]])
def test_a_wrong_value_is_refused_by_its_option(run, flags):
    with pytest.raises(typer.TyperException) as refused:
        run("a", *flags)
    assert flags[0] in refused.value.format_message() and refused.value.exit_code == 2


def test_a_result_may_be_printed_and_count_as_failed(run, capsys):
    code, out, _ = run("a", "--count", "9", "--json")
    assert code == 1 and '"count": 9' in out


def test_help_comes_from_the_annotations(run):
    _, out, _ = run("--help")
    for words in ("Mix things.", "SOURCES", "KEY=VALUE", "A=B", "hard|soft", "--no-edits", "x>=1"):
        assert words in out, words
    assert "--no-dry-run" not in out and "python -m studio mix a b" in out


def test_the_help_names_values_that_are_loaded_when_it_is_shown(run):
    KINDS[:] = ["plain", "fancy"]
    _, out, _ = run("--help")
    assert "One of plain, fancy." in out
