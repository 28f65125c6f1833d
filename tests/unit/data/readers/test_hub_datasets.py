"""Hub datasets: access errors, streaming, slices, revision, and room on disk."""

import json
import os
import subprocess
import sys
import types

import pytest

from studio.core.errors import DataError
from studio.data import inspect
from studio.data.readers.hub_datasets import origin
from studio.data.readers.sources import locate
from tests.hub import ROOT, pointing


def test_offline_is_said():
    with pytest.raises(DataError, match="cannot be reached"):
        inspect("some-owner/some-name")


def fake_hub(monkeypatch, error):
    from huggingface_hub import HfApi

    def refuse(self, *args, **kwargs):
        raise error

    monkeypatch.setattr(HfApi, "auth_check", refuse)


def test_missing_and_gated_are_different_sentences(monkeypatch):
    import httpx
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    answer = httpx.Response(401, request=httpx.Request("GET", "https://hub.invalid"))
    fake_hub(monkeypatch, RepositoryNotFoundError("no", response=answer))
    with pytest.raises(DataError, match="There is no dataset some/name"):
        inspect("some/name")
    fake_hub(monkeypatch, GatedRepoError("no", response=answer))
    with pytest.raises(DataError, match="is gated"):
        inspect("some/name")


def test_hub_rows_stream_and_slices_are_cut(monkeypatch):
    asked = []

    def load_dataset(name, config, *, split=None, token=None, revision=None, streaming=False):
        asked.append((name, config, split, revision, streaming))
        return iter([{"text": f"row {n}"} for n in range(10)])

    from huggingface_hub import HfApi

    monkeypatch.setattr(HfApi, "auth_check", lambda *args, **kwargs: None)
    newest = types.SimpleNamespace(sha="1234abcd", card_data=None)
    monkeypatch.setattr(HfApi, "dataset_info", lambda *args, **kwargs: newest)
    fake = types.ModuleType("datasets")
    fake.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", fake)
    seen = inspect("owner/name", config="en", split="train[2:5]")
    assert [row["text"] for row in seen.sample] == ["row 2", "row 3", "row 4"]
    assert asked == [("owner/name", "en", "train", "1234abcd", True)]


ASK = """
import json, shutil
from studio import Studio
from studio.data.readers.hub_datasets import origin
from studio.data.readers.sources import locate
from studio.core.errors import WorkspaceError
studio = Studio()
dataset = studio.datasets.prepare("me/letters")
from studio import Recipe
parts = [{"path": "me/letters", "split": "train[:20]", "fraction": 0.5},
         {"path": "pocket-sft", "fraction": 0.5}]
recipe = Recipe.defaults("sft", datasets=parts)
mixed = [one.as_dict() for one in studio.datasets_for(recipe)]
again = [one.id for one in studio.datasets_for(recipe)]
from studio.runs.mixture import draw
counts = draw(recipe, [one["rows"]["train"] for one in mixed]).counts(2)
shutil.disk_usage = lambda folder: shutil._ntuple_diskusage(10**6, 10**6, 1000)
try:
    studio.datasets.prepare("me/letters")
except WorkspaceError as error:
    print(json.dumps([origin("me/letters", None), dataset.as_dict(), str(error),
                      mixed, again, counts]))
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
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    stated, dataset, refused, mixed, again, counts = json.loads(done.stdout)
    hub_part, sample = mixed  # a mixture's entry on the Hub, with a split of its own
    assert hub_part["provenance"]["source"] == "me/letters"
    assert hub_part["provenance"]["options"]["split"] == "train[:20]"
    assert sum(hub_part["rows"].values()) == 20 and hub_part["id"] != dataset["id"]
    assert sample["name"] == "pocket-sft" and again == [one["id"] for one in mixed]
    assert counts[0] == counts[1] == hub_part["rows"]["train"]
    assert stated == {"revision": "1" * 40, "license": "cc-by-4.0"}
    assert dataset["provenance"].items() >= stated.items()
    assert sum(dataset["rows"].values()) == len(rows) and dataset["format"] == "alpaca"
    assert refused.startswith("Reading me/letters takes about 2.4 kB") and "Make room" in refused
    assert locate("pocket-sft").origin == {"license": "apache-2.0"}
    assert origin("me/letters", None) == {}  # offline here
