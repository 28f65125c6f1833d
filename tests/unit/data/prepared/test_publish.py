"""Exported files, the dataset card, and pushes to a stand-in for the Hub."""

import pyarrow.parquet as pq
import pytest

from studio.core.errors import ConfigError, DataError
from studio.core.workspace import Workspace
from studio.data import DatasetStore, inspect
from studio.data.prepared.publish import card, export, push
from tests.hub import shell
from tests.unit.data.making import questions, write


@pytest.fixture
def prepared(tmp_path):
    store = DatasetStore(Workspace(tmp_path / "home"))
    return store.prepare(write(tmp_path, questions(60)), "letters")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_export_writes_rows_that_are_read_again(tmp_path, prepared, suffix):
    out = tmp_path / f"out.{suffix}"
    assert export(prepared, out) == 57
    found = inspect(out)
    assert (found.kept, found.sample) == (57, prepared.head(5))
    assert export(prepared, out, "test") == 3
    with pytest.raises(DataError, match=r"name it \.jsonl or \.parquet"):
        export(prepared, tmp_path / "out.xlsx")


def test_the_card_says_where_rows_came_from_and_what_was_done(prepared):
    text = card(prepared)
    assert text.startswith("---\n")
    for part in ("path: data/test.parquet", "| train | 57 |", "rows.jsonl", prepared.fingerprint):
        assert part in text
    assert "dedupe: dropped 0" in text
    assert "License: not stated by the source." in text


def test_push_sends_every_split_and_the_card(tmp_path, prepared, hub):
    handler, endpoint = hub
    done = shell(tmp_path / "home", endpoint, "data", "push", "letters", "me/letters")
    assert done.returncode == 0, done.stderr
    assert handler.created[0]["visibility"] == "private"
    assert sorted(handler.files) == ["README.md", "data/test.parquet", "data/train.parquet"]
    assert handler.files["README.md"].decode() == card(prepared)
    (tmp_path / "back.parquet").write_bytes(handler.files["data/train.parquet"])
    assert pq.read_table(tmp_path / "back.parquet").num_rows == 57
    assert not list((tmp_path / "home" / "exports").glob(".push-*"))


def test_a_refused_token_is_one_sentence(tmp_path, prepared, hub):
    handler, endpoint = hub
    handler.refuse = True
    done = shell(tmp_path / "home", endpoint, "data", "push", "letters", "me/letters")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: The Hub refused to write")


def test_a_name_the_hub_cannot_have_and_no_hub_are_sentences(prepared):
    with pytest.raises(ConfigError, match="owner/name"):
        push(prepared, "letters")
    with pytest.raises(DataError, match="cannot be reached"):
        push(prepared, "me/letters")
