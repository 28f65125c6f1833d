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


def test_a_flipped_bit_is_found_before_resuming_and_the_one_before_is_taken(tmp_path: Path) -> None:
    make(tmp_path, 10)
    file = make(tmp_path, 20) / "ref" / "adapter_model.safetensors"
    content = bytearray(file.read_bytes())
    content[7] ^= 1
    file.write_bytes(content)
    assert checkpoints.newest(tmp_path) == file.parents[1]  # a look at the sizes tells nothing
    [said] = checkpoints.set_aside_damaged(tmp_path)
    assert "step 20 is damaged" in said and "adapter_model.safetensors" in said
    newest = checkpoints.newest(tmp_path)
    assert newest is not None and checkpoints.step_of(newest) == 10
    checkpoints.remove_incomplete(tmp_path)
    assert (tmp_path / "damaged-checkpoint-20").is_dir()
    assert checkpoints.set_aside_damaged(tmp_path) == []


def test_sweep_removes_only_what_is_half_written(tmp_path: Path) -> None:
    whole, half = make(tmp_path, 10), make(tmp_path, 20, sealed=False)
    checkpoints.remove_incomplete(tmp_path)
    assert whole.exists() and not half.exists()


def test_no_checkpoints_at_all(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path / "nothing") is None
    (tmp_path / "checkpoint-x").mkdir()
    assert checkpoints.newest(tmp_path) is None
