"""What `runs export --to launch` writes, run as two machines on this one: one log, one result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import Studio
from studio.commands.exports import runs_export
from studio.core.workspace import ROOT, Workspace
from studio.runs.store import Run, RunStore
from tests.faults.test_killed_runs import losses
from tests.faults.test_what_gives_out import begun
from tests.serving import free_port
from tests.unit.training.conftest import small

ALL = pytest.mark.skipif(not os.environ.get("STUDIO_LAUNCH"), reason="run by make test-launch")

# Slurm's two commands, as far as the script needs them: every "node" is this machine.
SCONTROL = "#!/bin/sh\necho 127.0.0.1\n"
SRUN = """\
#!/bin/sh
shift
SLURM_NODEID=1 "$@" & other=$!
SLURM_NODEID=0 "$@" || { kill $other; exit 1; }
wait $other
"""


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    yield from begun(tmp_path / "home")


def sbatch(folder: Path, tools: Path) -> None:
    """`sbatch slurm.sh`, on a Slurm of one machine that counts as two."""
    tools.mkdir(exist_ok=True)
    for name, text in (("scontrol", SCONTROL), ("srun", SRUN)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    environment = {name: text for name, text in os.environ.items() if name != "STUDIO_HOME"} | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "SLURM_JOB_NODELIST": "two",
        "SLURM_SUBMIT_DIR": str(folder),
        "MAIN_PROCESS_PORT": str(free_port()),
    }
    done = subprocess.run(
        ["bash", str(folder / "slurm.sh")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]


def only_run(folder: Path) -> Run:
    [run] = RunStore(Workspace(folder)).list()
    return run


@ALL
@pytest.mark.slow
@pytest.mark.parametrize("way", ["multi_cpu", "fsdp2_cpu"])
def test_two_machines_train_what_one_does(way: str, studio: Studio, tmp_path: Path) -> None:
    recipe = small("sft", "facts", gradient_accumulation_steps=2, per_device_train_batch_size=2)
    alone = studio.wait(studio.train(recipe).id)
    waiting = studio.runs.create(
        recipe.with_(accelerate_config=way, num_processes=2, name="on two", **two())
    )
    out = tmp_path / "launched"
    made = runs_export(studio, waiting.id, to="launch", out=out)
    assert made["files"][0].endswith("machine-0.sh")
    assert not any(str(tmp_path) in path.read_text() for path in out.glob("*.*"))
    sbatch(out, tmp_path / "tools")
    first, second = (only_run(out / f"workspace-{rank}") for rank in (0, 1))
    assert (first.state, second.state) == ("finished", "finished")
    assert losses(first) == pytest.approx(losses(alone), abs=1e-5)
    assert first.adapter is not None and list(first.checkpoints.iterdir())
    assert not losses(second) and second.adapter is None
    assert not list(second.checkpoints.iterdir())


def two() -> dict[str, object]:
    return {"num_machines": 2, "main_process_ip": "127.0.0.1"}
