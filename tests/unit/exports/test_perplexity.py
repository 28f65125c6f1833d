"""Rows that an export's perplexity is measured on, by objective, and the loss itself."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoTokenizer

from studio.exports import perplexity
from studio.training.run_rows import Part, RunRows
from tests.unit.exports.shapes import POCKET
from tests.unit.training.conftest import preference_rows, sft_rows, small

CONTEXT = SimpleNamespace(max_position_embeddings=512, rope_parameters=None)


@pytest.fixture(scope="module")
def base() -> Any:
    config = SimpleNamespace(get_text_config=lambda: CONTEXT, **vars(CONTEXT))
    tokenizer = AutoTokenizer.from_pretrained(POCKET)
    return SimpleNamespace(tokenizer=tokenizer, model=SimpleNamespace(config=config))


def rows_of(
    monkeypatch: pytest.MonkeyPatch, base: Any, objective: str, kind: str, rows: list[dict]
) -> perplexity.Rows | None:
    part = Part("facts", kind, Dataset.from_list(rows), Dataset.from_list(rows[:3]))
    monkeypatch.setattr(perplexity, "rows_for", lambda *given: RunRows((part,)))
    run: Any = SimpleNamespace(recipe=small(objective, "facts", per_device_train_batch_size=8))
    return perplexity.held_out(run, SimpleNamespace(), base)  # pyright: ignore[reportArgumentType]


def counted_text(base: Any, found: perplexity.Rows | None) -> str:
    assert found is not None and len(found.ids) == 3 and found.source == perplexity.HELD_OUT
    kept = [each for each, count in zip(found.ids[0], found.counted[0], strict=True) if count]
    return base.tokenizer.decode(kept)


def test_only_what_training_counts_is_counted(monkeypatch: pytest.MonkeyPatch, base: Any) -> None:
    answer = rows_of(monkeypatch, base, "sft", "prompt_completion", sft_rows())
    assert "blue" in counted_text(base, answer) and "What" not in counted_text(base, answer)
    chosen = rows_of(monkeypatch, base, "dpo", "preference", preference_rows())
    assert counted_text(base, chosen).startswith("Gladly")
    prompts = [{"prompt": row["prompt"]} for row in sft_rows()]
    asked = rows_of(monkeypatch, base, "grpo", "prompt_only", prompts)
    assert "What" in counted_text(base, asked), "prompts alone are all that there is"


def test_rows_that_are_gone_leave_none(monkeypatch: pytest.MonkeyPatch, base: Any) -> None:
    from studio.core.errors import DataError

    def gone(*given: object) -> object:
        raise DataError("deleted")

    monkeypatch.setattr(perplexity, "rows_for", gone)
    run: Any = SimpleNamespace(recipe=small("sft", "facts"))
    assert perplexity.held_out(run, SimpleNamespace(), base) is None  # pyright: ignore[reportArgumentType]
    own = perplexity.answers([[1, 2]], [[3]])
    assert own.counted == [[False, False, True]] and own.tokens == 1


def test_the_loss_is_the_mean_over_counted_tokens() -> None:
    class Even(torch.nn.Module):
        """Every token of eight is as likely as any other."""

        device = torch.device("cpu")

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
            return SimpleNamespace(logits=torch.zeros(*input_ids.shape, 8))

    model: Any = Even()
    rows = perplexity.Rows("rows", [[1, 2, 3], [4, 5]], [[True, False, True], [False, True]])
    assert rows.tokens == 2
    assert perplexity.loss(model, rows) == pytest.approx(math.log(8))
