"""What a model's config can ask for: no size that fills a machine, no code from elsewhere."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studio.calculator.configs import read_source
from studio.core.config_limits import LIMITS, check
from studio.core.errors import ConfigError, ModelError
from studio.core.model_names import ModelRef, resolve
from studio.models import loading
from studio.runs.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def model(tmp_path: Path):
    """`model(key=value)`: the pocket model's folder with a changed config."""

    def make(**changes: object) -> Path:
        folder = tmp_path / "model"
        shutil.copytree(resolve("pocket").location, folder, dirs_exist_ok=True)
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(values | changes))
        return folder

    return make


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 1_000_000},
        {"num_hidden_layers": -1},
        {"vocab_size": True},
        {"hidden_size": 10**12},
        {"text_config": {"num_hidden_layers": 10**6}},
        {"attn_implementation": "somebody/kernel"},
        {"_attn_implementation": "somebody/kernel@main:attention"},
    ],
)
def test_a_model_is_refused_before_anything_is_built(model, changes: dict[str, object]) -> None:
    folder = model(**changes)
    reference = ModelRef("theirs", "folder", str(folder))
    assert loading.weight_bytes(reference) == 0  # not counted: nothing is built
    with pytest.raises(ModelError, match=r"whole number from 1|code from elsewhere"):
        loading.load_model(reference)


def test_the_calculator_has_the_same_limits(model) -> None:
    with pytest.raises(ModelError, match="whole number from 1"):
        read_source(model(num_hidden_layers=LIMITS["num_hidden_layers"] + 1))


def test_models_there_are_pass() -> None:
    for path in (ROOT / "presets").rglob("config.json"):
        check(json.loads(path.read_text()), path.parent.name)


def test_a_recipe_names_no_kernel_to_fetch() -> None:
    with pytest.raises(ConfigError, match="code to fetch"):
        Recipe.defaults(attn_implementation="somebody/kernel")
    assert Recipe.defaults(attn_implementation="sdpa").attn_implementation == "sdpa"


STUCK = """
import signal, sys, app
app.GRACE = 0.2
signal.signal(signal.SIGTERM, app.end)
signal.signal(signal.SIGINT, app.end)
told = "up"
while True:
    try:
        print(told, flush=True)
        while True:
            sys.argv[1] == "holds on" or signal.pause()
    except KeyboardInterrupt:
        told = "asked"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "sent", "status"),
    [
        ("lets go", [signal.SIGTERM], 1),
        ("holds on", [signal.SIGTERM], 1),
        ("holds on", [signal.SIGINT, signal.SIGINT], -signal.SIGINT),
    ],
)
def test_what_does_not_stop_is_ended(kind: str, sent: list[int], status: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK, kind],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    for number, each in enumerate(sent, 1):
        process.send_signal(each)
        if number < len(sent):
            assert process.stdout.readline() == "asked\n"
    assert process.wait(60) == status
