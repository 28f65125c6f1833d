"""What is here, cheaply; and that asking for it imports nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from studio.core import hardware


def test_memory_now_is_within_the_machine():
    used, total = hardware.memory_now()
    assert 0 < used < total


def test_detect_is_complete_and_json_able():
    here = hardware.detect()
    assert here.device in ("cuda", "mps", "cpu")
    assert 0 < here.memory_free <= here.memory_total
    assert here.cores >= 1
    assert json.loads(json.dumps(here.as_dict()))["packages"]["torch"]
    assert "GB" in here.line()


def test_the_cheap_part_imports_no_torch():
    code = (
        "import sys; from studio.core import hardware; import studio.calculator; "
        "hardware.memory_now(); print('torch' in sys.modules, 'gradio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_run_can_have_what_this_process_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card of 24 GB, 3 free, of which this process reserves 15: a run can have 18."""
    GB = 10**9
    card = hardware.Hardware("cuda", "card", 24 * GB, 3 * GB, True, 4)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 15 * GB)
    assert hardware.memory_for_a_run(card) == 18 * GB
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 30 * GB)
    assert hardware.memory_for_a_run(card) == 24 * GB
    host = hardware.Hardware("cpu", "host", 10**15, GB, False, 4)
    assert hardware.memory_for_a_run(host) > GB


def test_a_driver_without_a_cuda_build_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(hardware, "_nvidia_driver", lambda: "570.86.15")
    monkeypatch.setattr(torch.version, "cuda", None)
    said = hardware.gpu_warning()
    assert "570.86.15" in said and "build without CUDA" in said
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "too old for PyTorch's CUDA 13.0" in hardware.gpu_warning()
    assert hardware.detect().warning == hardware.gpu_warning()
    monkeypatch.setattr(hardware, "_nvidia_driver", lambda: None)
    assert hardware.gpu_warning() == ""


@pytest.mark.parametrize(
    ("capability", "built", "warned"),
    [
        ((6, 1), ["sm_75", "sm_80", "sm_90"], True),
        ((7, 5), ["sm_75", "sm_80", "sm_90"], False),
        ((8, 9), ["sm_75", "sm_80", "sm_90"], False),
        ((12, 0), ["sm_75", "sm_80", "sm_120"], False),
        ((9, 4), [], False),  # AMD names its architectures otherwise
    ],
)
def test_a_card_older_than_the_kernels_is_said(
    capability: tuple[int, int], built: list[str], warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "GTX 1080")
    assert ("older than the cards" in hardware.gpu_warning()) is warned
