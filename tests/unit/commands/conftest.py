"""Commands called as functions, on an empty workspace."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio import Commands, Studio


@pytest.fixture
def studio(home: Path):
    made = Studio(home)
    yield made
    made.close()


@pytest.fixture
def do(studio: Studio) -> Commands:
    return Commands(studio)
