"""GPUs by name, and what fits them."""

from __future__ import annotations

import pytest

from studio.calculator.gpus import GPUS, find_gpu, this_machine, verdict
from studio.core import hardware
from studio.core.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "found"),
    [("L4", "L4 24 GB"), ("a100 80", "A100 80 GB"), (" h200  141 gb ", "H200 141 GB")],
)
def test_a_name_or_the_start_of_it(name, found):
    assert find_gpu(name) is GPUS[found]


def test_names_that_are_not_one():
    with pytest.raises(ConfigError, match="Say which: A100 40 GB, A100 80 GB"):
        find_gpu("A100")
    with pytest.raises(ConfigError, match=r"No GPU is called 'T5'.*T4 16 GB"):
        find_gpu("T5")


def test_this_machine_is_measured():
    here = this_machine()
    assert here == find_gpu("this machine") or here.memory > 0
    assert here.flops > 1e9


def test_this_machine_counts_what_the_studio_itself_holds(monkeypatch):
    card = hardware.Hardware("cuda", "NVIDIA L4", 24 * 10**9, 2 * 10**9, True, 4)
    monkeypatch.setattr(hardware, "detect", lambda index: card)
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda index: 20 * 10**9)
    assert this_machine().memory == 22 * 10**9


def test_nearly_full_is_tight():
    gpu = GPUS["L4 24 GB"]
    assert verdict(gpu.memory + 1, gpu) == "does not fit"
    assert verdict(int(0.95 * gpu.memory), gpu) == "tight"
    assert verdict(int(0.5 * gpu.memory), gpu) == "fits"
