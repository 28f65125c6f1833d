"""What `benchmarks.peers` makes of its arms: ratios, arms that cannot run, and their one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import peers, peers_arms


def test_an_arm_that_cannot_be_installed_is_skipped_and_named(tmp_path, monkeypatch, capsys):
    made = {"seconds": 2.0, "held_out": 1.0}
    asked: list[str] = []

    def place(name: str, folder: Path) -> str | peers.Skipped:
        return "python" if name == "studio" else peers.Skipped("No matching distribution")

    def one(arm: str, python: str, given: dict) -> dict:
        asked.append(arm)
        return dict(made)

    monkeypatch.setattr(peers, "environment", place)
    monkeypatch.setattr(peers, "one", one)
    monkeypatch.setattr(peers, "prepare", lambda *_: {})
    given = [str(tmp_path / "rows.json"), "--arms", "studio,llama-factory", "--repeats", "2"]
    assert peers.main(given) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert asked == ["studio", "studio"]
    assert {"arm": "llama-factory", "skipped": "No matching distribution"} in told
    assert told[-1] == {"seconds, to the studio's": {"studio": 1.0}}
    with pytest.raises(SystemExit):
        peers.main([str(tmp_path), "--arms", "nobody"])


def test_a_missing_package_is_the_reason(tmp_path):
    assert peers.environment("studio", tmp_path) == sys.executable
    python = tmp_path / "trl" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho ModuleNotFoundError: trl >&2\nexit 1\n")
    python.chmod(0o700)
    assert peers.environment("trl", tmp_path) == peers.Skipped("ModuleNotFoundError: trl")


def test_medians_are_compared_with_the_studio():
    runs = [{"arm": "studio", "seconds": 2.0}, {"arm": "trl", "seconds": 3.0}]
    runs += [{"arm": "trl", "seconds": 5.0}, {"arm": "trl", "seconds": 4.0}]
    assert peers.ratios(runs) == {"studio": 1.0, "trl": 2.0}
    assert peers.ratios(runs[1:]) == {}
    given = {"steps": 2, "rows": 4}
    line = peers_arms.result(3.0, 2.0, [2.0, 1.0], 80, given, "out")
    assert (line["tokens_a_row"], line["first_loss"], line["last_loss"]) == (10.0, 2.0, 1.5)
