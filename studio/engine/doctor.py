"""`studio doctor`: what is damaged, missing or left over in a workspace, and what may be mended.

Each check yields findings and goes on; one that fails itself becomes a finding. It reads every byte
that has a digest, and changes nothing unless a finding's `fix` is called.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from studio.core.errors import StudioError
from studio.core.formatting import bytes_text
from studio.core.records import DamagedRecord, checked, keep_aside, read_json
from studio.core.workspace import RESERVE, ROOT, write_json
from studio.exports import read_record
from studio.runs import checkpoints
from studio.runs.recipe import Recipe
from studio.runs.store import Run

if TYPE_CHECKING:
    from studio.engine.studio import Studio

Level = Literal["error", "warning", "note"]
OnCheck = Callable[[str], None]
_ABANDONED = 86400.0  # seconds after which what is half written belongs to nobody
_PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;#]+)")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `where` names it, `what` is a sentence with what to do.

    `fix` mends it, where that loses nothing that anybody could still use.
    """

    level: Level
    where: str
    what: str
    fix: Callable[[], object] | None = field(default=None, repr=False, compare=False)


def examine(studio: Studio, on_check: OnCheck = lambda what: None) -> list[Finding]:
    """Every finding in a workspace, errors first; `on_check` is told what is looked at."""
    checks: tuple[tuple[str, Callable[[Studio], Iterable[Finding]]], ...] = (
        ("libraries", _libraries),
        ("this machine", _machine),
        ("disk", _disk),
        ("votes", _votes),
        ("runs", _runs),
        ("datasets", _datasets),
        ("exports", _exports),
        ("stars, tags and notes", _marks),
        ("pairs", _pairs),
        ("leftovers", _leftovers),
    )
    found: list[Finding] = []
    for name, check in checks:
        on_check(name)
        try:
            found += check(studio)
        except (StudioError, OSError) as error:
            found.append(Finding("error", name, f"It could not be checked: {error}"))
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda one: order[one.level])


def mend(findings: Iterable[Finding]) -> list[Finding]:
    """Call every `fix`; the findings that are mended. One that fails takes no other with it."""
    mended: list[Finding] = []
    for one in findings:
        if one.fix is not None:
            try:
                one.fix()
            except (StudioError, OSError):
                continue  # it is found again, and stays unmended
            mended.append(one)
    return mended


# --- the machine ------------------------------------------------------------------------------


def pinned(text: str) -> dict[str, str]:
    """Package to version of every `name==version` line of a requirements file."""
    matches = (_PIN.match(line.strip()) for line in text.splitlines())
    return {match[1]: match[2] for match in matches if match}


def _libraries(studio: Studio) -> Iterator[Finding]:
    for name, version in pinned((ROOT / "requirements.txt").read_text(encoding="utf-8")).items():
        try:
            here = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            here = "none"
        if here != version:
            yield Finding(
                "warning",
                name,
                f"{here} is installed and {version} is tested; pip install -r requirements.txt.",
            )


def _machine(studio: Studio) -> Iterator[Finding]:
    found = studio.hardware()
    if found.warning:
        yield Finding("warning", found.name, found.warning)


def _disk(studio: Studio) -> Iterator[Finding]:
    home = studio.workspace
    if home.free_bytes() < RESERVE:
        free = bytes_text(home.free_bytes())
        yield Finding("error", str(home.home), f"The disk has {free} free; free some space.")
    if disk := home.network_disk():
        yield Finding("warning", "votes.db", f"The votes are on {disk}, whose locks may fail.")


# --- what is kept -----------------------------------------------------------------------------


def _votes(studio: Studio) -> Iterator[Finding]:
    yield from (Finding("error", "votes", problem) for problem in studio.labels.damage())


def _runs(studio: Studio) -> Iterator[Finding]:
    runs = studio.runs.list()
    known = {run.id for run in runs}
    for run in runs:
        yield from _run(studio, run, known)


def _run(studio: Studio, run: Run, known: set[str]) -> Iterator[Finding]:
    try:
        read_json(run.folder / "run.json")
        recipe = Recipe.from_yaml(run.folder / "recipe.yaml")
    except (StudioError, OSError) as error:
        yield Finding("error", run.id, str(error))
        return
    for parent in {recipe.start_from, run.parent} - {None, ""} - known:
        yield Finding("warning", run.name, f"It started from {parent}, which is gone.")
    if run.state == "finished" and not (run.adapter or run.weights) and not run.job:
        yield Finding("error", run.name, "It is finished, and its weights are gone; train again.")
    if weights := run.adapter or run.weights:
        yield from _weights(run, weights)
    linked = run.checkpoints.is_symlink() or run.folder.is_symlink()
    if run.checkpoints.is_dir() and not linked and not studio.runs.held(run):
        yield from _checkpoints(run)


