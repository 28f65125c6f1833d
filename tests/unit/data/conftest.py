"""What several tests of the data engine share."""

import pytest

from studio.core.workspace import Workspace
from studio.data import DatasetStore
from tests.unit.data.making import POCKET


@pytest.fixture
def store(tmp_path):
    return DatasetStore(Workspace(tmp_path / "home"))


@pytest.fixture(scope="session")
def tokenizer():
    """The pocket model's tokenizer; tests that change it work on a copy."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(POCKET)
