"""`models` in the shell."""

from __future__ import annotations


def test_an_entry_is_tagged_deleted_restored_and_cleaned_up(shell, tuned):
    assert tuned.id in shell("models", "list").out
    assert shell("models", "tag", tuned.id, "--tag", "keep", "--star").out == (
        f"{tuned.id} is updated.\n"
    )
    assert f"models restore {tuned.id}" in shell("models", "delete", tuned.id).out
    assert shell("models", "restore", tuned.id).out == "tuned is restored.\n"
    shell("models", "delete", tuned.id)
    assert "models clean --yes" in shell("models", "clean").out
    assert "bytes freed" in shell("models", "clean", "--yes").out
    assert shell("models", "clean").out == "Nothing to clean up.\n"
