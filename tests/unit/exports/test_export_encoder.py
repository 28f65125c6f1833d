"""Text encoders exported: folders that stock sentence-transformers loads, with a run's vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoConfig

from studio import Recipe, Studio
from studio.commands import Commands
from studio.core import hub
from studio.core.errors import StudioError
from studio.exports import ExportRequest, encoder_gguf, serve_commands
from studio.runs.store import Run

PAIRS = [{"anchor": f"What is number {n}?", "positive": f"It is {n}, a number."} for n in range(24)]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(Path(tmp_path_factory.mktemp("encoders")) / "home")
    path = studio.workspace.home / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PAIRS), encoding="utf-8")
    studio.datasets.prepare(path, name="pairs")
    yield studio
    studio.close()


def trained(studio: Studio, method: str) -> Run:
    small = {"dataset_name": "pairs", "max_steps": 2, "per_device_train_batch_size": 8}
    small |= {"query_prompt": "query: ", "max_length": 48, "learning_rate": 1e-3}
    run = studio.wait(studio.train(Recipe.defaults("embedding", method, **small)).id)
    assert run.state == "finished", run.error
    return run


@pytest.fixture(scope="module")
def run(studio: Studio) -> Run:
    return trained(studio, "lora")


@pytest.mark.parametrize("to", ["adapter", "merged"])
def test_an_export_gives_the_runs_vectors_in_stock_sentence_transformers(
    studio: Studio, run: Run, to: str, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    made = Commands(studio).runs_export(run=run.id, to=to, out=tmp_path / to)
    texts = [row["anchor"] for row in PAIRS]
    stock = SentenceTransformer(str(tmp_path / to), device="cpu").encode_query(texts)
    ours = Commands(studio).embed(run=run.id, text=texts)["vectors"]
    assert abs(stock - ours).max() < 1e-6
    assert made["figures"]["largest_difference"] < 1e-6 and made["figures"]["agreement"] == 1
    card = (tmp_path / to / "README.md").read_text(encoding="utf-8")
    assert "library_name: sentence-transformers" in card and "recall@1" in card
    assert (
        "query: " in card and str(tmp_path) not in card and str(studio.workspace.home) not in card
    )
    assert {"README.md", "modules.json", "1_Pooling/config.json"} <= set(made["files"])
    if to == "adapter":  # pocket is a folder of this machine
        with pytest.raises(StudioError, match="export the run merged"):
            hub.push(tmp_path / to, "ada/finder")
    record = json.loads((tmp_path / to / "export.json").read_text(encoding="utf-8"))
    assert "SentenceTransformer" in serve_commands.loading(record)
    served = dict(serve_commands.commands(record))
    assert ("--runner pooling" in served.get("vLLM", "")) == (to == "merged")


def test_a_full_fine_tune_is_exported_merged(studio: Studio, tmp_path: Path) -> None:
    run = trained(studio, "full")
    made = Commands(studio).runs_export(run=run.id, to="merged", out=tmp_path / "whole")
    assert made["figures"]["largest_difference"] < 1e-6
    with pytest.raises(StudioError, match="has no adapter"):
        Commands(studio).runs_export(run=run.id, to="adapter", out=tmp_path / "adapter")


def _base(family: str) -> Any:
    """What `check` reads of a base."""
    config = AutoConfig.for_model(family)
    return SimpleNamespace(model=SimpleNamespace(config=config))


@pytest.mark.parametrize("outtype", ["f32", "q8_0"])
def test_a_gguf_gives_the_runs_vectors_and_names_its_pooling(
    studio: Studio, run: Run, outtype: str, tmp_path: Path
) -> None:
    from gguf import GGUFReader

    out = tmp_path / "gguf"
    made = Commands(studio).runs_export(run=run.id, to="gguf", out=out, outtype=outtype)
    off = made["figures"]["largest_difference"] / made["figures"]["largest_logit"]
    assert off < {"f32": 1e-4, "q8_0": 6e-2}[outtype]
    assert made["figures"]["mean_difference_from_base"] > made["figures"]["mean_difference"]
    reader = GGUFReader(out / f"model-{outtype}.gguf")
    assert int(reader.fields["llama.pooling_type"].contents()) == 1  # the mean
    assert "embedding=True" in serve_commands.loading(made)
    card = (out / "README.md").read_text(encoding="utf-8")
    assert f"llama-server -m model-{outtype}.gguf --embeddings --pooling mean" in card
    assert "query: " in card and "recall@1" in card and "SentenceTransformer" not in card


def test_what_an_encoder_cannot_be_exported_as(studio: Studio, run: Run, tmp_path: Path) -> None:
    asked = ExportRequest(run.id, "gguf", tmp_path, "q4_k_m")
    with pytest.raises(StudioError, match="choose the outtype f32"):
        encoder_gguf.check(_base("llama"), asked)
    with pytest.raises(StudioError, match=r"family bert .* Missing is llama.cpp's convert_hf_to"):
        encoder_gguf.check(_base("bert"), ExportRequest(run.id, "gguf", tmp_path))
    with pytest.raises(StudioError, match="sentence-transformers"):
        Commands(studio).runs_export(run=run.id, to="script", out=tmp_path / "script")
