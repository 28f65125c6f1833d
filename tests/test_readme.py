"""The README does what it says: its commands run, its links lead somewhere, its card is valid."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- (tested[^>]*?) -->\n```bash\n(.*?)```", re.DOTALL)
pytestmark = pytest.mark.spread
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}


def shortened(script: str) -> str:
    """Three steps instead of a whole training run: what is tested is the command.

    Large ones for the first run, so that its answers differ from the base's and can be judged.
    """
    script = script.replace(
        "train pocket-sft", "train pocket-sft --set warmup_steps=0 --set learning_rate=0.01"
    )
    return re.sub(r"(python -m studio train \S+)", r"\1 --set max_steps=3", script)


def vote_on(home: Path, project: str) -> None:
    """What a person does on the Label tab."""
    from studio.core.workspace import Workspace
    from studio.labels import LabelStore

    store = LabelStore(Workspace(home).votes_url)
    found = store.get(project)
    while (shown := store.next_item(found.id, "ada")) is not None:
        store.vote(found.id, shown.item_id, "ada", "left", seconds=2.0)
    store.close()


def run(script: str, folder: Path, python: Path) -> None:
    """A block as a shell runs it, in a folder that also holds the workspace."""
    environment = {
        **os.environ,
        "STUDIO_HOME": str(folder / "home"),
        "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", shortened(script)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr


def chains() -> list[list[str]]:
    """The blocks in the README's order; one that goes on after labeling follows its pairs."""
    found: list[list[str]] = []
    for mark, script in BLOCK.findall(README):
        if "after labeling" in mark:
            found[-1].append(script)
        else:
            found.append([script])
    return found


CHAINS = chains()
(FIRST,) = (chain[0] for chain in CHAINS if "--name first\n" in chain[0])


@pytest.fixture(scope="session")
def after_first(workers_folder: Path, preloaded_python: Path) -> Path:
    """The folder as the block that trains the run `first` leaves it, made by one worker for all."""
    folder = workers_folder / "first"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            making = workers_folder / "first-making"
            making.mkdir()
            run(FIRST, making, preloaded_python)
            making.rename(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain[0].split("\n")[0][:60])
def test_every_marked_command_runs(
    chain: list[str], tmp_path: Path, preloaded_python: Path, request: pytest.FixtureRequest
) -> None:
    """Each block by itself, or after the first run where it names that run.

    By a Python that has the libraries loaded: those without are started by `test_light_imports.py`,
    `cli/test_main.py` and, for a training, `engine/test_hosted_runs.py`.
    """
    if "first" in chain[0]:
        left = request.getfixturevalue("after_first")
        shutil.copytree(left, tmp_path, dirs_exist_ok=True)
    if chain[0] != FIRST:
        run(chain[0], tmp_path, preloaded_python)
    for script in chain[1:]:
        vote_on(tmp_path / "home", "first-pairs")
        run(script, tmp_path, preloaded_python)
        assert (tmp_path / "votes.jsonl").read_text()


def test_no_command_is_left_out():
    """Every block that uses the shell's commands is marked as tested."""
    assert len(CHAINS) >= 5 and any(len(chain) > 1 for chain in CHAINS)
    marked = "".join(script for _, script in BLOCK.findall(README))
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL):
        if "python -m studio" in block:
            assert block in marked


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z][a-z-]*)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_recipes_named_are_the_recipes_shipped():
    from studio.runs.recipe import presets

    sentence = README.split("Shipped recipes, by name:")[1].split(". What")[0]
    assert set(re.findall(r"`([^`]+)`", sentence)) == set(presets())


def test_links_and_pictures_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    missing = [t for t in targets if "://" not in t and not (ROOT / t).exists()]
    assert missing == []
    pictures = [ROOT / t for t in targets if t.endswith(".png")]
    assert pictures
    assert sum(path.stat().st_size for path in pictures) < 1_500_000


def test_it_is_a_valid_space_card():
    card = yaml.safe_load(README.split("---")[1])
    pins = dict(
        line.split("#")[0].strip().split("==")
        for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line.split("#")[0]
    )
    assert (card["sdk"], card["sdk_version"]) == ("gradio", pins["gradio"])
    assert card["python_version"] == "3.11"
    assert (ROOT / card["app_file"]).is_file()
    assert {card["colorFrom"], card["colorTo"]} <= COLOURS
    assert len(card["short_description"]) <= 60
    assert card["license"] == "apache-2.0"
    assert card["suggested_hardware"]


def test_settings_named_are_settings_read():
    """Each variable of ours in the README is read somewhere in the code."""
    files = [ROOT / "app.py", *ROOT.glob("studio/**/*.py"), *ROOT.glob("components/**/*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    for name in set(re.findall(r"STUDIO_[A-Z_]+", README)):
        assert name in code, name
