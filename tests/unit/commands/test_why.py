"""What `why` and `runs without` say before anything is computed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from studio.attribution.report import _nothing
from studio.attribution.run_loss import check_rows
from studio.commands.why import _only_dataset, _spec
from studio.core.errors import ConfigError, DataError


def run(**about: Any) -> Any:
    return cast("Any", SimpleNamespace(name="mine", provenance={}, data={}, **about))


def test_a_blend_is_refused_with_the_runs_to_ask():
    blend = run()
    blend.provenance = {"blend": {"of": [{"name": "first"}, {"name": "second"}]}}
    with pytest.raises(DataError, match="ask first or second"):
        check_rows(blend, cast("Any", None))


def test_the_one_dataset_of_a_run_needs_no_name():
    one = run()
    one.data = {"datasets": [{"id": "d1", "name": "bread"}]}
    assert _only_dataset(one) == "d1"
    one.data["datasets"].append({"id": "d2", "name": "cake"})
    with pytest.raises(ConfigError, match="bread, cake; name one"):
        _only_dataset(one)


def test_wrong_steps_are_quoted_as_they_were_typed():
    with pytest.raises(ConfigError, match="not foo,2\\."):
        _spec(run(), ["foo", "2"], True)


def test_rows_against_are_not_denied():
    assert _nothing(False).startswith("Nothing stands out:")
    assert "only against it" in _nothing(True)
