"""Everything that was made here, in one list: bases, runs and exports, and what hangs on what.

Reads folders and small JSON files only; nothing heavy is imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.core.errors import ConfigError
from studio.core.model_names import POCKET, resolve
from studio.core.workspace import Workspace, write_json
from studio.data import DatasetStore, PreparedDataset
from studio.engine import disk_usage
from studio.engine.disk_usage import size_of
from studio.exports import read_record
from studio.runs import checkpoints
from studio.runs.store import RESUMABLE, Run, RunStore

_MOST_TAGS, _LONGEST_TAG, _LONGEST_NOTE = 12, 40, 2000


@dataclass(frozen=True)
class Mark:
    """What a person said of an item."""

    star: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class LibraryEntry:
    """One card: `kind` is base, run, checkpoint or export; `bytes` is what it holds on disk.

    `lineage` names what it came from, oldest first; `needed_by` what would be without it.
    """

    id: str
    kind: str
    name: str
    what: str
    created: float
    used: float
    bytes: int
    model: str
    lineage: tuple[tuple[str, str], ...] = ()
    scores: tuple[str, ...] = ()
    needed_by: tuple[str, ...] = ()
    mark: Mark = field(default_factory=Mark)
    run: Run | None = None
    record: dict[str, Any] | None = None
    folder: Path = Path()


class Library:
    """The library of one workspace."""

    def __init__(self, workspace: Workspace, runs: RunStore, datasets: DatasetStore):
        self.workspace, self.runs, self.datasets = workspace, runs, datasets

    # --- looking

    def items(self) -> list[LibraryEntry]:
        """Everything, the last used first."""
        runs, marks = self.runs.list(), self._marks()
        datasets = {each.id: each for each in self.datasets.list()}
        records = self._exports()
        scores = self._scores()
        trained = [self._run(run, runs, datasets, records, scores, marks) for run in runs]
        found = [
            *trained,
            *(kept for run in runs for kept in self._checkpoints(run, runs, datasets, marks)),
            *(self._export(folder, record, runs, datasets, marks) for folder, record in records),
            *(self._base(name, trained, marks) for name in self._bases(runs)),
        ]
        return sorted(found, key=lambda item: (item.mark.star, item.used), reverse=True)

    def get(self, identifier: str) -> LibraryEntry:
        """One item by its id."""
        for item in self.items():
            if item.id == identifier:
                return item
        raise ConfigError(f"There is no {identifier!r} in the library any more.")

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
        runs: list[Run],
        datasets: dict[str, PreparedDataset],
        records: list[tuple[Path, dict[str, Any]]],
        scores: dict[str, tuple[str, ...]],
        marks: dict[str, Mark],
    ) -> LibraryEntry:
        children = [other for other in runs if other.parent == run.id]
        wrote = [each for each in datasets.values() if each.provenance.get("run") == run.id]
        exports = [record for _, record in records if record["run"] == run.id]
        used = [run.created, run.ended or 0, *(child.created for child in children)]
        used.append(run.folder.stat().st_mtime)  # of its last answer
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
            size_of(run.folder),
            run.model,
            self._lineage(run, runs, datasets),
            scores.get(run.id, _trained(run)),
            tuple(needed),
            marks.get(run.id, Mark()),
            run,
            folder=run.folder,
        )

    def _checkpoints(
        self,
        run: Run,
        runs: list[Run],
        datasets: dict[str, PreparedDataset],
        marks: dict[str, Mark],
    ) -> list[LibraryEntry]:
        """A run as it was at a step: one card for each complete checkpoint."""
        found = []
        for step in checkpoints.steps(run.checkpoints):
            folder = run.checkpoints / f"checkpoint-{step}"
            identifier = f"{run.id}@{step}"
            made = (folder / checkpoints.MANIFEST).stat().st_mtime
            lineage = (*self._lineage(run, runs, datasets), ("run", run.name))
            needed = (f"run {run.name}, to go on",) if self._goes_on_from(run, folder) else ()
            newest = folder == checkpoints.newest(run.checkpoints)
            found.append(
                LibraryEntry(
                    identifier,
                    "checkpoint",
                    f"{run.name} at step {step:,}",
                    "newest" if newest else "earlier",
                    made,
                    folder.stat().st_mtime,
                    size_of(folder),
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
    def _goes_on_from(run: Run, checkpoint: Path) -> bool:
        """Whether a run would be resumed from this checkpoint, or may yet choose it as its best."""
        if run.live:
            return True
        newest = checkpoints.newest(run.checkpoints) == checkpoint
        return run.state in RESUMABLE and (newest or run.recipe.load_best_model_at_end)

    def _export(
        self,
        folder: Path,
        record: dict[str, Any],
        runs: list[Run],
        datasets: dict[str, PreparedDataset],
        marks: dict[str, Mark],
    ) -> LibraryEntry:
        run = next((one for one in runs if one.id == record["run"]), None)
        lineage = self._lineage(run, runs, datasets) if run else ()
        found = record["figures"]
        proof = (
            f"{found['agreement']:.0%} of tokens as the run's",
            f"logits off by {found['largest_difference'] / found['largest_logit']:.2%} at most",
        )
        stored = record["stored_as"] if record["to"] == "gguf" else ""
        return LibraryEntry(
            folder.name,
            "export",
            str(record["name"]),
            f"{record['to']} {stored}".strip(),
            record["created"],
            record["created"],
            size_of(folder),
            record["base"],
            (*lineage, ("run", str(record["name"]))),
            proof,
            (),
            marks.get(folder.name, Mark()),
            run,
            record,
            folder,
        )

    @staticmethod
    def _bases(runs: list[Run]) -> list[str]:
        return list(dict.fromkeys([POCKET, *(run.model for run in runs), *_fetched()]))

    def _base(self, name: str, trained: list[LibraryEntry], marks: dict[str, Mark]) -> LibraryEntry:
        reference = resolve(name)
        mine = [run for run in trained if run.model == name]
        folder = hub_folder(name) if reference.kind == "hub" else Path(reference.location)
        there = {"builtin": "built in", "folder": "local folder"}
        what = there.get(reference.kind, "from the Hub" if folder.is_dir() else "not fetched yet")
        return LibraryEntry(
            f"base:{name}",
            "base",
            reference.label,
            what,
            0.0,
            max((run.used for run in mine), default=0.0),
            size_of(folder),
            name,
            needed_by=tuple(f"run {run.name}" for run in mine),
            mark=marks.get(f"base:{name}", Mark()),
            folder=folder,
        )

    def _lineage(
        self, run: Run, runs: list[Run], datasets: dict[str, PreparedDataset]
    ) -> tuple[tuple[str, str], ...]:
        """(kind, name) from the first rows to what the run was trained on: data, runs, votes."""
        by_id = {each.id: each for each in runs}
        steps: list[tuple[str, str]] = []
        at: Run | None = run
        seen: set[str] = set()
        while at is not None and at.id not in seen:
            seen.add(at.id)
            if at is not run:
                steps.append(("run", at.name))
            data = datasets.get(str(at.data.get("id")))
            voted = data is not None and data.provenance.get("project")
            name = str(at.data.get("name") or "")
            if name:
                steps.append(("votes" if voted else "data", name))
            at = by_id.get(at.parent or "")
        return tuple(reversed(steps))

    def _scores(self) -> dict[str, tuple[str, ...]]:
        """For every run its newest scoring's first figures, with intervals."""
        found: dict[str, tuple[str, ...]] = {}
        for path in sorted(self.workspace.comparisons.glob("score-*.json")):
            try:
                columns = json.loads(path.read_text(encoding="utf-8"))["columns"]
            except (OSError, ValueError, KeyError):
                continue  # half-written by another process, or of an older version
            for column in columns:
                if column.get("run") and not column.get("checkpoint"):
                    lines = [_figure(*pair) for pair in column["metrics"].items()]
                    found[column["run"]] = tuple(line for line in lines if line)[:3]
        return {run: lines for run, lines in found.items() if lines}

    # --- what people say

    def _marks(self) -> dict[str, Mark]:
        try:
            found = json.loads((self.workspace.home / "library.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {
            key: Mark(bool(one.get("star")), tuple(one.get("tags", ())), str(one.get("note", "")))
            for key, one in found.items()
        }

    def mark(self, identifier: str, **changes: Any) -> Mark:
        """Change an item's `star`, `tags` (texts) or `note`; the mark as kept."""
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

    # --- taking away

    def delete(self, identifier: str) -> None:
        """Put a run, a checkpoint or an export in the trash; `restore` brings it back for a day."""
        item = self.get(identifier)
        if item.kind == "base":
            raise ConfigError("A base is not the studio's to delete; remove its folder yourself.")
        if item.kind == "checkpoint" and item.needed_by:
            raise ConfigError(f"{item.name} is needed: its run would go on from there.")
        if item.kind == "run":
            self.runs.delete(identifier)
        else:
            self.runs.to_trash(item.folder, identifier)

    def restore(self, identifier: str) -> None:
        """Bring back what `delete` put in the trash."""
        owner, _, step = identifier.partition("@")
        home = self.workspace.folder("exports" if owner.startswith("export-") else "runs", owner)
        if step:
            home = home / "checkpoints" / f"checkpoint-{step}"
        self.runs.from_trash(identifier, home)

    # --- disk

    def usage(self) -> dict[str, int]:
        """Bytes of every part of the workspace, and what is free beside it."""
        return disk_usage.usage(self.workspace)

    def waste(self) -> list[disk_usage.Waste]:
        """What nothing needs; a star keeps its own checkpoint."""
        starred = {name for name, mark in self._marks().items() if mark.star}
        return disk_usage.waste(self.workspace, self.runs.list(), starred)

    def clean(self) -> int:
        """Remove the waste there is now; the bytes that came free."""
        return disk_usage.remove(self.waste())


def hub_folder(name: str) -> Path:
    """Where the Hub's client keeps a model's files."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"


def _fetched() -> list[str]:
    """Models whose weights the Hub's client keeps here, fetched by the studio or by others."""
    found = sorted(hub_folder("").parent.glob("models--*--*"))
    return [
        folder.name.removeprefix("models--").replace("--", "/", 1)
        for folder in found
        if any(folder.glob("snapshots/*/*.safetensors"))
    ]


def _clean(tags: Iterable[Any]) -> tuple[str, ...]:
    said = [" ".join(str(tag).split())[:_LONGEST_TAG] for tag in tags]
    return tuple(dict.fromkeys(tag for tag in said if tag))[:_MOST_TAGS]


def _figure(metric: str, value: dict[str, Any]) -> str:
    if value.get("value") is None:
        return ""
    text = f"{metric.replace('_', ' ')} {value['value']:.3g}"
    if value.get("low") is not None:
        text += f" [{value['low']:.3g}, {value['high']:.3g}]"
    return text


def _trained(run: Run) -> tuple[str, ...]:
    """The figure of the training itself that says most, held-out rows first."""
    names = {
        "reward": "reward",
        "rewards/accuracies": "reward accuracy",
        "accuracy": "accuracy",
        "loss": "loss",
    }
    for key, label in names.items():
        if f"eval_{key}" in run.metrics:
            return (f"held-out {label} {run.metrics[f'eval_{key}']:.3g}",)
        if key in run.metrics:
            return (f"{label} {run.metrics[key]:.3g}",)
    return ()
