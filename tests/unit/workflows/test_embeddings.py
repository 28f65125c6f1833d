"""Vectors of an embedding run in Python, the shell and OpenAI's form; a query against documents."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import Recipe, Studio
from studio.cli.answers import VIEWS
from studio.commands import Commands
from studio.core.errors import ConfigError, DataError
from studio.runs.store import Run
from studio.workflows import embeddings
from studio.workflows.embeddings import EmbeddingRequest

COLORS = ("red", "blue", "green", "grey")
PAIRS = [
    {"anchor": f"Which color has house {n}?", "positive": f"House {n} is {COLORS[n % 4]}."}
    for n in range(16)
]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(Path(tmp_path_factory.mktemp("vectors")) / "home")
    studio.datasets.from_rows(PAIRS, "embedding_pairs", "houses")
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def run(studio: Studio) -> Run:
    small = {"dataset_name": "houses", "max_steps": 12, "per_device_train_batch_size": 8}
    small |= {"query_prompt": "query: ", "max_length": 48, "learning_rate": 2e-3, "name": "finder"}
    run = studio.wait(studio.train(Recipe.defaults("embedding", "lora", **small)).id)
    assert run.state == "finished", run.error
    return run


def test_texts_become_vectors(studio: Studio, run: Run, tmp_path: Path) -> None:
    do = Commands(studio)
    path = tmp_path / "texts.txt"
    path.write_text("Which color has house 3?\n\n", encoding="utf-8")
    found = do.embed(run="finder", texts=path, text=["House 3 is grey."])
    assert found["dimensions"] == 256 and len(found["vectors"]) == 2
    assert all(sum(x * x for x in one) == pytest.approx(1, abs=1e-5) for one in found["vectors"])
    assert found["vectors"] != do.embed(run="finder", texts=path, text=["Other."])["vectors"]
    document = do.embed(run="finder", text=["House 3 is grey."], side="document")["vectors"][0]
    assert document != pytest.approx(found["vectors"][1], abs=1e-4)  # the prompt is the query's
    base = do.embed(run="finder", text=["House 3 is grey."], base=True)["vectors"][0]
    assert base != pytest.approx(found["vectors"][1], abs=1e-4)
    short = do.embed(run="finder", text=["House 3 is grey."], dimensions=8)["vectors"][0]
    assert len(short) == 8 and sum(x * x for x in short) == pytest.approx(1, abs=1e-5)
    assert "256 dimensions" in VIEWS["embed"].render(found)


def test_a_query_finds_its_document_and_moves_are_marked(studio: Studio, run: Run) -> None:
    found = Commands(studio).search(run="finder", query=PAIRS[5]["anchor"], data="houses", limit=16)
    assert found["documents"] == 16 and len(found["tuned"]) == 16
    place = {one["text"]: one["rank"] for one in found["base"]}
    assert all(one["moved"] == place[one["text"]] - one["rank"] for one in found["tuned"])
    assert sum(one["moved"] for one in found["tuned"]) == 0
    assert [one["similarity"] for one in found["tuned"]] == sorted(
        (one["similarity"] for one in found["tuned"]), reverse=True
    )
    text = VIEWS["search"].render(found)
    assert "16 documents of houses" in text and "tuned" in text


def test_what_gives_no_vectors_is_said(studio: Studio, run: Run) -> None:
    do = Commands(studio)
    small = {"dataset_name": "pocket-sft", "max_steps": 1, "per_device_train_batch_size": 1}
    other = studio.train(Recipe.defaults("sft", name="writer", sample_steps=0, **small))
    studio.stop(other.id, now=True)
    studio.wait(other.id)
    with pytest.raises(ConfigError, match="gives no vectors"):
        do.embed(run="writer", text=["a"])
    with pytest.raises(ConfigError, match="no texts"):
        do.embed(run="finder")
    with pytest.raises(ConfigError, match="query is empty"):
        do.search(run="finder", query=" ", data="houses")
    rows = [{"prompt": f"Question {n}?"} for n in range(4)]
    studio.datasets.from_rows(rows, "prompt_only", "asked")
    with pytest.raises(DataError, match="no documents"):
        do.search(run="finder", query="who", data="asked")
    with pytest.raises(Exception, match="cannot be cut out"):
        do.embed(run="finder", text=["a"], dimensions=999)


def test_openais_form(studio: Studio, run: Run) -> None:
    assert embeddings.models(studio) == {"finder": run.id}
    asked = EmbeddingRequest(model="finder", input="House 1 is blue.", encoding_format="base64")
    found = embeddings.embed(studio, run, asked.texts, "plain").result()
    answer = embeddings.reply(asked, found)
    packed = base64.b64decode(answer["data"][0]["embedding"])
    assert struct.unpack("<256f", packed) == pytest.approx(found.vectors[0], rel=1e-6)
    assert answer["usage"]["prompt_tokens"] > 4
    with pytest.raises(ValueError, match="at most 2,048 texts"):
        EmbeddingRequest(model="finder", input=["a"] * 2049)
