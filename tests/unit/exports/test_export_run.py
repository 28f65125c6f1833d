"""Exports of a small run: proven, whole and loaded by stock libraries, or nothing but a word."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio import Studio
from studio.core.errors import ConfigError, ModelError
from studio.exports import (
    RECORD,
    ExportRequest,
    export_run,
    gguf_architectures,
    gguf_file,
    gguf_tokenizer,
    llama_cpp_check,
    verify,
)
from studio.runs.store import Run
from tests.unit.exports import shapes
from tests.unit.exports.conftest import exported
from tests.unit.exports.shapes import POCKET, SHAPES, every_merge, sentencepiece_like
from tests.unit.training.conftest import small

pytestmark = pytest.mark.slow  # real runs


def answer(model: Any, folder: Path, **given: str) -> str:
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, **given)
    turns = [{"role": "user", "content": "What is the taste of honey, number 2?"}]
    ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt")
    out = model.generate(**ids, max_new_tokens=8, do_sample=False)
    return tokenizer.decode(out[0, ids["input_ids"].shape[1] :])


def test_three_exports_say_the_same_with_stock_libraries(
    studio: Studio, sft: Run, tmp_path: Path
) -> None:
    for to in ("adapter", "merged", "gguf"):
        record = exported(studio, sft, to, tmp_path / to)
        assert record["figures"]["agreement"] > 0.9
        here = sorted(path.name for path in (tmp_path / to).iterdir())
        assert sorted([*record["files"], RECORD]) == here
    base: Any = AutoModelForCausalLM.from_pretrained(POCKET, dtype=torch.float32)
    bare = answer(base, POCKET)
    tuned = answer(PeftModel.from_pretrained(base, tmp_path / "adapter"), tmp_path / "adapter")
    merged: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    file = {"gguf_file": "model-q8_0.gguf"}
    gguf: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "gguf", **file)
    assert tuned != bare
    assert answer(merged, tmp_path / "merged") == tuned
    assert answer(gguf, tmp_path / "gguf", **file) == tuned


def test_the_card_says_what_was_proven(studio: Studio, sft: Run, tmp_path: Path) -> None:
    record = exported(studio, sft, "adapter", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    for part in (
        "library_name: peft",
        "## Checked",
        "loss.png",
        sft.data["fingerprint"],
        "License: not stated",
        "PeftModel.from_pretrained",
        "method: lora",
    ):
        assert part in card, part
    assert str(tmp_path) not in card and str(Path.home()) not in card
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == record["base"] == "pocket"


@pytest.fixture
def trained_nothing(studio: Studio, sft: Run) -> Run:
    """A run whose adapter is the zero it began as."""
    from safetensors.torch import load_file, save_file

    run = studio.runs.create(small("sft", "facts", name="nothing"))
    shutil.copytree(sft.folder / "adapter", run.folder / "adapter")
    path = run.folder / "adapter" / "adapter_model.safetensors"
    save_file({key: value * 0 for key, value in load_file(path).items()}, path)
    return studio.runs.update(run.id, state="finished", base=sft.base)


@pytest.mark.parametrize("to", ["adapter", "merged"])
def test_a_run_that_learned_nothing_is_no_export(
    studio: Studio, trained_nothing: Run, tmp_path: Path, to: str
) -> None:
    job = studio.export(ExportRequest(trained_nothing.id, to, tmp_path / "out"))
    job.wait(60)
    assert job.error and "exactly as its base does" in job.error
    assert not list(tmp_path.iterdir())


def test_an_export_that_is_the_base_is_an_error(studio: Studio, sft: Run, tmp_path: Path) -> None:
    """As if merging had silently done nothing."""
    keep = export_run.loading.merge
    export_run.loading.merge = lambda adapted, folder: adapted.unload()
    try:
        job = studio.export(ExportRequest(sft.id, "merged", tmp_path / "out"))
        job.wait(60)
    finally:
        export_run.loading.merge = keep
    assert job.error and ("it lost what was learned" in job.error or "nearer" in job.error)
    assert not list(tmp_path.iterdir())


def test_a_wrong_layout_is_caught(studio: Studio, sft: Run, tmp_path: Path) -> None:
    """As if q and k had not been laid out as ggml rotates them."""
    keep = gguf_file._interleaved
    gguf_file._interleaved = lambda values, heads: values
    try:
        job = studio.export(ExportRequest(sft.id, "gguf", tmp_path / "out", "f32"))
        job.wait(60)
    finally:
        gguf_file._interleaved = keep
    assert job.error and "differs from the run" in job.error
    assert not list(tmp_path.iterdir())


def test_where_memory_is_short_an_export_is_merged_on_the_cpu(
    studio: Studio, sft: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.exports.load_parts import device_for

    monkeypatch.setattr(export_run.loading, "device", lambda: torch.device("cuda", 0))
    for free, kind in ((10**12, "cuda"), (10**6, "cpu")):
        monkeypatch.setattr(export_run.loading, "memory_free", lambda free=free: free)
        assert device_for(sft, studio.runs, quantized=False).type == kind


def test_an_export_lets_idle_bases_go_and_says_when_memory_runs_out(
    studio: Studio, sft: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def full(*given: object) -> object:
        done.append("read")
        raise torch.OutOfMemoryError("injected")

    monkeypatch.setattr(export_run.ModelPool, "release_idle", lambda pool: done.append("let go"))
    monkeypatch.setattr(export_run.verify, "read", full)
    job = studio.export(ExportRequest(sft.id, "merged", tmp_path / "out"))
    job.wait(60)
    assert done == ["let go", "read"]
    assert job.error and "ran out of memory" in job.error and "adapter" in job.error
    assert not list(tmp_path.iterdir())


READER = """
import numpy as np
__version__ = "1.0"
class Llama:
    def __init__(self, file, n_ctx, **_):
        self.scores, self.n_tokens = np.ones((n_ctx, 1536), np.single), 0
    def reset(self): self.n_tokens = 0
    def eval(self, tokens): self.n_tokens += len(tokens)
    def tokenize(self, text, add_bos, special):
        import tokenizers
        return tokenizers.Tokenizer.from_file(WORDS).encode(text.decode()).ids
