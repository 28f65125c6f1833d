"""A source is a path only if it looks like one; otherwise an alias or a Hub ID."""

import json

import pytest

from studio.core.errors import DataError
from studio.data import SAMPLES, inspect
from studio.data.readers.sources import locate


def test_shipped_samples_are_recognised():
    kinds = {alias: inspect(alias, limit=50).type for alias in SAMPLES}
    assert kinds["pocket-sft"] in ("conversational", "prompt_completion")
    assert kinds["pocket-preference"] == "preference"


def test_a_hub_id_is_never_read_as_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "name").mkdir()
    assert locate("owner/name").hub == "owner/name"
    assert locate("squad").hub == "squad"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("", "No source"),
        ("a/b/c", "neither a file nor a Hub id"),
        ("https://example.org/x", "neither a file nor a Hub id"),
        ("./missing", "There is no file"),
        ("missing.csv", "There is no file"),
        ("-rf", "neither a file nor a Hub id"),
        ([], "No files were given"),
    ],
)
def test_sources_that_name_nothing(source, sentence):
    with pytest.raises(DataError, match=sentence):
        locate(source)


def test_a_misspelt_file_is_answered_with_the_nearest_name(tmp_path):
    (tmp_path / "letters.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r'Did you mean "letters.jsonl"\?'):
        locate(str(tmp_path / "leters.jsonl"))


def test_a_folder_of_shards_is_read_in_order_of_name(tmp_path):
    for n in (2, 1):
        (tmp_path / f"part-{n}.jsonl").write_text(json.dumps({"text": f"shard {n}"}) + "\n")
    (tmp_path / "README.md").write_text("not data")
    (tmp_path / "dataset_info.json").write_text("{}")
    seen = inspect(tmp_path)
    assert [row["text"] for row in seen.sample] == ["shard 1", "shard 2"]
