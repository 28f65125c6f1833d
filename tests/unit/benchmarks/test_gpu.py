"""The GPU script: its checks run on a CPU too, and one that hangs or dies costs nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.gpu import checks, driver, place

# Stands in for the process of the checks: answers, ends with a code, or never answers.
_STANDIN = """
import json, sys, time
for name in sys.argv[1:sys.argv.index("--home")]:
    if name == "methods":
        sys.exit(3)
    if name == "moved_weights":
        time.sleep(600)
    print(json.dumps({"check": name, "holds": True}), flush=True)
"""


def test_every_check_has_a_limit_in_the_same_order() -> None:
    assert [check.__name__ for check in checks.CHECKS] == list(driver.LIMITS)


def test_what_hangs_is_cut_and_what_dies_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_CHILD", (sys.executable, "-c", _STANDIN))
    monkeypatch.setitem(driver.LIMITS, "moved_weights", 0.2)
    asked = ["versions", "methods", "float16", "moved_weights", "export"]
    found = {line["check"]: line for line in driver.lines(asked, small=False, seconds=300)}
    assert list(found) == asked
    assert [found[name]["holds"] for name in asked] == [True, False, True, False, True]
    assert "ended with code 3" in found["methods"]["error"]
    assert "cut after 0.2 s" in found["moved_weights"]["error"]


def test_at_the_end_of_the_time_the_rest_is_said_to_be_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "_CHILD", (sys.executable, "-c", _STANDIN))
    lines = list(driver.lines(["moved_weights", "export"], small=False, seconds=0.2))
    assert ["error" in line for line in lines] == [True, True]
    assert "not begun" in lines[1]["error"]


def test_a_check_that_raises_does_not_hold(tmp_path: Path) -> None:
    def broken(at: place.Place) -> place.Found:
        raise ValueError("no\nsecond line")

    line = checks.result(broken, place.Place(tmp_path, small=True))
    assert (line["check"], line["holds"], line["error"]) == ("broken", False, "ValueError: no")


@pytest.mark.slow
def test_the_script_runs_on_a_cpu_and_keeps_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "gpu.jsonl"
    some = ["versions", "nf4_product", "fused_head"]
    monkeypatch.setattr(sys, "argv", ["gpu", "--small", "--out", str(kept), "--only", *some])
    assert driver.main() == 0
    lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert [line["check"] for line in lines] == some
    assert all({"value", "expected", "holds", "seconds"} <= set(line) for line in lines)
    assert capsys.readouterr().out == kept.read_text(encoding="utf-8")
