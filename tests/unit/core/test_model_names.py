"""Model names: built in, folders, Hub ids, and names that are none of these."""

from __future__ import annotations

import pytest

from studio.core.errors import ModelError
from studio.core.gguf_models import SMOLLM2
from studio.core.model_names import POCKET, choices, resolve
from studio.core.workspace import PRESETS


def test_the_built_in_model():
    found = resolve(" pocket ")
    assert (found.kind, found.location) == ("builtin", str(PRESETS / "pocket"))
    assert found.label == "Pocket, built in"


def test_a_folder_needs_a_config(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        resolve(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    assert resolve(str(tmp_path)).kind == "folder"


def test_a_hub_id_keeps_its_revision():
    found = resolve("Qwen/Qwen2-0.5B-Instruct", "v1")
    assert (found.kind, found.location, found.revision) == ("hub", found.name, "v1")
    assert found.label == found.name


@pytest.mark.parametrize("name", ["qwen", "a/b/c", "a/../b", "own--er/x", "", "C:\\models\\x"])
def test_other_names_are_refused(name):
    with pytest.raises(ModelError):
        resolve(name)


def test_a_typo_is_named():
    with pytest.raises(ModelError, match='Did you mean "pocket"'):
        resolve("pockett")


def test_suggestions_begin_with_the_built_in_model():
    assert choices()[0] == ("Pocket, built in", POCKET)
    assert all(resolve(name).name == name for _, name in choices() if name != SMOLLM2)
