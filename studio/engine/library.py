"""The library: bases, runs, checkpoints, and exports in one list, with what depends on what.

Reads folders and small JSON files only; imports nothing heavy.
"""

from __future__ import annotations

import functools
import json
import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.core.errors import ConfigError
from studio.core.formatting import figure_text
from studio.core.model_names import POCKET, fetched, hub_folder, resolve
from studio.core.records import DamagedRecord, checked, keep_aside, read_json
from studio.core.workspace import Workspace, write_json
from studio.data import DatasetStore, PreparedDataset
from studio.engine import disk_usage
from studio.engine.disk_usage import size_of
from studio.exports import proof, read_record
from studio.runs import checkpoints
from studio.runs.store import RESUMABLE, Run, RunStore

log = logging.getLogger(__name__)

_MOST_TAGS, _LONGEST_TAG, _LONGEST_NOTE = 12, 40, 2000


@dataclass(frozen=True)
class Mark:
    """What the user noted about an entry."""

    star: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class LibraryEntry:
    """One card: `kind` is base, run, checkpoint, or export.

    `lineage` names what it was made from, oldest first; `needed_by` what depends on it.
    """

    id: str
    kind: str
    name: str
    what: str
    created: float
    used: float
    model: str
    lineage: tuple[tuple[str, str], ...] = ()
    scores: tuple[str, ...] = ()
    needed_by: tuple[str, ...] = ()
    mark: Mark = field(default_factory=Mark)
    run: Run | None = None
    record: dict[str, Any] | None = None
    folder: Path = Path()

    @functools.cached_property
    def bytes(self) -> int:
        """Its size on disk, counted when it is asked for."""
        return size_of(self.folder)


@dataclass(frozen=True)
class _Relations:
    """What a listing knows of all runs: by id, those started from each, exports, rows written."""

    runs: dict[str, Run]
    datasets: dict[str, PreparedDataset]
    started: dict[str, list[Run]]
    exported: dict[str, list[dict[str, Any]]]
    wrote: dict[str, list[PreparedDataset]]


def _related(
    runs: list[Run], datasets: list[PreparedDataset], records: list[tuple[Path, dict[str, Any]]]
) -> _Relations:
    found = _Relations(
        {run.id: run for run in runs},
        {each.id: each for each in datasets},
        defaultdict(list),
        defaultdict(list),
        defaultdict(list),
    )
    for run in runs:
        if run.parent:
            found.started[run.parent].append(run)
    for _, record in records:
        found.exported[record["run"]].append(record)
    for each in datasets:
        if each.provenance.get("run"):
            found.wrote[each.provenance["run"]].append(each)
    return found


