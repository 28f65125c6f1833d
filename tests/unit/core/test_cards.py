"""Several GPUs: one is chosen, and everything that a run does follows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import torch

from components.calculator.inputs import Inputs
from components.train import form_options
from components.ui.cards import card_list
from studio import Studio
from studio.calculator import estimate
from studio.calculator.gpus import card_name, find_gpu, gpu_for, this_machine
from studio.core import cards, hardware
from studio.core.errors import ConfigError
from studio.runs.recipe import Recipe
from studio.training import execute, out_of_memory

GB = 10**9
FREE = {0: 3 * GB, 1: 30 * GB, 2: 30 * GB}
"""Bytes free on three cards of 40 GB."""


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """This process with three cards in sight; the list of those that were made current."""
    current = [0]

    def fake(name: str, value: Callable[..., object]) -> None:
        monkeypatch.setattr(torch.cuda, name, value)

    fake("is_available", lambda: True)
    fake("is_bf16_supported", lambda including_emulation=True: True)
    fake("device_count", lambda: 3)
    fake("current_device", lambda: current[-1])
    fake("set_device", current.append)
    fake("mem_get_info", lambda index=None: (FREE[index or 0], 40 * GB))
    fake("memory_reserved", lambda index=None: 5 * GB if index == 0 else 0)
    fake("get_device_name", lambda index=None: f"NVIDIA A100 number {index}")
    fake("get_device_capability", lambda index=None: (8, 0))
    fake("get_arch_list", list)
    fake("empty_cache", lambda: None)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    return current


def test_the_one_with_most_free_memory_or_the_one_named(
    three: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [card.label() for card in cards.cards()][:2] == [
        "GPU 0 · NVIDIA A100 number 0 · 8.0 of 40.0 GB free",  # 5 of which this process holds
        "GPU 1 · NVIDIA A100 number 1 · 30.0 of 40.0 GB free",
    ]
    assert [cards.choose(device) for device in (None, 0, 2)] == [1, 0, 2]
    with pytest.raises(ConfigError, match="device is 3, and this machine has GPU 0 · NVIDIA"):
        cards.choose(3)
    three.append(2)
    monkeypatch.setenv("LOCAL_RANK", "2")  # one of several processes
    assert cards.choose(None) == 2


def test_the_calculator_counts_on_the_one_that_is_chosen(three: list[int]) -> None:
    studio: Any = SimpleNamespace(worker=SimpleNamespace(ready=True))
    found = {card.index: find_gpu(card_name(card.index)) for card in card_list(studio)}
    assert {index: gpu.name[-1] for index, gpu in found.items()} == {0: "0", 1: "1", 2: "2"}
    assert [round(gpu.memory / GB) for gpu in found.values()][:2] == [8, 30]
    on_the_second = Recipe.defaults("sft", device=0)
    assert gpu_for(on_the_second, "This machine, GPU 1").name.endswith("number 1")
    with pytest.raises(ConfigError, match="device is 7"):
        find_gpu("this machine, GPU 7")
    inputs = SimpleNamespace(studio=studio)
    update, seen = Inputs.cards(inputs, None)  # type: ignore[arg-type]
    assert [value for _, value in update["choices"][:4]] == [
        *("this machine", "this machine, GPU 0", "this machine, GPU 1", "this machine, GPU 2")
    ]
    assert Inputs.cards(inputs, seen) == (gr.skip(), gr.skip())  # type: ignore[arg-type]


def test_without_a_gpu_none_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert cards.choose(None) == 0 and cards.cards() == [] and cards.place() == ""
    with pytest.raises(ConfigError, match="device is 0, and this machine has no GPU"):
        cards.choose(0)
    with pytest.raises(ConfigError, match="gives each process its own"):
        Recipe.defaults("sft", device=1, accelerate_config="multi_gpu")


def test_estimates_and_advice_are_of_the_chosen_one(three: list[int]) -> None:
    assert [this_machine(device).memory for device in (None, 0, 2)] == [30 * GB, 8 * GB, 30 * GB]
    recipe = Recipe.defaults("sft", device=0)
    assert estimate(recipe).gpu.memory == estimate(recipe, "this machine").gpu.memory == 8 * GB
    assert estimate(recipe.with_(device=None)).gpu.memory == 30 * GB
    huge = recipe.with_(device=None, per_device_train_batch_size=512, max_length=512)
    on_first = out_of_memory.explain(huge, 0)  # where it was, not where there is room now
    on_second = out_of_memory.explain(huge, 1)
    assert on_first.changes and on_first != on_second


def test_a_run_trains_on_it_and_the_page_looks_at_it(
    three: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(tmp_path / "home")
    monkeypatch.setattr(studio.worker, "start", lambda: None)
    seen: list[object] = []

    def train(run: object, *rest: object, **more: object) -> str:
        seen.append((cards.current(), cards.in_use(), cards.place(), hardware.detect(2).index))
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(execute, "train", train)
    monkeypatch.setattr(execute.out_of_memory, "explain", _told(seen))
    recipe = Recipe.defaults("sft", dataset_name="pocket-sft", device=2)
    run = studio.train(recipe)
    pool = execute.ModelPool()
    ended = execute.execute(run, studio.runs, studio.datasets, pool, lambda: None)
    assert ended.state == "failed" and seen == [(2, 2, " on GPU 2", 2), ("told", 2)]
    assert three[-1] == 0 and cards.in_use() is None
    monkeypatch.setattr(studio.worker, "ready", True)
    with pytest.raises(ConfigError, match="device is 7"):
        studio.train(recipe.with_(device=7))


def _told(seen: list[object]) -> Callable[..., out_of_memory.Exhausted]:
    def explain(recipe: Recipe, device: int | None) -> out_of_memory.Exhausted:
        seen.append(("told", device))
        return out_of_memory.Exhausted("full")

    return explain


def test_the_form_offers_them_where_there_are_several(
    three: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(tmp_path / "home")
    assert form_options.card_update(studio, "")["visible"] is False  # not known yet
    monkeypatch.setattr(studio.worker, "ready", True)
    offered = form_options.card_update(studio, "1")
    assert offered["visible"] and "value" not in offered
    assert [value for _, value in offered["choices"]] == ["", "0", "1", "2"]
    assert "30.0 of 40.0 GB free" in offered["choices"][2][0]
    before = form_options.signature(studio)
    monkeypatch.setitem(FREE, 1, 10 * GB)
    assert form_options.signature(studio) != before
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert form_options.card_update(studio, "")["visible"] is False
    assert form_options.card_update(studio, "2")["visible"]  # came with a recipe: to be seen
