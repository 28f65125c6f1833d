"""What only a card can show: the checks of `benchmarks.gpu` on it, and its memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import checks, place
from studio import Studio
from studio.exports import ExportRequest
from tests.faults.test_what_gives_out import begun
from tests.unit.training.conftest import sft_rows, small

pytestmark = pytest.mark.gpu
_MEASURED = ("memory", "speed")  # minutes, and for `python -m benchmarks.gpu`


@pytest.fixture(scope="session", autouse=True)
def cuda() -> Any:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    return torch.cuda


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    yield from begun(tmp_path / "home")


@pytest.mark.parametrize(
    "check", [c for c in checks.CHECKS if c.__name__ not in _MEASURED], ids=lambda c: c.__name__
)
def test_a_check_holds_on_this_card(check: Any, tmp_path: Path) -> None:
    """Formats, every method, float16, moved weights, running out of memory, exports."""
    line = checks.result(check, place.Place(tmp_path, small=False))
    assert line["holds"] is not False, line


def test_this_machine_counts_what_this_process_holds(cuda: Any) -> None:
    import torch

    from studio.calculator.gpus import this_machine

    before = this_machine().memory
    held = torch.empty(2_000_000_000, dtype=torch.uint8, device="cuda")
    assert abs(this_machine().memory - before) < 0.2 * held.numel()


def test_packed_rows_have_no_mask_over_the_whole_batch(studio: Studio, cuda: Any) -> None:
    """8 rows of 2,048 tokens: one mask over all of them takes 0.27 GB, theirs 0.03."""
    studio.datasets.from_rows(sft_rows(3000), "prompt_completion", "many")
    recipe = small(
        "sft",
        "many",
        packing=True,
        max_length=2048,
        per_device_train_batch_size=8,
        activation_checkpointing=True,
        max_steps=1,
    )
    peaks: dict[bool, int] = {}
    for packing in (True, False):
        cuda.empty_cache()
        cuda.reset_peak_memory_stats()
        rows = 8 if packing else 512  # of about 30 tokens
        changed = recipe.with_(packing=packing, per_device_train_batch_size=rows)
        run = studio.wait(studio.train(changed).id)
        assert (run.state, run.error) == ("finished", None)
        peaks[packing] = cuda.max_memory_allocated()
    assert peaks[True] < peaks[False] + 200_000_000


def test_an_export_is_merged_beside_a_card_that_is_full(
    studio: Studio, cuda: Any, tmp_path: Path
) -> None:
    import torch

    run = studio.wait(studio.train(small("sft", "facts")).id)
    free, _ = cuda.mem_get_info()
    filler = torch.empty(max(0, free - 1_000_000), dtype=torch.uint8, device="cuda")
    record = studio.export(ExportRequest(run.id, "merged", tmp_path / "out")).result()
    assert record["figures"]["agreement"] > 0.9
    del filler
