"""`kill -9` in the middle of a run: it reads "interrupted", and resumes as if nothing happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.core.workspace import Workspace
from studio.runs.store import Run, RunStore
from tests.unit.training.conftest import preference_rows, sft_rows

ROOT = Path(__file__).resolve().parents[2]
STEPS = 24
KILLS = int(os.environ.get("STUDIO_KILLS", "1"))
MORE = "run by make test-kills"


def shell(home: Path, *words: str, python: Path = Path(sys.executable)) -> subprocess.Popen[str]:
    environment = {**os.environ, "STUDIO_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [str(python), "-m", "studio", *words],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


LONGER = {
    "rope_parameters": "rope_type=yarn,factor=4",
    "train_embeddings_and_norms": True,
    "shifted_attention": True,
}
"""SFT of a longer context; `longer` below."""


def train_words(objective: str, data: Path) -> list[str]:
    settings = {
        "dataset_name": data,
        "max_steps": STEPS,
        "per_device_train_batch_size": 2,
        "max_length": 96,
        "lora_r": 4,
        "save_steps": 4,
        "sample_steps": 0,
        "logging_steps": 1,
        "learning_rate": 1e-3,
    }
    if objective == "grpo":
        settings |= {"reward_funcs": "length:1-4", "num_generations": 2, "max_completion_length": 6}
    if objective == "distillation":
        settings |= {"teacher_model_name_or_path": "pocket", "max_completion_length": 6}
    if objective == "embedding":  # what is mined again must be what was mined before
        settings |= {"num_negatives": 1, "per_device_train_batch_size": 8}
    if objective == "longer":
        settings |= LONGER
    pairs = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    recipe = f"pocket-{objective}"
    if objective == "longer":
        recipe = "pocket-sft"
    if objective == "distillation":  # no recipe is shipped
        recipe, pairs = "pocket-sft", [*pairs, "--set", "objective=distillation"]
    return ["train", recipe, *pairs, "--json"]


def losses(run: Run) -> dict[int, float]:
    """Loss by step; a step trained twice (before and after the kill) counts as it was last."""
    events = run.events()[0]
    return {event["step"]: event["loss"] for event in events if "loss" in event}


OTHERS = ("sft", "longer", "grpo", "embedding", "distillation")
_MORE = pytest.mark.skipif(KILLS < 2, reason=MORE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective", ["dpo", *(pytest.param(name, marks=_MORE) for name in OTHERS)]
)
def test_killed_and_resumed_equals_uninterrupted(
    objective: str, tmp_path: Path, preloaded_python: Path
) -> None:
    """Once in `make test`; `make test-kills` does it at twenty random points."""
    rows = sft_rows(60) if objective in ("sft", "longer") else preference_rows(60)
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    home = tmp_path / "home"
    words = train_words(objective, data)
    whole = finish(shell(home, *words, python=preloaded_python))
    store = RunStore(Workspace(home))

    expected = losses(store.get(whole["run_id"]))
    chance = random.Random(7)
    for _ in range(KILLS):
        seen = {run.id for run in store.list()}
        process = shell(home, *words, python=preloaded_python)
        at = chance.randint(5, STEPS - 8)
        killed = kill_after(process, store, seen, at, chance.uniform(0, 0.05))
        assert store.get(killed).state == "interrupted"
        resumed = finish(shell(home, "runs", "resume", killed, "--json", python=preloaded_python))
        assert (resumed["state"], resumed["step"]) == ("finished", STEPS)
        events = store.get(killed).events()[0]
        assert any(event["kind"] == "resume" and event["step"] >= 4 for event in events)
        got = losses(store.get(killed))
        assert got.keys() == expected.keys()
        assert all(got[step] == pytest.approx(expected[step], abs=1e-6) for step in expected)


def kill_after(
    process: subprocess.Popen[str], store: RunStore, others: set[str], step: int, wait: float
) -> str:
    """Kill the process a moment after its run has logged a step; the run's id."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for run in store.list():
            if run.id not in others and max(losses(run), default=0) >= step:
                time.sleep(wait)
                process.send_signal(signal.SIGKILL)
                process.communicate()
                return run.id
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.05)
    raise AssertionError("the run never reached the step to kill it at")
