"""What is here, cheaply; and that asking for it imports nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

from studio.core import hardware


def test_memory_now_is_within_the_machine():
    used, total = hardware.memory_now()
    assert 0 < used < total


def test_detect_is_complete_and_json_able():
    here = hardware.detect()
    assert here.device in ("cuda", "mps", "cpu")
    assert 0 < here.memory_free <= here.memory_total
    assert here.cores >= 1
    assert json.loads(json.dumps(here.as_dict()))["packages"]["torch"]
    assert "GB" in here.line()


def test_the_cheap_part_imports_no_torch():
    code = (
        "import sys; from studio.core import hardware; import studio.calculator; "
        "hardware.memory_now(); print('torch' in sys.modules, 'gradio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