class Library:
    """The library of one workspace."""

    def __init__(self, workspace: Workspace, runs: RunStore, datasets: DatasetStore):
        self.workspace, self.runs, self.datasets = workspace, runs, datasets

    # --- reading

    def items(self) -> list[LibraryEntry]:
        """All entries, starred ones first, then the most recently used."""
        runs, marks = self.runs.list(), self._marks()
        records = self._exports()
        related = _related(runs, self.datasets.list(), records)
        scores = self._scores()
        trained = [self._run(run, related, scores, marks) for run in runs]
        found = [
            *trained,
            *(kept for run in runs for kept in self._checkpoints(run, related, marks)),
            *(self._export(folder, record, related, marks) for folder, record in records),
            *(self._base(name, trained, marks) for name in self._bases(runs)),
        ]
        return sorted(found, key=lambda item: (item.mark.star, item.used), reverse=True)

    def get(self, identifier: str) -> LibraryEntry:
        """One entry by its id."""
        for item in self.items():
            if item.id == identifier:
                return item
        raise ConfigError(f"There is no {identifier!r} in the library.")

    def _exports(self) -> list[tuple[Path, dict[str, Any]]]:
        found = []
        for folder in self.workspace.exports.iterdir():
            record = read_record(folder) if folder.is_dir() else None
            if record is not None and not folder.name.startswith("."):
                found.append((folder, record))
        return found

    def _run(
        self,
        run: Run,
        related: _Relations,
        scores: dict[str, tuple[str, ...]],
        marks: dict[str, Mark],
    ) -> LibraryEntry:
        children = related.started.get(run.id, [])
        wrote = related.wrote.get(run.id, [])
        exports = related.exported.get(run.id, [])
        used = [run.created, run.ended or 0, *(child.created for child in children)]
        used.append(run.folder.stat().st_mtime)  # when it last generated
        used += [record["created"] for record in exports]
        kept = len(checkpoints.steps(run.checkpoints))
        what = "imported adapter" if run.provenance.get("imported") else "run"
        if kept:
            what += f", {kept} checkpoint{'s' if kept > 1 else ''}"
        needed = [f"run {child.name}" for child in children]
        needed += [f"dataset {each.name}" for each in wrote]
        return LibraryEntry(
            run.id,
            "run",
            run.name,
            what,
            run.created,
            max(used),
            run.model,
            self._lineage(run, related),
            scores.get(run.id, _trained(run)),
            tuple(needed),
            marks.get(run.id, Mark()),
            run,
            folder=run.folder,
        )

    def _checkpoints(
        self, run: Run, related: _Relations, marks: dict[str, Mark]
    ) -> list[LibraryEntry]:
        """One entry for each complete checkpoint of a run."""
        found = []
        for step in checkpoints.steps(run.checkpoints):
            folder = run.checkpoints / f"checkpoint-{step}"
            identifier = f"{run.id}@{step}"
            made = (folder / checkpoints.MANIFEST).stat().st_mtime
            lineage = (*self._lineage(run, related), ("run", run.name))
            needed = (f"run {run.name}, to resume",) if self._resumes_from(run, folder) else ()
            newest = folder == checkpoints.newest(run.checkpoints)
            found.append(
                LibraryEntry(
                    identifier,
                    "checkpoint",
                    f"{run.name} at step {step:,}",
                    "newest" if newest else "earlier",
                    made,
                    folder.stat().st_mtime,
                    run.model,
                    lineage,
                    (),
                    needed,
                    marks.get(identifier, Mark()),
                    run,
                    folder=folder,
                )
            )
        return found

    @staticmethod
    def _resumes_from(run: Run, checkpoint: Path) -> bool:
        """Whether a run would resume from this checkpoint, or may still choose it as its best."""
        if run.live:
            return True
        newest = checkpoints.newest(run.checkpoints) == checkpoint
        return run.state in RESUMABLE and (newest or run.recipe.load_best_model_at_end)

    def _export(
        self, folder: Path, record: dict[str, Any], related: _Relations, marks: dict[str, Mark]
    ) -> LibraryEntry:
        run = related.runs.get(record["run"])
        lineage = self._lineage(run, related) if run else ()
        stored = record["stored_as"] if record["to"] == "gguf" else ""
        return LibraryEntry(
            folder.name,
            "export",
            str(record["name"]),
            f"{record['to']} {stored}".strip(),
            record["created"],
            record["created"],
            record["base"],
            (*lineage, ("run", str(record["name"]))),
            proof(record),
            (),
            marks.get(folder.name, Mark()),
            run,
            record,
            folder,
        )

    @staticmethod
    def _bases(runs: list[Run]) -> list[str]:
        return list(dict.fromkeys([POCKET, *(run.model for run in runs), *fetched()]))

    def _base(self, name: str, trained: list[LibraryEntry], marks: dict[str, Mark]) -> LibraryEntry:
        reference = resolve(name)
        mine = [run for run in trained if run.model == name]
        folder = hub_folder(name) if reference.kind == "hub" else Path(reference.location)
        there = {"builtin": "built in", "folder": "local folder"}
        what = there.get(
            reference.kind, "from the Hub" if folder.is_dir() else "not downloaded yet"
        )
        return LibraryEntry(
            f"base:{name}",
            "base",
            reference.label,
            what,
            0.0,
            max((run.used for run in mine), default=0.0),
            name,
            needed_by=tuple(f"run {run.name}" for run in mine),
            mark=marks.get(f"base:{name}", Mark()),
            folder=folder,
        )

    @staticmethod
    def _lineage(run: Run, related: _Relations) -> tuple[tuple[str, str], ...]:
        """(kind, name) of the datasets, runs, and votes that a run was made from, oldest first."""
        steps: list[tuple[str, str]] = []
        at: Run | None = run
        seen: set[str] = set()
        while at is not None and at.id not in seen:
            seen.add(at.id)
            if at is not run:
                steps.append(("run", at.name))
            for one in reversed(at.data.get("datasets") or [at.data]):
                data = related.datasets.get(str(one.get("id")))
                voted = data is not None and data.provenance.get("project")
                name = str(one.get("name") or "")
                if name:
                    steps.append(("votes" if voted else "data", name))
            at = related.runs.get(at.parent or "")
        return tuple(reversed(steps))

    def _scores(self) -> dict[str, tuple[str, ...]]:
        """The first metrics of each run's latest evaluation, with intervals."""
        found: dict[str, tuple[str, ...]] = {}
        for path in sorted(self.workspace.comparisons.glob("score-*.json")):
            try:
                columns = json.loads(path.read_text(encoding="utf-8"))["columns"]
            except (OSError, ValueError, KeyError):
                continue  # being written by another process, or from an older version
            for column in columns:
                if column.get("run") and not column.get("checkpoint"):
                    lines = [_figure(*pair) for pair in column["metrics"].items()]
                    found[column["run"]] = tuple(line for line in lines if line)[:3]
        return {run: lines for run, lines in found.items() if lines}

    # --- stars, tags, notes

    def _marks(self) -> dict[str, Mark]:
        path = self.workspace.home / "library.json"
        try:
            found = read_json(path)
            found = checked(dict[str, dict[str, Any]], found, path)
        except FileNotFoundError:
            return {}
        except DamagedRecord as damaged:
            kept = keep_aside(path)
            log.error("%s It is kept as %s.", damaged, kept.name)
            return {}
        return {
            key: Mark(bool(one.get("star")), tuple(one.get("tags", ())), str(one.get("note", "")))
            for key, one in found.items()
        }

    def mark(self, identifier: str, **changes: Any) -> Mark:
        """Change an entry's `star`, `tags`, or `note`; the mark as saved."""
        self.get(identifier)
        marks = self._marks()
        old = marks.get(identifier, Mark())
        tags = _clean(changes["tags"]) if "tags" in changes else old.tags
        note = str(changes.get("note", old.note)).strip()[:_LONGEST_NOTE]
        marks[identifier] = Mark(bool(changes.get("star", old.star)), tags, note)
        write_json(
            self.workspace.home / "library.json",
            {key: vars(one) for key, one in marks.items() if one != Mark()},
        )
        return marks[identifier]

    # --- deleting

    def delete(self, identifier: str) -> None:
        """Move a run, a checkpoint, or an export to the trash; `restore` works for a day."""
        item = self.get(identifier)
        if item.kind == "base":
            raise ConfigError("The studio does not delete base models; remove the folder yourself.")
        if item.kind == "checkpoint" and item.needed_by:
            raise ConfigError(f"{item.name} is needed to resume its run; delete the run instead.")
        if item.kind == "run":
            self.runs.delete(identifier)
        else:
            self.runs.to_trash(item.folder, identifier)

    def restore(self, identifier: str) -> None:
        """Restore what `delete` moved to the trash."""
        owner, _, step = identifier.partition("@")
        home = self.workspace.folder("exports" if owner.startswith("export-") else "runs", owner)
        if step:
            home = home / "checkpoints" / f"checkpoint-{step}"
        self.runs.from_trash(identifier, home)

    # --- disk

    def usage(self) -> dict[str, int]:
        """Bytes of each part of the workspace, and bytes free on its disk."""
        return disk_usage.usage(self.workspace)

    def waste(self) -> list[disk_usage.Waste]:
        """What can be removed; starred checkpoints are kept."""
        starred = {name for name, mark in self._marks().items() if mark.star}
        return disk_usage.waste(self.workspace, self.runs.list(), starred)

    def clean(self) -> int:
        """Remove what nothing needs; the bytes freed."""
        return disk_usage.remove(self.waste())


def _clean(tags: Iterable[Any]) -> tuple[str, ...]:
    said = [" ".join(str(tag).split())[:_LONGEST_TAG] for tag in tags]
    return tuple(dict.fromkeys(tag for tag in said if tag))[:_MOST_TAGS]


def _figure(metric: str, value: dict[str, Any]) -> str:
    if value.get("value") is None:
        return ""
    text = f"{metric.replace('_', ' ')} {figure_text(value['value'])}"
    if value.get("low") is not None:
        text += f" [{figure_text(value['low'])}, {figure_text(value['high'])}]"
    return text


def _trained(run: Run) -> tuple[str, ...]:
    """The most telling metric of training itself, on the test split if there is one."""
    names = {
        "reward": "reward",
        "recall@1": "recall@1",
        "spearman": "Spearman",
        "rewards/accuracies": "reward accuracy",
        "accuracy": "accuracy",
        "loss": "loss",
    }
    for key, label in names.items():
        if f"eval_{key}" in run.metrics:
            return (f"test {label} {figure_text(run.metrics[f'eval_{key}'])}",)
        if key in run.metrics:
            return (f"{label} {figure_text(run.metrics[key])}",)
    return ()
