"""ZeroGPU, by a stand-in for its package: answers under the decorator, no training."""

from __future__ import annotations

import inspect
import sys
from types import SimpleNamespace

import pytest

from studio import Recipe
from studio.core.errors import TrainingError
from studio.engine.studio import Studio
from studio.generation import zerogpu
from studio.generation.request import Column, GenerationRequest, Sampling


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
    with pytest.raises(ValueError, match="no memory"):
        zerogpu.streamed(work, streamer)
    assert seen == [[1]]
