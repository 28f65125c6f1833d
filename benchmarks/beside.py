"""What `benchmarks.training` measures in processes of its own: a run in the app, and memory's peak.

The page is the app's own, open in Chromium on the run. The other side is what the same run exports
(`--to script`), and the same run by `python -m studio train` with no page anywhere.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from gradio_client import Client
from playwright.sync_api import Page

from studio import Recipe, Studio
from studio.core.hardware import cores, cpu_name
from studio.runs.store import Run
from studio.training.export_config import export
from tests import chromium
from tests.serving import ROOT, Server

Measured = tuple[float | None, str]
_APART = 1e-3
_QUIET = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def machine() -> str:
    """The processor, its cores, and the commit that was measured."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    return f"{cpu_name()}, {cores()} cores, commit {commit or 'unknown'}"


# ---- a run in the app ---------------------------------------------------------------------------


@contextlib.contextmanager
def browsing(url: str) -> Iterator[Page]:
    """The Train tab in Chromium, charts and all."""
    with chromium.visit(url) as page:
        page.evaluate("performance.setResourceTimingBufferSize(100000)")
        page.get_by_role("tab", name="Train", exact=True).click()
        yield page


def _questions(page: Page) -> int:
    """Requests that the page has made since it opened."""
    return page.evaluate("performance.getEntriesByType('resource').length")


def _recipe(quick: bool) -> Recipe:
    return Recipe.defaults(
        "sft",
        dataset_name="pocket-sft",
        max_steps=6 if quick else 24,
        learning_rate=1e-3,
        max_length=256,
        sample_steps=0,
        save_steps=1000,
        logging_steps=1,
    )


def _losses(run: Run) -> list[float]:
    return [event["loss"] for event in run.events()[0] if "loss" in event]


def _pace_of(run: Run) -> float:
    return _pace([event["time"] for event in run.events()[0] if "loss" in event])


def _pace(times: list[float]) -> float:
    """Steps a second of moments at which steps ended; a process warms up over its first two."""
    steady = times[2:]
    return (len(steady) - 1) / (steady[-1] - steady[0])


