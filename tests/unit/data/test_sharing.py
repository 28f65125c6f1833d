"""Prepared datasets on their way out: files, a card, the Hub's own client against a stand-in."""

import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from studio.core.errors import ConfigError, DataError
from studio.core.workspace import Workspace
from studio.data import DatasetStore, card, export, inspect, push
from studio.data.readers.hub_datasets import origin
from studio.data.readers.sources import locate
from tests.hub import ROOT, pointing, shell
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


def test_held_out_rows_are_paged(prepared):
    assert prepared.page(1, 5, "test") == prepared.head(3, "test")[1:]
    assert prepared.page(50, 10) == prepared.head(57)[50:]


def test_the_card_says_where_rows_came_from_and_what_was_done(prepared):
    text = card(prepared)
    assert text.startswith("---\n")
    for part in ("path: data/test.parquet", "| train | 57 |", "rows.jsonl", prepared.fingerprint):
        assert part in text
    assert "dedupe: dropped 0" in text
    assert "Licence: not stated by the source." in text


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


ASK = """
import json, shutil
from studio import Studio
from studio.data.readers.hub_datasets import origin
from studio.data.readers.sources import locate
from studio.core.errors import WorkspaceError
studio = Studio()
dataset = studio.datasets.prepare("me/letters")
shutil.disk_usage = lambda folder: shutil._ntuple_diskusage(10**6, 10**6, 1000)
try:
    studio.datasets.prepare("me/letters")
except WorkspaceError as error:
    print(json.dumps([origin("me/letters", None), dataset.as_dict(), str(error)]))
"""


def test_a_dataset_comes_from_the_hub_at_one_revision_where_there_is_room(tmp_path, hub):
    handler, endpoint = hub
    rows = [
        {"instruction": f"What is {n} and {n}?", "output": f"It is {2 * n}."} for n in range(40)
    ]
    handler.files["data/train.jsonl"] = "\n".join(map(json.dumps, rows)).encode()
    handler.files["README.md"] = b"---\nlicense: cc-by-4.0\n---\n"
    environment = {
        **os.environ, **pointing(endpoint), "PYTHONPATH": str(ROOT), "HF_DATASETS_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "hf"), "STUDIO_HOME": str(tmp_path / "home"),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    stated, dataset, refused = json.loads(done.stdout)
    assert stated == {"revision": "1" * 40, "license": "cc-by-4.0"}
    assert dataset["provenance"].items() >= stated.items()
    assert sum(dataset["rows"].values()) == len(rows) and dataset["format"] == "alpaca"
    assert refused.startswith("Reading me/letters takes about 0.0 MB") and "Make room" in refused
    assert locate("pocket-sft").origin == {"license": "apache-2.0"}
    assert origin("me/letters", None) == {}  # offline here
