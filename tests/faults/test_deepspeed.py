"""DeepSpeed ZeRO-2 and ZeRO-3 on two processes of a CPU: the same losses, one log, stop, resume.

DeepSpeed runs on a CPU by itself (`DS_ACCELERATOR=cpu`, gloo), but accelerate 1.15 finds a backend
for it on accelerators alone. A `sitecustomize` of the processes names gloo there; nothing else
differs from a machine with GPUs. DeepSpeed compiles its CPU communication at first use, which takes
a minute.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from studio import Studio
from studio.training import launcher
from tests.faults.test_sharded_runs import learn_the_same
from tests.faults.test_what_gives_out import begun

ON_CPU = """
import os
if os.environ.get("LOCAL_RANK"):
    import torch
    from accelerate.state import DistributedType, PartialState
    stock = PartialState._prepare_backend
    def with_gloo(self, cpu=False, sagemaker_dp=False, backend=None):
        found = stock(self, cpu, sagemaker_dp, backend)
        return ("gloo", DistributedType.MULTI_CPU) if found[0] is None else found
    PartialState._prepare_backend = with_gloo
    torch.cuda.set_device = lambda device: None
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("STUDIO_LAUNCH"), reason="run by make test-launch"),
    pytest.mark.skipif(find_spec("deepspeed") is None, reason="needs the package deepspeed"),
]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(ON_CPU)
    paths = (str(site), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    monkeypatch.setattr(
        launcher, "processes_for", lambda recipe: 1 if recipe.accelerate_config == "single" else 2
    )
    yield from begun(tmp_path / "home")


@pytest.mark.parametrize("name", ["zero2", "zero3"])
@pytest.mark.parametrize(
    ("objective", "changes"),
    [
        ("sft", {"method": "full", "learning_rate": 1e-4}),
        ("sft", {"method": "lora"}),
        ("dpo", {"method": "lora", "start_from": True}),
    ],
    ids=["full", "lora", "dpo"],
)
def test_runs_learn_what_one_process_does(
    name: str, objective: str, changes: dict[str, Any], studio: Studio
) -> None:
    learn_the_same(studio, objective, changes, name, within=1e-4)
