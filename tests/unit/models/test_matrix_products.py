"""Decoding with another matrix product says the same, and only where it was measured to pay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from studio.core import calibration
from studio.models import matrix_products

ROWS = 2
IDS = torch.arange(1, 17).reshape(ROWS, 8)


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1024,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=True,
    )
    made: Any = LlamaForCausalLM(config)
    return made.eval()


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nothing is known yet, and every product is said to take this share of `linear`'s time."""
    share = [0.5]
    monkeypatch.setattr(matrix_products, "_known", {})
    monkeypatch.setattr(matrix_products, "_ratio", lambda one, other, budget: share[0])
    return share


def answers(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model.generate(
            input_ids=IDS,
            attention_mask=torch.ones_like(IDS),
            max_new_tokens=12,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=None,
        )


def replaced(model: Any) -> list[str]:
    return [name for name, module in model.named_modules() if "forward" in vars(module)]


def test_tokens_are_those_of_stock(model: Any, tmp_path: Path) -> None:
    stock = answers(model)
    with matrix_products.decoding(model, ROWS, tmp_path):
        assert replaced(model) == ["lm_head"], "small layers cost less than the call"
        assert torch.equal(answers(model), stock)
    assert not replaced(model)


@pytest.mark.parametrize("bias", [True, False])
def test_the_swapped_product_is_linear(bias: bool) -> None:
    layer = torch.nn.Linear(5, 7, bias=bias)
    for shape in ((3, 5), (3, 1, 5), (2, 3, 5)):
        x = torch.randn(shape)
        found = matrix_products.swapped(x, layer.weight, layer.bias)
        torch.testing.assert_close(found, layer(x))


def test_what_is_no_faster_stays(model: Any, unmeasured: list[float], tmp_path: Path) -> None:
    unmeasured[0] = 0.95
    with matrix_products.decoding(model, ROWS, tmp_path):
        assert not replaced(model)


def test_other_rows_types_and_prompts_go_the_usual_way(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = matrix_products.swapped

    def counted(x: torch.Tensor, *rest: Any) -> torch.Tensor:
        asked.append(x.numel() // x.shape[-1])
        return real(x, *rest)

    monkeypatch.setattr(matrix_products, "swapped", counted)
    with matrix_products.decoding(model, ROWS, None), torch.inference_mode():
        model(IDS)
        assert not asked
        model(IDS, logits_to_keep=1)
        assert asked == [ROWS]
    for rows in (1, matrix_products.MOST_ROWS + 1):
        with matrix_products.decoding(model, rows, None):
            assert not replaced(model)
    with matrix_products.decoding(model.to(torch.bfloat16), ROWS, None):
        assert not replaced(model)


def test_it_is_measured_once_for_the_machine(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with matrix_products.decoding(model, ROWS, tmp_path):
        pass
    kept = calibration.read(tmp_path)[matrix_products.machine()]
    assert kept == {"1024 x 64, 2 rows": 0.5, "bfloat16, 2 rows": 0.5}

    def never(*_: Any) -> float:
        raise AssertionError("it was measured again")

    monkeypatch.setattr(matrix_products, "_ratio", never)
    monkeypatch.setattr(matrix_products, "_known", {})  # as in another process
    with matrix_products.decoding(model, ROWS, tmp_path):
        assert replaced(model)


def test_layers_are_their_own_after_an_error(model: Any) -> None:
    with pytest.raises(RuntimeError, match="full"), matrix_products.decoding(model, ROWS, None):
        raise RuntimeError("full")
    assert not replaced(model)


def test_real_times_are_finite(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = matrix_products.measured([model.lm_head], ROWS, 0.0)
    assert 0 < found < 1e4 and 0 < matrix_products.bfloat16_ratio(model.lm_head, ROWS) < 1e4


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1', json.dumps({"a": 3})])
def test_a_damaged_file_is_measured_anew(text: str, tmp_path: Path) -> None:
    (tmp_path / calibration.FILE).write_text(text)
    assert calibration.read(tmp_path) == {}
    calibration.add(tmp_path, "here", {"x": 1.0})
    calibration.add(tmp_path, "there", {"y": 2.0})
    assert calibration.read(tmp_path) == {"here": {"x": 1.0}, "there": {"y": 2.0}}


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    (tmp_path / calibration.FILE).write_text('{"here": {"x": "fast", "y": 0.5}}')
    assert calibration.read(tmp_path) == {"here": {"y": 0.5}}
