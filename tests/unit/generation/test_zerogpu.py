"""ZeroGPU: answers under the decorator, no training.

One test runs the hardware's real package, its API and its GPU faked; the others a stand-in for it.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from studio import Recipe
from studio.core.errors import ModelError, TrainingError
from studio.engine.studio import Studio
from studio.generation import zerogpu
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.models import loading


@pytest.fixture
def borrowed(monkeypatch):
    """The functions that were called under the decorator."""
    called = []

    def gpu(duration):
        def decorate(task):
            assert inspect.isgeneratorfunction(task)

            def call(*given):
                called.append((task.__name__, duration))
                yield from task(*given)

            return call

        return decorate

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=gpu))
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    return called


def test_training_says_why_not(tmp_path, borrowed):
    studio = Studio(tmp_path / "home")
    with pytest.raises(TrainingError, match="ZeroGPU lends its GPU for minutes"):
        studio.train(Recipe.defaults("sft", dataset_name="pocket-sft"))
    assert not studio.runs.list()
    zerogpu.announce()


def test_the_device_is_the_cpu_until_the_gpu_is_lent(borrowed, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # so says the package, anywhere
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    devices = []

    def work(streamer):
        devices.append(loading.device().type)

    zerogpu.streamed(work, SimpleNamespace(end=lambda: None))
    assert [*devices, loading.device().type] == ["cuda", "cpu"]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("spaces") is None, reason="needs the package of ZeroGPU, spaces")
def test_answers_of_a_space_on_zerogpu(tmp_path):
    """The real package: loading in the worker's thread, the rest in the process it forks."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.generation.zerogpu_space", str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    (greedy,), (sampled,), (broken,), (refused,) = (
        told[name] for name in ("greedy", "sampled", "broken", "refused")
    )
    assert greedy["error"] is None and greedy["ids"] == told["stock"]
    assert sampled["error"] is None and sampled["ids"] == told["stock_sampled"]
    assert sampled["ids"] != greedy["ids"]  # or the seed was not looked at
    assert broken["error"].startswith("The device ran out of memory here")
    assert refused["error"].startswith("ZeroGPU did not lend its GPU: ")
    there = told["places"]
    assert {(each["ids"], each["model"]) for each in there} == {("cuda:0", "cuda:0")}
    assert told["pid"] not in {each["pid"] for each in there}
    assert len({each["pid"] for each in there}) == 3  # a process knows one call's work
    assert (told["kept"], told["left"]) == (0, 0)  # and neither it nor its function is left
    assert told["device"] == "cpu" and told["note"].startswith("ZeroGPU lends")
    assert [path for path, _ in told["asked"][:3]] == ["/schedule", "/allow", "/release"]


@pytest.mark.slow
def test_answers_are_the_same_and_made_under_the_decorator(tmp_path, borrowed, monkeypatch):
    studio = Studio(tmp_path / "home")
    asked = GenerationRequest(
        ("Who are you?", "Tell me about the sea."), (Column("pocket"),), Sampling(max_new_tokens=8)
    )
    lent = studio.generate(asked)
    assert lent.wait(120) and borrowed == [("made", zerogpu.LONGEST)]
    monkeypatch.delenv("SPACES_ZERO_GPU")
    here = studio.generate(asked)
    assert here.wait(120) and len(borrowed) == 1
    texts = [[cell.text for cell in one.snapshot().answers[0]] for one in (lent, here)]
    assert texts[0] == texts[1] and all(texts[0])
    studio.close()


def test_an_error_there_is_an_error_here(borrowed):
    def work(streamer):
        streamer.put(SimpleNamespace(tolist=lambda: [1]))
        raise ValueError("no memory")

    seen = []
    streamer = SimpleNamespace(put=lambda value: seen.append(value.tolist()), end=lambda: None)
    with pytest.raises(RuntimeError, match="ValueError: no memory"):
        zerogpu.streamed(work, streamer)
    assert seen == [[1]]


def test_a_fault_of_the_borrowed_card_asks_for_no_restart(borrowed):
    def work(streamer):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(ModelError, match="Ask again"):
        zerogpu.streamed(work, SimpleNamespace())
