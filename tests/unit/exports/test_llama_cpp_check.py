"""What the process that asks llama.cpp says, with a stand-in for llama-cpp-python."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from studio.exports import llama_cpp_check

READER = """
import numpy as np
__version__ = "1.0"
class Llama:
    def __init__(self, file, n_ctx, lora_path=None, **_):
        self.scores, self.n_tokens = np.zeros((n_ctx, 8), np.single), 0
        self.scores[:, 5] = np.log(9) if lora_path == "mine" else 0
    def reset(self): self.n_tokens = 0
    def eval(self, tokens): self.n_tokens += len(tokens)
    def tokenize(self, text, add_bos, special): return [len(text)]
"""


@pytest.mark.parametrize("lora", [None, "mine"])
def test_rows_are_read_with_the_adapter_and_their_loss_is_over_counted_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lora: str | None
) -> None:
    (tmp_path / "llama_cpp.py").write_text(READER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    rows, counted = [[1, 5, 2], [3, 5]], [[True, True, False], [False, True]]
    asked = llama_cpp_check.Questions(["ab"], [[1]], [[1, 2]], [5], 3, rows, counted, lora)
    found = llama_cpp_check.ask(tmp_path / "model.gguf", asked, tmp_path)
    assert found.loss == pytest.approx(-math.log(9 / 16 if lora else 1 / 8), abs=1e-6)
    assert found.answers == ([[5]] if lora else [[0, 0, 0]]) and found.tokens == [[2]]