def _weights(run: Run, folder: Path) -> Iterator[Finding]:
    """A result whose bytes changed; one that was imported has no digests, but a length."""
    advice = "restore it from a backup, or train again"
    if (folder / checkpoints.MANIFEST).is_file():
        if not checkpoints.is_complete(folder):
            what = f"{folder.name} lacks files, or holds shorter ones; {advice}."
            yield Finding("error", run.name, what)
        elif name := checkpoints.damaged_file(folder):
            what = f"{folder.name} holds other bytes in {name} than were written; {advice}."
            yield Finding("error", run.name, what)
        return
    for path in folder.glob("*.safetensors"):
        if problem := _torn(path):
            yield Finding("error", run.name, f"{path.name} {problem}; {advice}.")


def _checkpoints(run: Run) -> Iterator[Finding]:
    for path in sorted(run.checkpoints.iterdir()):
        if checkpoints.step_of(path) < 0:
            continue
        if not checkpoints.is_complete(path):
            what = f"{path.name} was never completed, and nothing resumes from it."
            yield Finding("note", run.name, what, _removal(path))
        elif name := checkpoints.damaged_file(path):
            what = f"{path.name} holds other bytes in {name} than were written."
            yield Finding("error", run.name, what, lambda path=path: checkpoints.set_aside(path))


def _torn(path: Path) -> str:
    """What is wrong with a safetensors file's frame; empty if its length is what it says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header: Any = json.loads(file.read(length)) if length < size else None
            ends = [one["data_offsets"][1] for key, one in header.items() if key[0] != "_"]
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return "has no readable header"
    return "" if 8 + length + max(ends, default=0) == size else "is cut short"


def _datasets(studio: Studio) -> Iterator[Finding]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for folder in sorted(studio.workspace.datasets.iterdir()):
        if folder.name.startswith("."):
            continue
        try:
            dataset = studio.datasets.get(folder.name)
            for split, rows in dataset.rows.items():
                there = pq.ParquetFile(dataset.path(split)).metadata.num_rows
                if there != rows:
                    what = f"{split} holds {there:,} rows and its record says {rows:,}."
                    yield Finding("error", dataset.name, f"{what} Prepare it again.")
        except (StudioError, OSError, pa.ArrowException) as error:
            why = str(error).partition("\n")[0].rstrip(".")
            yield Finding("error", folder.name, f"It cannot be read ({why}). Prepare it again.")


def _exports(studio: Studio) -> Iterator[Finding]:
    for folder in sorted(studio.workspace.exports.iterdir()):
        if not folder.name.startswith("export-") or not folder.is_dir():
            continue
        if read_record(folder) is None:
            yield Finding("warning", folder.name, "Its record cannot be read; export it again.")
        for path in folder.glob("*.safetensors"):
            if problem := _torn(path):
                yield Finding("error", folder.name, f"{path.name} {problem}; export it again.")


def _marks(studio: Studio) -> Iterator[Finding]:
    path = studio.workspace.home / "library.json"
    try:
        marks = checked(dict[str, object], read_json(path), path)
    except FileNotFoundError:
        return
    except DamagedRecord as damaged:
        yield Finding("error", path.name, str(damaged), lambda: keep_aside(path))
        return
    there = {one.id for one in studio.collection.items()}
    trash = studio.workspace.trash
    gone = [key for key in marks if key not in there and not (trash / key).exists()]
    if gone:
        left = {key: mark for key, mark in marks.items() if key not in gone}
        what = f"It marks {len(gone)} things that are gone, such as {gone[0]}."
        yield Finding("note", path.name, what, lambda: write_json(path, left))


def _pairs(studio: Studio) -> Iterator[Finding]:
    folder = studio.workspace.home / "pairs"
    projects = {project.id for project in studio.labels.projects()} if folder.is_dir() else set()
    for path in sorted(folder.glob("*.json")):
        try:
            read_json(path)
        except DamagedRecord as damaged:
            yield Finding("error", path.name, str(damaged), lambda path=path: keep_aside(path))
            continue
        if path.stem not in projects:
            what = f"It writes pairs for project {path.stem}, which is gone."
            yield Finding("note", path.name, what, lambda path=path: path.unlink())


def _leftovers(studio: Studio) -> Iterator[Finding]:
    """What a crash or a torn upload left half written, a day ago or longer."""
    home = studio.workspace
    for pattern in ("*/.*", ".*"):
        for path in home.home.glob(pattern):
            if (
                path.parent == home.cache
                or path.parent.is_symlink()  # what lies behind a link may be anybody's
                or path.suffix == ".lock"
                or time.time() - path.lstat().st_mtime < _ABANDONED
            ):
                continue
            where = str(path.relative_to(home.home))
            yield Finding("note", where, "It is half written and a day old.", _removal(path))


def _removal(path: Path) -> Callable[[], None]:
    """Takes a file or a folder away; of a link the link itself, never what it leads to."""

    def remove() -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    return remove


def summary(findings: Iterable[Finding]) -> str:
    """One sentence for a list of findings."""
    count = {"error": 0, "warning": 0, "note": 0}
    for one in findings:
        count[one.level] += 1
    if not any(count.values()):
        return "Nothing is wrong."
    parts = [f"{n} {level}{'' if n == 1 else 's'}" for level, n in count.items() if n]
    return ", ".join(parts) + "."