"""


@pytest.mark.parametrize(
    ("module", "word"),
    [
        (
            READER.replace("WORDS", repr(f"{POCKET}/tokenizer.json")),
            "Read by llama.cpp: The export",
        ),
        (READER.replace("np.ones((n_ctx, 1536)", "1 / 0"), None),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", None),
    ],
    ids=["reads another model", "cannot", "crashes"],
)
def test_llama_cpp_is_asked_where_it_is_installed(
    studio: Studio,
    sft: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    word: str | None,
) -> None:
    (tmp_path / "llama_cpp.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(llama_cpp_check, "installed", lambda: True)
    job = studio.export(ExportRequest(sft.id, "gguf", tmp_path / "out"))
    job.wait(120)
    if word:
        assert job.error and word in job.error
        assert not (tmp_path / "out").exists()
    else:
        assert "Not compared in llama.cpp" in (tmp_path / "out" / "README.md").read_text()


def test_stopped_or_without_room_leaves_nothing(
    studio: Studio, sft: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = studio.export(ExportRequest(sft.id, "gguf", tmp_path / "out"))
    job.cancel()
    job.wait(60)
    assert job.error == "The export was stopped."
    disk = namedtuple("disk", "total used free")
    monkeypatch.setattr(export_run.shutil, "disk_usage", lambda path: disk(1, 1, 1000))
    job = studio.export(ExportRequest(sft.id, "merged", tmp_path / "out"))
    job.wait(60)
    assert job.error and "The export takes about" in job.error
    assert not list(tmp_path.iterdir())


def test_bad_requests_are_sentences(studio: Studio, sft: Run, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists and is not empty"):
        studio.export(ExportRequest(sft.id, "merged", tmp_path / "full"))
    with pytest.raises(ConfigError, match="adapter, merged, gguf"):
        studio.export(ExportRequest(sft.id, "onnx", tmp_path / "new"))
    with pytest.raises(ConfigError, match="q8_0, f16"):
        studio.export(ExportRequest(sft.id, "gguf", tmp_path / "new", "q4_k"))


def test_what_gguf_cannot_say_is_refused_by_name() -> None:
    def refused(name: str, **differs: Any) -> str:
        config_class, _, own, _ = SHAPES[name]
        with pytest.raises(ModelError) as caught:
            gguf_architectures.family_of(config_class(**{**own, **differs}))
        return str(caught.value)

    longrope = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}
    assert "biases" in refused("Llama", attention_bias=True)
    assert "dynamic" in refused("Qwen2", rope_parameters=longrope)
    assert "query_pre_attn_scalar" in refused("Gemma-2", query_pre_attn_scalar=100)
    assert "every sixth layer" in refused("Gemma-3", sliding_window_pattern=3)
    assert "gelu" in refused("Llama", hidden_act="gelu")
    odd = SHAPES["Llama"][0](**SHAPES["Llama"][2])
    odd.model_type = "mamba"
    with pytest.raises(ModelError, match="mamba model cannot be written"):
        gguf_architectures.family_of(odd)


def test_merges_that_scores_cannot_say_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = sentencepiece_like("gemma")
    writer = mock.Mock()
    gguf_tokenizer.describe(writer, tokenizer, len(tokenizer))
    assert writer.add_token_scores.called
    every = every_merge(tokenizer.get_vocab())
    whole = {left + right: (left, right) for left, right in reversed(every)}
    monkeypatch.setattr(shapes, "every_merge", lambda _: [*reversed(whole.values())])
    with pytest.raises(ModelError, match="merges are not SentencePiece's"):
        gguf_tokenizer.describe(writer, sentencepiece_like("gemma"), len(tokenizer))


def test_a_chat_template_for_other_readers() -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(POCKET)
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes"}]
    wanted = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    tokenizer.chat_template = gguf_tokenizer.plain_template(tokenizer.chat_template)
    assert "generation" not in tokenizer.chat_template.replace("add_generation_prompt", "")
    again = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert again == wanted


def test_a_sure_answer_may_not_change() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0], [0.0, 5.0, 4.9], [0.0, 0.0, 9.0]])
    run = verify.ModelAnswers([[0]], [[1, 2]], [logits[1:]])
    run = verify.ModelAnswers([[0]], [[1, 2]], [logits[[1, 2, 0]]])
    verify._check_answers(run, [[2]], tie=0.2)
    with pytest.raises(ModelError, match="was sure"):
        verify._check_answers(run, [[2]], tie=0.05)
