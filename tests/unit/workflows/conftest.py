from __future__ import annotations

import pytest

from studio.labels import LabelStore


@pytest.fixture
def store(tmp_path):
    made = LabelStore(f"sqlite:///{tmp_path / 'votes.db'}")
    yield made
    made.close()
