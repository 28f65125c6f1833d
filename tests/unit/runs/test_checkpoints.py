"""A checkpoint counts only when whole."""

from __future__ import annotations

from pathlib import Path

from studio.runs import checkpoints


def make(folder: Path, step: int, sealed: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    (path / "ref").mkdir(parents=True)
    (path / "adapter_model.safetensors").write_bytes(b"x" * 100)
    (path / "ref" / "adapter_model.safetensors").write_bytes(b"y" * 50)
    if sealed:
        checkpoints.mark_complete(path)
    return path


def test_newest_is_the_highest_sealed(tmp_path: Path) -> None:
    make(tmp_path, 9)
    make(tmp_path, 100)
    make(tmp_path, 200, sealed=False)
    newest = checkpoints.newest(tmp_path)
    assert newest is not None and checkpoints.step_of(newest) == 100


def test_a_truncated_file_unmakes_the_checkpoint(tmp_path: Path) -> None:
    make(tmp_path, 10)
    broken = make(tmp_path, 20)
    (broken / "ref" / "adapter_model.safetensors").write_bytes(b"y" * 49)
    newest = checkpoints.newest(tmp_path)
    assert newest is not None and checkpoints.step_of(newest) == 10


def test_sweep_removes_only_what_is_half_written(tmp_path: Path) -> None:
    whole, half = make(tmp_path, 10), make(tmp_path, 20, sealed=False)
    checkpoints.remove_incomplete(tmp_path)
    assert whole.exists() and not half.exists()


def test_no_checkpoints_at_all(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path / "nothing") is None
    (tmp_path / "checkpoint-x").mkdir()
    assert checkpoints.newest(tmp_path) is None
