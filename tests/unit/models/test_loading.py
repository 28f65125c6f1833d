"""Where weights are loaded to: straight to the device, and each process's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from studio.core.model_names import resolve
from studio.models import loading

POCKET = resolve("pocket")


@pytest.mark.parametrize(
    ("device", "mapped"),
    [("cuda:1", {"": torch.device("cuda:1")}), ("mps", {"": torch.device("mps")}), ("cpu", None)],
)
def test_weights_go_straight_to_the_device(
    device: str, mapped: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `device_map` transformers fills the host's memory with the whole model first."""
    asked: list[dict[str, Any]] = []

    def load(location: str, **settings: Any) -> torch.nn.Module:
        asked.append(settings)
        return torch.nn.Linear(1, 1)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", load)
    monkeypatch.setattr(loading, "device", lambda: torch.device(device))
    loading.load_model(POCKET, "float32")
    loading.load_model(POCKET, "float32", on=torch.device("cpu"))
    assert [settings.get("device_map") for settings in asked] == [mapped, None]


def test_an_adapter_is_read_onto_its_models_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PEFT's own choice is the first GPU, whichever one a process was given."""
    import peft.peft_model as peft_model

    config = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    model = loading.load_model(POCKET, "float32")
    get_peft_model(loading.clone_sharing_weights(model), config).save_pretrained(str(tmp_path))
    read = peft_model.load_peft_weights
    devices: list[object] = []

    def watched(folder: str, device: object = None, **settings: Any) -> Any:
        devices.append(device)
        return read(folder, device=device, **settings)

    monkeypatch.setattr(peft_model, "infer_device", lambda: "cuda")
    monkeypatch.setattr(peft_model, "load_peft_weights", watched)
    adapted = loading.load_adapter(model, tmp_path)
    loading.load_adapter(adapted, tmp_path, "again")
    assert devices == ["cpu", "cpu"]
