"""The library as functions: list, tag, delete, restore, clean up."""

from __future__ import annotations

import pytest

from studio import Commands
from studio.core.errors import ConfigError


def entry(do: Commands, id: str) -> dict:
    return next(one for one in do.models_list() if one["id"] == id)


def test_what_is_not_given_stays(do: Commands, tuned):
    do.models_tag(tuned.id, star=True, tag=["keep"])
    do.models_tag(tuned.id, note="ok")
    assert entry(do, tuned.id)["mark"] == {"star": True, "tags": ["keep"], "note": "ok"}
    assert do.models_tag(tuned.id, star=False)["star"] is False


def test_a_deleted_run_can_be_restored(do: Commands, tuned):
    assert do.models_delete(tuned.id)["name"] == "tuned"
    assert tuned.id not in [one["id"] for one in do.models_list()]
    assert do.models_restore(tuned.id)["id"] == tuned.id
    base = next(one["id"] for one in do.models_list() if one["kind"] == "base")
    with pytest.raises(ConfigError, match="base"):
        do.models_delete(base)


def test_clean_up_lists_first_and_removes_when_told_to(do: Commands, studio, tuned):
    do.models_delete(tuned.id)
    listed = do.models_clean()
    assert listed["waste"] and listed["freed"] == 0
    assert do.models_clean()["waste"] == listed["waste"]  # the free disk moves between two calls
    assert do.models_clean(yes=True)["freed"] > 0
    assert do.models_clean()["waste"] == []
