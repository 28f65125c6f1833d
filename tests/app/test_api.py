"""docs/api.md: every endpoint is in it, and its examples run against the real app."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from components.page.api import READ_ONLY
from studio import Commands, Studio
from studio.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
HERE = "http://127.0.0.1:7860"


long = pytest.mark.skipif(not os.environ.get("STUDIO_LOOP"), reason="minutes: make test-loop")


def blocks(mark: str, language: str) -> list[str]:
    return re.findall(rf"<!-- {mark} -->\n```{language}\n(.*?)```", DOC, re.DOTALL)


def test_every_command_is_a_method_and_documented_with_whether_it_changes_anything(tmp_path):
    listed = dict(re.findall(r"^\| `(\w+)` \| .*?( \*)? \|$", DOC, re.MULTILINE))
    assert set(listed) == {*COMMANDS, "compare"}
    assert {name for name, star in listed.items() if not star} == READ_ONLY
    assert {*dir(Commands(Studio(tmp_path)))} == {*COMMANDS}


def test_the_command_line_examples_run(server):
    [script] = blocks("tested", "bash")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(HERE, server.url.rstrip("/"))],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert '"device"' in done.stdout and '"trainable_parameters": 189440' in done.stdout


def test_what_only_the_shell_offers_is_no_parameter(server):
    from gradio_client import Client

    api = Client(server.url, verbose=False).view_api(return_format="dict")
    endpoints = api["named_endpoints"]  # type: ignore[index]
    taken = [one["parameter_name"] for one in endpoints["/data_inspect"]["parameters"]]
    assert "source" in taken and "map" in taken and "problems_out" not in taken


def test_errors_are_plain_sentences_and_values_are_checked(server):
    from gradio_client import Client

    client = Client(server.url, verbose=False)
    with pytest.raises(Exception, match=r"There is no run 'nothing' here\."):
        client.predict(run="nothing", api_name="/runs_show")
    with pytest.raises(Exception, match="learning_rate"):
        client.predict(recipe="learning_rat: 1.0e-4\n", api_name="/train")
    with pytest.raises(Exception, match="generate: max_new_tokens cannot be 0"):
        client.predict(run="x", prompt=["y"], max_new_tokens=0, api_name="/generate")


@long
def test_the_examples_for_gradio_client_run(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = "\n".join(blocks("tested", "python")).replace(HERE, server.url)
    quick = {"max_steps": 3, "warmup_steps": 0, "learning_rate": 0.01}
    script = script.replace('{"max_steps": 40}', repr(quick))
    script = script.replace('"by-api-adapter"', repr(str(tmp_path / "out")))
    found: dict = {}
    exec(compile(script, "docs/api.md", "exec"), found)
    assert found["run"]["state"] == "finished"
    assert len(found["both"]) == 3 and len(found["one"]) == 2
    [duel] = found["results"]["results"]
    assert duel["wins"] + duel["losses"] > 0
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()


@long
def test_the_whole_loop_in_a_short_script(tmp_path):
    [script] = blocks("the loop", "python")
    assert len([line for line in script.splitlines() if line.strip()]) <= 11
    script = script.replace("presets/", f"{ROOT}/presets/")
    environment = {**os.environ, "STUDIO_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    assert "'tuned':" in done.stdout
