"""`kill -9` while a run's rows are being indexed: the index goes on, equal to one never cut."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio import Studio
from studio.attribution import build
from studio.attribution.index_files import opened
from studio.attribution.request import FINAL, default_spec
from tests.faults.test_killed_runs import KILLS, MORE, finish
from tests.unit.training.conftest import sft_rows, small

ROOT = Path(__file__).resolve().parents[2]
CHUNK = 8
ASK = """
import sys
from studio.attribution import build
build.CHUNK = {chunk}
from studio.cli import main
sys.argv = ["studio", "why", "first", "--prompt", "What?", "--answer", "It is sweet.", "--json"]
sys.exit(main())
"""


def asking(home: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "STUDIO_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", ASK.format(chunk=CHUNK)],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
@pytest.mark.skipif(KILLS < 2, reason=MORE)
def test_killed_and_asked_again_equals_uninterrupted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    studio = Studio(home)
    studio.datasets.from_rows(sft_rows(160), "prompt_completion", "facts")
    recipe = small("sft", "facts", name="first", max_steps=2, per_device_train_batch_size=2)
    run = studio.wait(studio.train(recipe).id)
    studio.close()
    folder = build.folder_of(run, default_spec(run), FINAL)

    whole = finish(asking(home))
    index = opened(folder)
    assert index is not None and index.complete
    before = {name: (folder / name).read_bytes() for name in ("vectors.f16", "norms.f32")}
    shutil.rmtree(folder)

    process = asking(home)
    deadline = time.monotonic() + 240
    while not ((begun := _done(folder)) and begun >= CHUNK):
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline, "the index never reached its first chunk"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    cut = _done(folder)
    assert cut and CHUNK <= cut < 160

    again = finish(asking(home))
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert again["learned"] == whole["learned"]


def _done(folder: Path) -> int | None:
    index = opened(folder)
    return None if index is None else index.done
