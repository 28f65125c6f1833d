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


@pytest.fixture(scope="session")
def real_pieces():
    """A published tokenizer of sentence pieces."""
    import os
    from pathlib import Path

    from transformers import AutoTokenizer

    folder = os.environ.get("STUDIO_REAL_DATA")
    if not folder:
        pytest.skip("STUDIO_REAL_DATA is not set")
    tokenizer = AutoTokenizer.from_pretrained(Path(folder) / "tokenizers" / "maykeye-tinyllama-v0")
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
