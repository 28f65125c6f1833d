"""An engine with small rows, shared by the tests of exports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio import Studio
from studio.exports import ExportRequest
from studio.runs.store import Run
from tests.unit.training.conftest import sft_rows, small


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(Path(tmp_path_factory.mktemp("exports")) / "home")
    studio.datasets.from_rows(sft_rows(), "prompt_completion", "facts")
    yield studio
    studio.close()


@pytest.fixture(scope="session")
def sft(studio: Studio) -> Run:
    return studio.wait(studio.train(small("sft", "facts", name="first", learning_rate=1e-2)).id)


def exported(
    studio: Studio, run: Run, to: str, out: Path, outtype: str = "q8_0", matrix: bool = False
) -> dict[str, Any]:
    """An export to its end; the record, or an AssertionError with the sentence it ended with."""
    job = studio.export(ExportRequest(run.id, to, out, outtype, matrix))
    job.wait(240)
    return job.result()
