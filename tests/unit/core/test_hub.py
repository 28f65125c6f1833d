"""Models up to the Hub and down from it, against the stand-in, with whatever can go wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.core import hub as ours
from studio.core.errors import ConfigError, WorkspaceError
from studio.core.workspace import check_room
from tests.hub import ROOT, pointing, shell


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / ".cache").mkdir(parents=True)
    (folder / ".cache" / "secret").write_text("no")
    for name in ("README.md", "adapter_config.json", "adapter_model.safetensors"):
        (folder / name).write_text(name)
    return folder


def test_a_push_sends_what_the_preview_says_and_nothing_else(hub, made, tmp_path) -> None:
    handler, endpoint = hub
    files = [name for name, _ in ours.preview(made)]
    assert files == ["README.md", "adapter_config.json", "adapter_model.safetensors"]
    done = shell(tmp_path / "home", endpoint, "hub", "push", str(made), "me/mine", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == sorted(handler.files) == files
    assert handler.created[0]["visibility"] == "private"
    assert set(handler.seen) == {"Bearer hf_made_up"}
    for path in (tmp_path / "home").rglob("*"):
        assert not path.is_file() or b"hf_made_up" not in path.read_bytes()
    assert "hf_made_up" not in done.stdout + done.stderr


# In one process, so that the libraries load once: status of the commit or look -> what is said.
_ALL = """
import json, sys
from pathlib import Path
from studio.core import hub
from studio.core.errors import StudioError
for doing in json.loads(sys.argv[2]):
    try:
        made = hub.push(Path(sys.argv[1]), "me/mine") if doing == "push" else hub.pull("me/mine")
        print("done", getattr(made, "revision", ""))
    except StudioError as error:
        print(type(error).__name__, " ".join(str(error).split()))
"""


def test_each_failure_is_one_sentence_and_the_next_try_works(hub, made, tmp_path) -> None:
    handler, endpoint = hub
    handler.wrong += [401, 403, 404, 429, 500, None]
    doing = ["push"] * 7 + ["pull"]
    environment = {
        **os.environ, **pointing(endpoint), "HF_HOME": str(tmp_path / "hub"),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    command = [sys.executable, "-c", _ALL, str(made), json.dumps(doing)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == len(doing)
    wanted = (
        "refused to write",
        "refused to write",
        "has no me/mine",
        "limits requests",
        "an error on its side",
        "connection was lost",
        "done",
        "done 1",
    )
    for line, part in zip(said, wanted, strict=True):
        assert part in line, (line, part)
    assert "hf_made_up" not in done.stdout
    # Seven tries, and the weights went up once: what the Hub has is not sent again.
    assert len(handler.sent) == 1
    kept = [path.name for path in (tmp_path / "hub").rglob(f"snapshots/{'1' * 40}/*")]
    assert sorted(kept) == ["README.md", "adapter_config.json", "adapter_model.safetensors"]


def test_what_is_public_already_takes_nothing_private(hub, made, tmp_path) -> None:
    handler, endpoint = hub
    handler.private = False
    done = shell(tmp_path / "home", endpoint, "hub", "push", str(made), "me/mine")
    assert done.returncode == 2 and "exists and is public" in done.stderr
    assert not handler.files and not handler.sent


def test_what_cannot_be_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="owner/name"):
        ours.push(tmp_path, "mine")
    with pytest.raises(ConfigError, match="holds no files"):
        ours.preview(tmp_path)
    with pytest.raises(WorkspaceError, match=r"takes about 1,000,000 TB"):
        check_room(tmp_path, 10**18, "me/mine", "Make room.")
