"""Bases are kept by what fits: idle ones go first, never the one in training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from studio.core.errors import ModelError
from studio.core.model_names import ModelRef
from studio.models import loading
from studio.models.pool import KEEP_MODELS, ModelPool

GB = 10**9


class Card:
    """A device of 24 GB on which every model takes 10 GB."""

    def __init__(self, pool: ModelPool):
        self.pool = pool

    def free(self, on: object = None) -> int:
        return 24 * GB - 10 * GB * len(self.pool.names())


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelPool:
    pool = ModelPool()
    monkeypatch.setattr(loading, "memory_free", Card(pool).free)
    monkeypatch.setattr(loading, "weight_bytes", lambda *model: 10 * GB)
    monkeypatch.setattr(loading, "load_model", lambda *model: torch.nn.Linear(1, 1))
    monkeypatch.setattr(loading, "load_tokenizer", lambda *model: None)
    monkeypatch.setattr(loading, "fingerprint", lambda *model: "print")
    for name in "abcdef":
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return pool


def test_the_least_recently_used_goes_when_memory_is_short(pool: ModelPool) -> None:
    for name in "abc":
        pool.base(f"./{name}")
    assert [name.rsplit("/")[-1] for name in pool.names()] == ["b", "c"]


def test_what_trains_stays_and_what_does_not_fit_is_refused(
    pool: ModelPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = pool.base("./a")
    pool.pin(trained)
    pool.base("./b")
    pool.base("./c")
    assert [name.rsplit("/")[-1] for name in pool.names()] == ["a", "c"]
    monkeypatch.setattr(loading, "weight_bytes", lambda *model: 20 * GB)
    with pytest.raises(
        ModelError, match=r"d takes about 20.0 GB, and 14.0 GB are free while a run"
    ):
        pool.base("./d")
    assert [name.rsplit("/")[-1] for name in pool.names()] == ["a"]
    pool.unpin()
    pool.base("./d")  # with nothing in training the load itself decides


def test_a_run_lets_idle_bases_go_on_a_gpu_only(
    pool: ModelPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "memory_free", lambda on=None: 1000 * GB)
    pool.base("./a")
    pool.pin(pool.base("./b"))
    assert [name[-1] for name in pool.names()] == ["a", "b"]
    monkeypatch.setattr(loading, "roomiest_device", lambda: torch.device("cuda", 0))
    pool.base("./c")
    pool.pin(pool.base("./d"))
    assert [name[-1] for name in pool.names()] == ["a", "b", "d"]


def test_a_copy_on_the_right_gpu_and_any_copy_to_compare_with(
    pool: ModelPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training names its GPU; what nobody has placed takes the copy there is, the trained first."""
    first, second = torch.device("cuda", 0), torch.device("cuda", 1)
    placed: list[torch.device] = []

    def load(*model: object) -> torch.nn.Module:
        placed.append(model[-1])  # pyright: ignore[reportArgumentType]
        return torch.nn.Linear(1, 1)

    monkeypatch.setattr(loading, "load_model", load)
    monkeypatch.setattr(loading, "memory_free", lambda on=None: 1000 * GB)
    monkeypatch.setattr(loading, "roomiest_device", lambda: first)
    beside = pool.base("./a")
    trained = pool.base("./a", on=second)
    assert placed == [first, second] and trained is not beside
    pool.base("./b")
    pool.base("./a", on=first)  # the newest copy is the one on the other GPU
    pool.pin(trained)
    assert pool.base("./a") is trained and pool.base("./a", on=first) is beside
    assert len(pool.names()) == 3, "idle bases on another GPU stay"
    pool.base("./c", on=second)
    pool.pin(trained)
    assert [name[-1] for name in pool.names()] == ["a", "a", "b"]


@pytest.mark.parametrize(("free", "copied"), [(100 * GB, True), (5 * GB, False)])
def test_a_run_is_merged_into_its_base_where_both_do_not_fit(
    free: int, copied: bool, pool: ModelPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = pool.base("./a")
    base.bytes = 10 * GB
    monkeypatch.setattr(loading, "memory_free", lambda on=None: free)
    monkeypatch.setattr(loading, "load_adapter", lambda model, folder: model)
    monkeypatch.setattr(loading, "merge", lambda adapted, folder: adapted)
    monkeypatch.setattr(loading, "merged", lambda model, folder: torch.nn.Linear(1, 1))
    result = pool._merge(base, Path("adapter"), "merged")
    assert (result is not base.model) == copied == (base.name in pool.names())


def test_a_base_in_training_is_not_merged_into(
    pool: ModelPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = pool.base("./a")
    base.bytes = 10 * GB
    pool.pin(base)
    monkeypatch.setattr(loading, "memory_free", lambda on=None: 5 * GB)
    with pytest.raises(ModelError, match="while a run trains"):
        pool._merge(base, Path("adapter"), "merged")
    assert pool.names() == [base.name]


def test_where_memory_allows_several_stay(pool: ModelPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "memory_free", lambda on=None: 1000 * GB)
    for name in "abcdef":
        pool.base(f"./{name}")
    assert len(pool.names()) == KEEP_MODELS


def test_weights_are_counted_before_they_are_loaded() -> None:
    from studio.core.model_names import resolve

    pocket: ModelRef = resolve("pocket")
    model = loading.load_model(pocket, "float32")
    assert loading.weight_bytes(pocket, "float32") == sum(t.nbytes for t in model.parameters())
    bits = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
    quantized = loading.load_model(pocket, "float32", bits)
    held = sum(tensor.nbytes for tensor in quantized.parameters())
    assert loading.weight_bytes(pocket, "float32", bits) == pytest.approx(held, rel=0.05)
    assert loading.weight_bytes(ModelRef("none", "folder", "/does/not/exist")) == 0


def test_the_attention_kernel_reaches_the_model() -> None:
    pool = ModelPool()
    eager = pool.base("pocket", attention="eager")
    assert eager.model.config._attn_implementation == "eager"
    assert pool.base("pocket", attention="eager") is eager
    assert pool.base("pocket").model.config._attn_implementation == "sdpa"
