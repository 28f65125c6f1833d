"""What `benchmarks.training` measures in processes of its own: a run in the app, and memory's peak.

The page is the app's own, polled as an open one polls: the pulse, all handlers of its tick and the
panel's question for news, once a second. The other side is what the same run exports
(`--to script`), and the same run by `python -m studio train` with no page anywhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from studio import Recipe, Studio
from studio.hardware import cores, cpu_name
from studio.training.export import export
from studio.training.runs import Run
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


class Page:
    """Asks the app what an open page asks, once a second, while a run is at work."""

    def __init__(self, url: str):
        self.client = httpx.Client(base_url=url, timeout=60)
        told = self.client.get("config").json()
        held = {each["id"]: each["props"] for each in told["components"]}
        self.session, self.asked = "benchmark", 0
        self.ticks = [
            {"fn_index": each["id"], "session_hash": self.session,
             "data": [held[at].get("value") for at in each["inputs"]]}
            for each in told["dependencies"]
            if any(event == "tick" for _, event in each["targets"])
        ]  # fmt: skip
        self.places = {
            name: at for at, props in held.items() for name in props.get("server_fns") or ()
        }

    def _call(self, name: str, asked: Any) -> None:
        self.client.post("gradio_api/component_server", json={
            "session_hash": self.session, "component_id": self.places[name], "fn_name": name,
            "data": asked,
        }).raise_for_status()  # fmt: skip

    def look(self, run_id: str) -> None:
        self._call("pulse", None)
        for tick in self.ticks:
            self.client.post("gradio_api/run/predict", json=tick).raise_for_status()
        self._call("train_feed", {"run": run_id, "log": {"open": True}})
        self.asked += 1

    @contextlib.contextmanager
    def open_on(self, run_id: str) -> Iterator[None]:
        closed = threading.Event()

        def poll() -> None:
            while not closed.wait(1.0):
                self.look(run_id)

        thread = threading.Thread(target=poll, daemon=True)
        thread.start()
        try:
            yield
        finally:
            closed.set()
            thread.join()


def _recipe(quick: bool) -> Recipe:
    return Recipe.defaults(
        "sft", dataset_name="pocket-sft", max_steps=8 if quick else 60, learning_rate=1e-3,
        max_length=256, sample_steps=0, save_steps=1000, logging_steps=1,
    )  # fmt: skip


def _pace(run: Run) -> float:
    return run.metrics["train_steps_per_second"]


def _losses(run: Run) -> list[float]:
    return [event["loss"] for event in run.events()[0] if "loss" in event]


def _by_script(folder: Path, steps: int) -> tuple[float, list[float]]:
    """Steps a second of the exported script, as the Trainer counts them, and its losses."""
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=folder, env={**os.environ, **_QUIET},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    state = folder / "result" / f"checkpoint-{steps}" / "trainer_state.json"
    logs = json.loads(state.read_text())["log_history"]
    last = next(line for line in reversed(done.stdout.splitlines()) if "train_runtime" in line)
    seconds = float(last.split("'train_runtime': ")[1].strip("'").split("'")[0].split(",")[0])
    return steps / seconds, [entry["loss"] for entry in logs if "loss" in entry]


def _in_shell(home: Path, recipe: Path) -> str:
    words = [sys.executable, "-m", "studio", "train", str(recipe), "--json"]
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **_QUIET, "STUDIO_HOME": str(home)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
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
    return _pace(done), _losses(done)


def _beside_the_app(repeats: int, quick: bool, other: Side) -> Measured:
    recipe = _recipe(quick)
    paces: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as held:
        home = Path(held) / "home"
        server = Server(home, environment=_QUIET).start()
        try:
            studio, page = Studio(home), Page(server.url)
            for turn in range(repeats + 1):  # the first one warms up, and compares the losses
                run = _in_app(server, studio, page, recipe)
                pace, losses = other(studio, run, Path(held) / f"turn-{turn}")
                apart = max(abs(a - b) for a, b in zip(_losses(run), losses, strict=True))
                if apart > _APART:
                    return None, f"not compared: losses differ by {apart:.1e}"
                if turn or quick:
                    paces[0].append(_pace(run))
                    paces[1].append(pace)
        finally:
            server.stop()
    ours, theirs = (statistics.median(found) for found in paces)
    return ours / theirs, (
        f"{ours:.2f} to {theirs:.2f} steps/s by the clock, medians of {len(paces[0])}, "
        f"{page.asked} looks, losses within {apart:.0e}"
    )


def _in_app(server: Server, studio: Studio, page: Page, recipe: Recipe) -> Run:
    started = page.client.post("gradio_api/run/train", json={"data": [recipe.to_yaml()]})
    started.raise_for_status()
    run_id = started.json()["data"][0]["id"]
    with page.open_on(run_id):
        run = studio.wait(run_id)
    if run.state != "finished":
        raise RuntimeError(run.error)
    return run


# ---- memory -------------------------------------------------------------------------------------

_PEAK = """
import copy, gc, resource, sys, tempfile, torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from benchmarks import training as bench
from studio.models.pool import Resident
from studio.models.catalog import resolve
way, layers = sys.argv[1], int(sys.argv[2])
data, recipe = bench.rows("sft", 4), bench.recipe_of("sft", max_steps=2, max_length=64,
    per_device_train_batch_size=1)
location = resolve("pocket").location
tokenizer = AutoTokenizer.from_pretrained(location)
config = LlamaConfig(vocab_size=8000, hidden_size=1024, intermediate_size=2816,
    num_hidden_layers=layers, num_attention_heads=16, dtype="float32")
torch.set_num_threads(1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
torch.manual_seed(0)
model = LlamaForCausalLM(config).requires_grad_(False).eval()
resident = Resident(("bench",), "bench", model, tokenizer, "bench", location)
if way == "shared":
    took = bench.here(resident, recipe, data)()
else:
    second = Resident(("two",), "two", copy.deepcopy(model), tokenizer, "two", location)
    took = bench.stock(second, recipe, data)()
answer = model(torch.ones((1, 8), dtype=torch.long)).logits  # the resident one is there to answer
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print("\\n", peak * 1024, took.losses[-1])
"""


def peak(repeats: int, quick: bool) -> Measured:
    """Peak memory of a run beside its resident base, against two loaded copies of the base.

    Counted from after the libraries are imported.
    """
    layers = 4 if quick else 12
    found: dict[str, list[float]] = {"shared": [], "copies": []}
    losses: dict[str, float] = {}
    for _ in range(min(repeats, 3)):  # memory hardly varies
        for way in found:
            done = subprocess.run(
                [sys.executable, "-c", _PEAK, way, str(layers)], cwd=ROOT,
                env={**os.environ, **_QUIET}, capture_output=True, text=True, check=True,
            )  # fmt: skip
            held, losses[way] = map(float, done.stdout.split()[-2:])
            found[way].append(held)
    apart = abs(losses["shared"] - losses["copies"])
    if apart > _APART:
        return None, f"not compared: losses differ by {apart:.1e}"
    ours, theirs = (statistics.median(each) for each in found.values())
    return ours / theirs, (
        f"{ours / 1e6:,.0f} to {theirs / 1e6:,.0f} MB, medians of {len(found['shared'])}, "
        f"losses within {apart:.0e}"
    )


ARMS: list[tuple[str, str, Callable[[int, bool], Any]]] = [
    ("in the app, page polling, to a bare TRL script", "0.97 at least", with_the_page),
    ("in the app, page polling, to the same run with no page", "0.97 at least", without_the_page),
    ("peak memory: run and resident base, to two copies", "0.6 at most", peak),
]