def _by_script(folder: Path, steps: int) -> tuple[float, list[float]]:
    """Steps a second of the exported script, and its losses."""
    script = subprocess.Popen(
        [sys.executable, "-u", "train.py"],
        cwd=folder,
        env={**os.environ, **_QUIET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert script.stdout is not None
    times = [time.time() for line in script.stdout if "'loss'" in line]
    if script.wait():
        raise RuntimeError(f"The exported script ended with {script.returncode}.")
    state = folder / "result" / f"checkpoint-{steps}" / "trainer_state.json"
    logs = json.loads(state.read_text())["log_history"]
    return _pace(times), [entry["loss"] for entry in logs if "loss" in entry]


def _in_shell(home: Path, recipe: Path) -> str:
    words = [sys.executable, "-m", "studio", "train", str(recipe), "--json"]
    done = subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, **_QUIET, "STUDIO_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["run_id"]


def with_the_page(repeats: int, quick: bool) -> Measured:
    """A run in the app with a page polling it, against the same recipe as a bare TRL script."""
    return _beside_the_app(repeats, quick, _script_side)


def without_the_page(repeats: int, quick: bool) -> Measured:
    """A run in the app with a page polling it, against the same run with no page and no app."""
    return _beside_the_app(repeats, quick, _shell_side)


Side = Callable[[Studio, Run, Path], tuple[float, list[float]]]


def _script_side(studio: Studio, run: Run, folder: Path) -> tuple[float, list[float]]:
    export(run, studio.runs, studio.datasets, "script", folder)
    return _by_script(folder, run.total_steps)


def _shell_side(studio: Studio, run: Run, folder: Path) -> tuple[float, list[float]]:
    recipe = folder / "recipe.yaml"
    folder.mkdir()
    recipe.write_text(run.recipe.to_yaml())
    done = studio.runs.get(_in_shell(studio.workspace.home, recipe))
    return _pace_of(done), _losses(done)


def _beside_the_app(repeats: int, quick: bool, other: Side) -> Measured:
    recipe = _recipe(quick)
    ours, theirs, asked = [], [], 0
    with tempfile.TemporaryDirectory() as held:
        home = Path(held) / "home"
        server = Server(home, environment=_QUIET).start()
        try:
            studio = Studio(home)
            for turn in range(repeats + 1):  # the first one warms up, and compares the losses
                run, questions = _in_app(server, studio, recipe)
                pace, losses = other(studio, run, Path(held) / f"turn-{turn}")
                apart = max(abs(a - b) for a, b in zip(_losses(run), losses, strict=True))
                if apart > _APART:
                    return None, f"not compared: losses differ by {apart:.1e}"
                if turn:
                    ours.append(_pace_of(run))
                    theirs.append(pace)
                    asked += questions
        finally:
            server.stop()
    mine, other_pace = statistics.median(ours), statistics.median(theirs)
    return mine / other_pace, (
        f"{mine:.2f} to {other_pace:.2f} steps/s by the clock, medians of {repeats}, "
        f"{asked} requests of the page, losses within {apart:.0e}"
    )


def _in_app(server: Server, studio: Studio, recipe: Recipe) -> tuple[Run, int]:
    """A run with the page open on it, and how many requests the page made meanwhile."""
    with browsing(server.url) as page:
        before = _questions(page)
        asking = Client(server.url, verbose=False)
        run_id = asking.predict(recipe.to_yaml(), api_name="/train")["id"]
        while studio.runs.get(run_id).live:
            page.wait_for_timeout(500)
        asked = _questions(page) - before
    run = studio.runs.get(run_id)
    if run.state != "finished":
        raise RuntimeError(run.error)
    return run, asked


# ---- memory -------------------------------------------------------------------------------------


def _held() -> int:
    """Most bytes this process has held. Not `ru_maxrss`, which begins at the parent's."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def _peak_of(way: str, layers: int) -> tuple[int, float]:
    """Bytes that a run takes beside its resident base, libraries apart, and its last loss."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from benchmarks import training_arms as bench
    from studio.core.model_names import resolve
    from studio.models.pool import LoadedModel

    data = bench.rows("sft", 4)
    recipe = bench.recipe_of("sft", max_steps=2, max_length=64, per_device_train_batch_size=1)
    location = resolve("pocket").location
    tokenizer = AutoTokenizer.from_pretrained(location)
    config = LlamaConfig(
        vocab_size=8000,
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=layers,
        num_attention_heads=16,
        dtype="float32",
    )
    torch.set_num_threads(1)
    torch.manual_seed(0)
    before = _held()
    model = LlamaForCausalLM(config).requires_grad_(False).eval()
    resident = LoadedModel(("bench",), "bench", model, tokenizer, "bench", location)
    if way == "shared":
        arm = bench.here(resident, recipe, data)
    else:
        second = LoadedModel(("two",), "two", copy.deepcopy(model), tokenizer, "two", location)
        arm = bench.stock(second, recipe, data)
    with contextlib.redirect_stdout(io.StringIO()):
        took = arm()
    model(torch.ones((1, 8), dtype=torch.long))  # the resident one is there to answer
    return _held() - before, took.losses[-1]


def peak(repeats: int, quick: bool) -> Measured:
    """Peak memory of a run beside its resident base, against two loaded copies of the base."""
    layers = 4 if quick else 12
    found: dict[str, list[int]] = {"shared": [], "copies": []}
    losses: dict[str, float] = {}
    turns = min(repeats, 3)  # memory hardly varies
    for _ in range(turns):
        for way, held in found.items():
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                size, losses[way] = alone.submit(_peak_of, way, layers).result()
            held.append(size)
    apart = abs(losses["shared"] - losses["copies"])
    if apart > _APART:
        return None, f"not compared: losses differ by {apart:.1e}"
    ours, theirs = (statistics.median(each) for each in found.values())
    return ours / theirs, (
        f"{ours / 1e6:,.0f} to {theirs / 1e6:,.0f} MB, medians of {turns}, "
        f"losses within {apart:.0e}"
    )


ARMS: list[tuple[str, str, Callable[[int, bool], Any]]] = [
    ("in the app, page polling, to a bare TRL script", "0.97 at least", with_the_page),
    ("in the app, page polling, to the same run with no page", "0.97 at least", without_the_page),
    ("peak memory: run and resident base, to two copies", "0.6 at most", peak),
]
