"""The Dockerfile, as far as a machine without an engine allows.

Read as an engine reads it: what goes in, who owns it, who runs it. With `STUDIO_DOCKER=1`
(`make test-docker`) its commands run in a clean folder: the installation into an environment of its
own, the files copied, the app started as it says and asked as its health check asks.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import time
import venv
from pathlib import Path

import pytest

from tests.serving import ROOT, UP_WITHIN, free_port

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """(instruction, the rest) in order, comments left out and broken lines joined."""
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(one.split(" ", 1)[0], one.split(" ", 1)[1]) for one in joined.splitlines() if one]


def only(name: str) -> str:
    [found] = [rest for instruction, rest in instructions() if instruction == name]
    return found


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(only("ENV")))


def copied(to: Path) -> None:
    """What `COPY . .` would take: all that is tracked, but for what .dockerignore names."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if name.split("/")[0] not in ignored:
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)


def test_it_runs_unprivileged_and_keeps_everything_in_the_volume():
    order = [name for name, _ in instructions()]
    assert order[0] == "FROM" and only("FROM").startswith("python:3.11")
    assert only("USER") == "user" and order.index("USER") < order.index("CMD")
    assert any("useradd" in rest and "--uid 1000" in rest for _, rest in instructions())
    volume = only("VOLUME")
    assert all(environment()[name].startswith(volume) for name in ("STUDIO_HOME", "HF_HOME"))
    # Installed before the rest is copied, so that a change of ours does not install all again.
    places = [at for at, name in enumerate(order) if name == "COPY"]
    assert order[places[0] : places[1] + 1] == ["COPY", "RUN", "COPY"]
    assert only("EXPOSE") in only("CMD") and only("EXPOSE") in only("HEALTHCHECK")


def test_it_copies_what_is_needed_and_stays_small(tmp_path):
    copied(tmp_path)
    assert not (tmp_path / "tests").exists() and (tmp_path / "presets" / "pocket").is_dir()
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert size < 40_000_000


@pytest.mark.skipif(not os.environ.get("STUDIO_DOCKER"), reason="installs all: make test-docker")
def test_its_commands_run_in_a_clean_folder(tmp_path):
    app, data = tmp_path / "app", tmp_path / "data"
    data.mkdir()
    venv.create(tmp_path / "venv", with_pip=True)
    clean = {
        "PATH": f"{tmp_path / 'venv' / 'bin'}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        **{name: value.replace("/data", str(data)) for name, value in environment().items()},
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
    }
    copied(app)
    [install] = [rest for name, rest in instructions() if name == "RUN" and "pip" in rest]
    subprocess.run(["bash", "-ec", install], cwd=app, env=clean, check=True, timeout=1800)
    port = str(free_port())
    command = [port if word == only("EXPOSE") else word for word in json.loads(only("CMD"))]
    refused = subprocess.run(
        command, cwd=app, env=clean, capture_output=True, text=True, timeout=120
    )
    assert refused.returncode == 2 and "add --auth" in refused.stderr
    check = json.loads(only("HEALTHCHECK").split("CMD ", 1)[1])
    asked = [word.replace(only("EXPOSE"), port) for word in check]
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(
            command, cwd=app, env={**clean, "STUDIO_AUTH": "ada:secret"}, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 5 * UP_WITHIN  # nothing is compiled or cached yet
        while subprocess.run(asked, env=clean, capture_output=True).returncode:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(1)
        assert (data / "studio").is_dir()
    finally:
        running.kill()
        running.wait()
