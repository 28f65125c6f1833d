"""What `accelerate launch` is given, and what is written for several machines; nothing starts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from studio import Studio
from studio.commands.exports import runs_export
from studio.core.errors import ConfigError, TrainingError
from studio.core.hardware import Hardware
from studio.runs.recipe import Recipe
from studio.training import launcher
from tests.unit.training.conftest import small

TWO = {
    "num_machines": 2,
    "machine_rank": 1,
    "main_process_ip": "10.0.0.1",
    "num_processes": 2,
    "gradient_accumulation_steps": 2,
}


class Ended:
    """A launcher that has ended at once."""

    pid, stdin, returncode = 0, None, 1

    def poll(self) -> int:
        return 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []

    def popen(words: list[str], **settings: Any) -> Ended:
        commands.append(words)
        return Ended()

    monkeypatch.setattr(launcher.subprocess, "Popen", popen)
    return commands


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"accelerate_config": "multi_cpu"}, "--num_processes 2 --main_process_port 0 -m"),
        (
            {"accelerate_config": "multi_cpu", **TWO},
            "--num_processes 2 --num_machines 2 --machine_rank 1 --main_process_ip 10.0.0.1 "
            "--main_process_port 29500 -m",
        ),
        (
            {"accelerate_config": "fsdp2_cpu", **TWO, "main_process_port": 1234},
            "--main_process_port 1234 --fsdp_state_dict_type FULL_STATE_DICT -m",
        ),
    ],
)
def test_the_recipes_machines_reach_accelerate(
    changes: dict[str, Any], expected: str, studio: Studio, asked: list[list[str]]
) -> None:
    run = studio.runs.create(small("sft", "facts", **changes))
    said: list[str] = []
    state, error = launcher.supervise(run, studio.runs, lambda: None, said.append)
    assert expected in " ".join(asked[0])
    assert (state, "exited with code 1" in str(error)) == ("failed", True)
    rank = run.recipe.machine_rank
    assert any("machine 0 keeps the log" in text for text in said) == bool(rank)


def test_each_machine_needs_its_share_of_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Hardware("cuda", "Card", 1, 1, True, 1, devices=1)
    monkeypatch.setattr("studio.core.hardware.detected", lambda: card)
    recipe = Recipe.of({**TWO, "accelerate_config": "multi_gpu", "num_processes": None})
    assert launcher.processes_for(recipe) == 2  # one card on each of two machines
    with pytest.raises(TrainingError, match="need 2 GPUs each, and this machine has 1"):
        launcher.processes_for(recipe.with_(num_processes=4, gradient_accumulation_steps=4))


def test_a_launch_is_a_folder_with_a_script_for_each_machine(
    studio: Studio, tmp_path: Path
) -> None:
    """Of a run on one process, for three machines: nothing in it is this machine's."""
    odd = 'odd "name"; $(touch x)'
    run = studio.runs.create(small("sft", "facts", name=odd, per_device_train_batch_size=6))
    out = tmp_path / "launched"
    made = runs_export(studio, run.id, to="launch", out=out, num_machines=3)
    names = sorted(path.name for path in out.iterdir())
    assert made["files"][0] == str(out / "machine-0.sh")
    scripts = [f"machine-{rank}.sh" for rank in range(3)]
    assert names == ["datasets", *scripts, "model", "recipe.yaml", "slurm.sh"]
    recipe = Recipe.from_yaml(out / "recipe.yaml")
    assert (recipe.num_machines, recipe.accelerate_config) == (3, "multi_gpu")
    assert recipe.model_name_or_path == "./model"
    [data] = (out / "datasets").iterdir()
    assert recipe.dataset_name == data.name
    for script in (*scripts, "slurm.sh"):
        text = (out / script).read_text()
        assert str(tmp_path) not in text and str(studio.workspace.home) not in text
        code = [line for line in text.splitlines() if not line.startswith("#")]
        assert "touch" not in "".join(code)
        subprocess.run(["bash", "-n", str(out / script)], check=True)
    assert "--set machine_rank=2" in (out / "machine-2.sh").read_text()
    assert "?the address of machine 0" in (out / "machine-1.sh").read_text()
    assert "#SBATCH --nodes=3\n" in (out / "slurm.sh").read_text()


def test_what_other_machines_lack_is_refused(studio: Studio, sft: Any, tmp_path: Path) -> None:
    child = studio.runs.create(small("dpo", "taste", start_from=sft.id))
    with pytest.raises(ConfigError, match="starts from another run, which the other machines lack"):
        runs_export(studio, child.id, to="launch", out=tmp_path / "a", num_machines=2)
    with pytest.raises(ConfigError, match="is for --to launch"):
        runs_export(studio, sft.id, to="script", out=tmp_path / "b", num_machines=2)
    assert not list(tmp_path.iterdir())


def test_how_the_first_process_ended_counts(studio: Studio) -> None:
    run = studio.runs.create(small("sft", "facts"))
    launcher.report(run, "failed", "because")
    launcher.report(run, "finished", None)
    assert json.loads((run.folder / "outcome.json").read_text())["error"] == "because"
