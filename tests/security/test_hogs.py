"""Requests that would hold the worker or fill the memory are refused before they begin."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.ui import access, visitor_quota
from components.ui.visitor_quota import Visits
from studio.core.errors import ConfigError, DataError
from studio.data.readers import table_limits, tables
from studio.engine.studio import Studio
from studio.generation import request as requests
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.models.tokenization import encode


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    studio = Studio(tmp_path / "home")

    def never(*work: object) -> None:
        raise AssertionError("it was queued")

    monkeypatch.setattr(studio.worker, "submit", never)
    yield studio
    studio.close()


def long(characters: int, *, at: str) -> GenerationRequest:
    text = "x" * characters
    turns = [{"role": at, "content": text}, {"role": "user", "content": "?"}]
    return GenerationRequest((turns,), (Column("pocket"),))


@pytest.mark.parametrize("at", ["system", "user", "assistant"])
def test_a_prompt_is_measured_before_the_queue(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    with pytest.raises(ConfigError, match="Shorten it"):
        studio.generate(long(requests.MOST_CHARACTERS, at=at))
    monkeypatch.setattr(access, "visitor", lambda: "mallory")
    with pytest.raises(ConfigError, match="Shorten it"):
        Visits(studio).generate(long(visitor_quota.MOST_CHARACTERS, at=at))
    prompts = ("x" * requests.MOST_CHARACTERS + "x",)
    own = GenerationRequest(("?",), (Column("pocket", prompts=prompts),))
    with pytest.raises(ConfigError, match="Shorten it"):
        studio.generate(own)


@pytest.mark.parametrize("stops", [("x",) * 200_000, ("x" * 65,), ("a", "b", "c", "d", "e")])
def test_stop_strings_are_few_and_short(studio: Studio, stops: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="stop strings"):
        studio.generate(
            GenerationRequest(("?",), (Column("pocket"),), Sampling(stop_strings=stops))
        )
    column = Column("pocket", sampling=Sampling(stop_strings=stops))
    with pytest.raises(ConfigError, match="stop strings"):
        studio.generate(GenerationRequest(("?",), (column,)))


def test_a_text_beyond_any_context_is_not_made_into_tokens() -> None:
    def tokenizer(*_: object, **__: object) -> None:
        raise AssertionError("it was read")

    with pytest.raises(ConfigError, match="shorten it"):
        encode(tokenizer, "x" * 100_000, raw=True, context=512)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("nested", [False, True])
def test_a_small_parquet_with_a_huge_cell_is_refused_by_its_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nested: bool
) -> None:
    monkeypatch.setattr(table_limits, "MAX_RECORD", 1 << 20)
    text = "x" * (4 << 20)
    path = tmp_path / "bomb.parquet"
    table = pa.table({"a": ["y", "z"], "b": [[text], ["q"]] if nested else [text, "q"]})
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 1 << 20
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)  # nothing may be decoded
    with pytest.raises(DataError, match=r"bomb.parquet.*unpack"):
        list(tables.read_parquet(path, lambda *_: None))


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_cell_is_no_larger_in_one_container_than_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(table_limits, "MAX_RECORD", 1 << 10)
    monkeypatch.setattr(table_limits, "_MOST_PACKED", 10**9)
    table = pa.table({"a": ["y" * (1 << 11), "z"]})
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
        rows = tables.read_parquet(path, lambda *_: None)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        rows = tables.read_arrow(path, b"ARROW1", lambda *_: None)
    with pytest.raises(DataError, match=r"longer than|dictionary of a takes"):
        list(rows)


def test_rows_that_pack_well_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": ["the same answer"] * 50_000}), path)
    assert sum(1 for _ in tables.read_parquet(path, lambda *_: None)) == 50_000
