"""Rows written straight to a file, without a workspace."""

import pytest

from studio.core.errors import DataError
from studio.data import inspect
from studio.data.prepared.writing import prepare_to_file
from tests.unit.data.making import numbered, write


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_prepare_to_file_writes_all_rows_that_stock_datasets_reads(tmp_path, suffix):
    from datasets import load_dataset

    out = tmp_path / f"out.{suffix}"
    summary = prepare_to_file(write(tmp_path, numbered(40)), out)
    assert (summary["rows"], summary["kept"], summary["type"]) == (40, 40, "prompt_completion")
    kind = "json" if suffix == "jsonl" else "parquet"
    loaded = load_dataset(kind, data_files=str(out), split="train", cache_dir=str(tmp_path / "c"))
    assert loaded.num_rows == 40
    assert loaded[0]["prompt"][0]["content"] == "Question 0?"
    assert inspect(out).kept == 40


def test_prepare_to_file_refuses_what_it_cannot_write(tmp_path):
    path = write(tmp_path, numbered(3))
    with pytest.raises(DataError, match=r"name it \.jsonl or \.parquet"):
        prepare_to_file(path, tmp_path / "out.xlsx")
    with pytest.raises(DataError, match="no folder"):
        prepare_to_file(path, tmp_path / "nowhere" / "out.jsonl")
