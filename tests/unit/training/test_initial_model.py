"""LoftQ reads the unquantized weights that its base was made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import pytest
import torch

from studio.training import initial_model
from tests.unit.training.matrix import _POOL, recipe_of


@pytest.mark.parametrize("place", ["folder", "hub"])
def test_loftq_reads_sharded_folders_and_the_revision(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PEFT looks for an index beside the file that it is given, if that is not there."""
    for shard in (1, 2):
        (tmp_path / f"model-0000{shard}-of-00002.safetensors").touch()
    asked: list[dict[str, Any]] = []
    read: list[str] = []

    def download(name: str, **settings: Any) -> str:
        asked.append({"name": name, **settings})
        return str(tmp_path)

    resident = _POOL.base("pocket", dtype="float32")  # while there is no GPU yet
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(initial_model, "snapshot_download", download)
    monkeypatch.setattr(
        peft, "replace_lora_weights_loftq", lambda model, model_path: read.append(model_path)
    )
    recipe = recipe_of("sft", "loftq", model_revision="v2", dtype="float32")
    resident = replace(resident, location=str(tmp_path) if place == "folder" else "some/model")
    config = initial_model.methods.peft_config(recipe)
    model = initial_model.loading.clone_sharing_weights(resident.model)
    initial_model._loftq(model, config, resident, recipe)
    assert read == [str(tmp_path / "model.safetensors")]
    assert [(a["name"], a["revision"]) for a in asked] == (
        [("some/model", "v2")] if place == "hub" else []
    )
