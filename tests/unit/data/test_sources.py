"""A source is a path only when it looks like one; otherwise an alias or a Hub id."""

import sys
import types

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
