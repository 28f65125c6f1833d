"""What people who are no owners, and agents, are told: nothing of what the workspace holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app import build_app
from components.page import shared_folders
from components.ui import access
from studio.commands import COMMANDS
from studio.core.errors import DataError
from studio.core.workspace import ROOT, Workspace
from studio.engine.studio import Studio
from studio.runs.recipe import Recipe
from studio.runs.saved_recipes import Shelf
from tests.asking import owner_asks

MARK = "zebra"


@pytest.fixture
def studio(tmp_path: Path):
    """A workspace in which everything is named after a zebra."""
    studio = Studio(tmp_path / "home")
    rows = [{"instruction": f"Name a thing {n}", "output": f"Thing {n}"} for n in range(9)]
    file = tmp_path / f"{MARK}.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    COMMANDS["data_prepare"](studio, [str(file)], name=f"{MARK}-data")
    Shelf(studio.workspace).save(f"{MARK}-preset", Recipe.defaults(name=f"{MARK}-run"))
    studio.runs.create(Recipe.defaults(name=f"{MARK}-run"))
    studio.labels.create_project(f"{MARK}-project")
    yield studio
    studio.close()


def test_the_page_tells_strangers_no_name_of_the_workspace(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = build_app(studio, visitors=True)
    with owner_asks():
        owners = page.config
        monkeypatch.setattr(access, "visitor", lambda: "mallory")
        strangers = page.config
    assert MARK in json.dumps(owners, default=str)
    secrets = (MARK, str(studio.workspace.home))
    told = [json.dumps(one, default=str) for one in strangers["components"]]
    assert [one[:200] for one in told if any(secret in one for secret in secrets)] == []
    rest = json.dumps({**strangers, "components": []}, default=str)
    assert not any(secret in rest for secret in secrets)
    assert len(strangers["components"]) == len(owners["components"])
    assert MARK not in json.dumps(page.get_api_info(), default=str)


def test_agents_name_files_of_shared_folders_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "home")
    other, inside = tmp_path / "other", tmp_path / "shared" / "model"
    for folder in (other, inside):
        folder.mkdir(parents=True)
    (workspace.exports / "out").symlink_to(other)
    for named in ("/etc", "/etc/none", "~", "..", f"{workspace.exports}/../../other", "a\0b"):
        with pytest.raises(DataError):
            shared_folders.check(named, workspace, path=True)
    with pytest.raises(DataError, match="STUDIO_MCP_FOLDERS"):
        shared_folders.check(f"{workspace.exports}/out", workspace, path=True)
    with pytest.raises(DataError, match="STUDIO_MCP_FOLDERS"):
        shared_folders.check({"model": ["pocket", "/etc"]}, workspace)
    for mixed in (["mine", "/etc:0.1"], "mine; /etc:0.1", '{"path": "/etc", "fraction": 0.1}'):
        with pytest.raises(DataError, match="STUDIO_MCP_FOLDERS"):
            shared_folders.check(mixed, workspace)
    monkeypatch.setenv("STUDIO_MCP_FOLDERS", str(tmp_path / "shared"))
    shared_folders.check([str(inside), str(workspace.exports)], workspace, path=True)
    shared_folders.check(str(ROOT / "presets"), workspace, path=True)
    shared_folders.check(["owner/model", "What is a/b?", 5, None, "x" * 9999], workspace)


def test_an_agent_is_refused_by_the_endpoint(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = build_app(studio)
    preview = next(one.fn for one in page.fns.values() if one.api_name == "hub_preview")
    monkeypatch.setenv("STUDIO_MCP_TOKEN", "a-token-that-is-long")
    with owner_asks(path=access.MCP_PATH, token="a-token-that-is-long"):
        assert access.agent_asks()
        with pytest.raises(Exception, match="not shared with agents"):
            preview("/etc")
