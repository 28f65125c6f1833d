"""Checkpoints that count only when complete: files synced to disk, a manifest written last.

The Trainer writes a checkpoint file by file and resumes from the highest number, even an empty
folder. Here a checkpoint counts when its manifest lists every file with its size, and all exist.
What is resumed from must also have the manifest's digests: a disk can give back other bytes than it
took.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import xxhash

from studio.core.workspace import check_room, sync_folder, write_json

MANIFEST = "complete.json"
_DAMAGED = "damaged-"


def step_of(folder: Path) -> int:
    """`checkpoint-120` -> 120; -1 for any other name."""
    number = folder.name.removeprefix("checkpoint-")
    return int(number) if number.isdigit() else -1


def mark_complete(folder: Path) -> None:
    """Sync every file of a checkpoint, then write the manifest that makes it count."""
    files: dict[str, int] = {}
    digests: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            name = str(path.relative_to(folder))
            with path.open("rb") as file:
                os.fsync(file.fileno())
            files[name], digests[name] = path.stat().st_size, _digest(path)
    for inner in sorted(path for path in folder.rglob("*") if path.is_dir()):
        sync_folder(inner)
    made = {"step": step_of(folder), "files": files, "digests": digests}
    write_json(folder / MANIFEST, made)
    sync_folder(folder.parent)


def is_complete(folder: Path) -> bool:
    """Whether the manifest exists and every file it lists has its size."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return bool(files) and all(
            (folder / name).stat().st_size == size for name, size in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def damaged_file(folder: Path) -> str | None:
    """The first file of a complete checkpoint that holds other bytes than were written; or None.

    Reads all of it. A checkpoint of before there were digests is taken as it is.
    """
    manifest: dict[str, dict[str, str]]
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    digests = manifest.get("digests", {})
    return next((name for name, kept in digests.items() if _digest(folder / name) != kept), None)


def set_aside(folder: Path) -> Path:
    """Rename a damaged checkpoint, so that nothing takes it again; where it is kept."""
    kept = folder.with_name(_DAMAGED + folder.name)
    shutil.rmtree(kept, ignore_errors=True)
    folder.rename(kept)
    return kept


def set_aside_damaged(folder: Path) -> list[str]:
    """Set aside the newest checkpoints until an undamaged one is the newest; a sentence for each.

    They are renamed (`damaged-checkpoint-120`), so that nothing takes them again.
    """
    said: list[str] = []
    while (found := newest(folder)) is not None and (name := damaged_file(found)) is not None:
        kept = set_aside(found)
        said.append(
            f"The checkpoint of step {step_of(found)} is damaged: {name} holds other bytes than "
            f"were written. It is kept as {kept.name} and not used."
        )
    return said


def _digest(path: Path) -> str:
    """xxh3 of a file's bytes, in hexadecimal: against damage, not against people."""
    state = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            state.update(block)
    return state.hexdigest()


def newest(folder: Path) -> Path | None:
    """The newest complete checkpoint under a run's `checkpoints/`, or None."""
    if not folder.is_dir():
        return None
    found = [path for path in folder.iterdir() if step_of(path) >= 0 and is_complete(path)]
    return max(found, key=step_of, default=None)


def steps(folder: Path) -> list[int]:
    """Steps of the complete checkpoints under a run's `checkpoints/`, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(
        step for path in folder.iterdir() if (step := step_of(path)) >= 0 and is_complete(path)
    )


def remove_incomplete(folder: Path) -> None:
    """Remove checkpoints that a crash left incomplete."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        kept = path.name.startswith(_DAMAGED)
        if path.is_dir() and not kept and not is_complete(path):
            shutil.rmtree(path)


def make_sure_it_fits(folder: Path, needed: int) -> None:
    """Raise a `WorkspaceError` where the disk has no room for a checkpoint of `needed` bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = newest(folder)
    last = f"The checkpoint of step {step_of(kept)} is kept" if kept else "None was saved yet"
    check_room(folder, needed, "A checkpoint", f"{last}. Free some space, then resume.")
