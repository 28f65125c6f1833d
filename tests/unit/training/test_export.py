"""A run exported to plain TRL gives the studio's losses, step for step, with no studio about."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from studio import Studio
from studio.core.errors import ConfigError
from studio.runs.store import Run
from studio.training import export_script
from studio.training.export_config import export
from tests.unit.training.conftest import small
from tests.unit.training.test_runs_end_to_end import logs

# Each way out with one objective always; with the other where time allows.
ALL = pytest.mark.skipif(not os.environ.get("STUDIO_MATRIX"), reason="run by make test-matrix")


def losses(folder: Path, steps: int) -> list[float]:
    state = json.loads(
        (folder / "result" / f"checkpoint-{steps}" / "trainer_state.json").read_text()
    )
    return [entry["loss"] for entry in state["log_history"] if "loss" in entry]


def write(studio: Studio, run: Run, to: str, out: Path) -> Path:
    return export(run, studio.runs, studio.datasets, to, out)[0]


def start(command: list[str], folder: Path) -> None:
    """In the exported folder, without the studio on the path."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["sft", pytest.param("dpo", marks=ALL)])
def test_trl_gives_the_same_losses(which: str, studio: Studio, tmp_path: Path) -> None:
    data = "facts" if which == "sft" else "taste"
    run = studio.wait(studio.train(small(which, data, max_steps=4, save_steps=4)).id)
    first = write(studio, run, "trl", tmp_path)
    assert yaml.safe_load(first.read_text())["dataset_name"] == "data"
    trl = str(Path(sys.executable).with_name("trl"))
    start([trl, which, "--config", "recipe.yaml"], tmp_path)
    assert losses(tmp_path, 4) == pytest.approx([e["loss"] for e in logs(run)], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("to", [pytest.param("trl", marks=ALL), "script"])
def test_chats_leave_with_their_labels(
    to: str, studio: Studio, tmp_path: Path, preloaded_python: Path
) -> None:
    """Neither TRL's command line nor a script knows a message's own weight: the rows are tokens."""
    turns = [
        {"role": "user", "content": "What is red?"},
        {"role": "assistant", "content": "A colour.", "weight": 0},
        {"role": "user", "content": "And blue?"},
        {"role": "assistant", "content": "Another colour."},
    ]
    rows = [{"messages": [*turns, {"role": "user", "content": f"{n}?"}]} for n in range(16)]
    data = studio.datasets.from_rows(rows, "conversational", f"weights {to}")
    run = studio.wait(studio.train(small("sft", data.id, save_steps=4)).id)
    first = write(studio, run, to, tmp_path)
    kept = json.loads((tmp_path / "data" / "train.jsonl").read_text().splitlines()[0])
    assert set(kept) == {"input_ids", "labels"}
    command = [str(Path(sys.executable).with_name("trl")), "sft", "--config", "recipe.yaml"]
    start(command if to == "trl" else [str(preloaded_python), first.name], tmp_path)
    assert losses(tmp_path, 4) == pytest.approx([e["loss"] for e in logs(run)], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("which", [pytest.param("sft", marks=ALL), "dpo"])
def test_the_script_gives_the_same_losses(
    which: str, studio: Studio, sft: Run, dpo: Run, tmp_path: Path, preloaded_python: Path
) -> None:
    run = sft if which == "sft" else dpo  # the second continues the first's adapter
    write(studio, run, "script", tmp_path)
    start([str(preloaded_python), "train.py"], tmp_path)
    assert losses(tmp_path, 4) == pytest.approx([e["loss"] for e in logs(run)], abs=1e-4)
    assert "studio" not in (tmp_path / "train.py").read_text()


@ALL
@pytest.mark.slow
def test_the_job_is_one_file_with_the_same_losses(studio: Studio, dpo: Run, tmp_path: Path) -> None:
    """Alone in an empty folder: rows, model and the adapter it goes on from are inside."""
    first = write(studio, dpo, "job", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["job.py"]
    header = re.search(r"(?m)^# /// script$\s(?P<toml>(^#(| .*)$\s)+)^# ///$", first.read_text())
    assert header is not None
    told = tomllib.loads("".join(line[2:] for line in header["toml"].splitlines(keepends=True)))
    assert f"trl=={version('trl')}" in told["dependencies"]
    start([sys.executable, "job.py"], tmp_path)
    assert losses(tmp_path / "job", 4) == pytest.approx([e["loss"] for e in logs(dpo)], abs=1e-4)


def test_a_job_too_large_for_one_file_is_refused(
    studio: Studio, dpo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_script, "_MOST_INSIDE", 1000)
    with pytest.raises(ConfigError, match="put the model on the Hub"):
        write(studio, dpo, "job", tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_trl_cannot_say_is_refused(studio: Studio, dpo: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose --to script"):
        write(studio, dpo, "trl", tmp_path)
    with pytest.raises(ConfigError, match="trl, script, launch, job"):
        write(studio, dpo, "notebook", tmp_path)


@pytest.mark.parametrize(
    "method", ["pissa", "oft", "last_layers", "full", "qlora", "prompt_tuning"]
)
def test_every_script_is_python(method: str, studio: Studio, tmp_path: Path) -> None:
    recipe = small("dpo", "taste", method=method, prompt_tuning_init_text="Answer kindly")
    run = studio.runs.create(recipe)
    try:
        text = write(studio, run, "script", tmp_path).read_text()
    finally:
        studio.stop(run.id)
        studio.runs.delete(run.id)
    compile(text, "train.py", "exec")
    assert ("ref_model=" in text) == (method in ("pissa", "last_layers", "full"))
