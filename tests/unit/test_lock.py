"""`requirements.lock`, which the Docker image installs: all of requirements.txt, with hashes."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.audit import told

ROOT = Path(__file__).resolve().parents[2]
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    found = filter(None, map(_PINNED.match, lines))
    return {plain(one[1]): one[2] for one in found}


def test_the_lock_has_what_requirements_name() -> None:
    locked = pins("requirements.lock")
    wrong = {
        name: (version, locked.get(name))
        for name, version in pins("requirements.txt").items()
        if locked.get(name) != version
    }
    assert not wrong, "requirements.txt and its lock differ: run `make lock`"


def test_every_locked_package_has_hashes() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    named = {plain(one[1]) for one in filter(None, map(_PINNED.match, entries))}
    assert named == set(pins("requirements.lock")) and len(named) > 50
    without = [one.split()[0] for one in entries if "--hash=sha256:" not in one]
    assert not without
    assert not re.search(r"https?://|file:", text), "only what an index names"


def test_what_packages_need_is_locked_too() -> None:
    """pip refuses to install a package without a hash where others have one."""
    locked = pins("requirements.lock")
    asked = list(pins("requirements.txt"))
    seen: set[str] = set()
    while asked:
        name = asked.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # of another platform
        for one in map(Requirement, needed):
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                asked.append(plain(one.name))
    here = {name for name in seen if name not in locked}
    assert not here, "run `make lock`"


def test_the_image_installs_the_lock_and_nothing_else() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "pip install --no-cache-dir --require-hashes -r requirements.lock" in text
    assert text.count("pip install") == 1


@pytest.mark.parametrize(
    ("packages", "status", "words"),
    [
        ([{"name": "a", "skip_reason": "no network"}], 2, "nothing was audited"),
        ([], 2, "nothing was audited"),
        ([{"name": "a", "version": "1", "vulns": []}], 0, "1 packages audited, 0 known"),
        (
            [
                {"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]},
                {"name": "b", "skip_reason": "unknown"},
            ],
            1,
            "a 1: CVE-1, mended in 2",
        ),
    ],
)
def test_an_audit_without_an_answer_is_not_taken_for_a_clean_one(
    packages: list[dict[str, object]], status: int, words: str
) -> None:
    found, said = told({"dependencies": packages})
    assert found == status and words in said
