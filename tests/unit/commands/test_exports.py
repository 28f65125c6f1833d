"""Exports, imports and the Hub as functions. (Verified exports: tests/unit/exports.)"""

from __future__ import annotations

import pytest

from studio import Commands
from studio.core.errors import ConfigError, ModelError


def test_a_result_needs_a_folder(do: Commands, tuned):
    with pytest.raises(ConfigError, match="Name a folder"):
        do.runs_export("tuned", to="adapter")
    with pytest.raises(ConfigError, match="to cannot be 'onnx'"):
        do.runs_export("tuned", to="onnx")


def test_what_is_no_adapter_is_refused(do: Commands, tmp_path):
    with pytest.raises(ConfigError, match="There is no folder"):
        do.runs_import(tmp_path / "none")
    with pytest.raises(ModelError, match="no adapter"):
        do.runs_import(tmp_path)


def test_the_preview_lists_exactly_what_a_push_sends(do: Commands, tmp_path):
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / ".secret").write_text("x")
    assert do.hub_preview(tmp_path) == {"files": [{"name": "a.json", "bytes": 2}]}
    with pytest.raises(ConfigError, match="owner/name"):
        do.hub_push(tmp_path, "nobody")
    with pytest.raises(ConfigError, match="owner/name"):
        do.hub_pull("nobody")
