"""The mean squares of a layer's inputs, by GGUF name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from studio.core.errors import ModelError
from studio.exports import importance_matrix
from tests.unit.exports.shapes import _SHARED, SHAPES


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    config_class, model_class, differs, _ = SHAPES["Llama"]
    torch.manual_seed(3)
    return model_class(config_class(**_SHARED | differs | {"vocab_size": 64})).eval()


def test_it_is_the_mean_square_of_each_layers_inputs(model: Any) -> None:
    rows, seen, given = [[1, 2, 3], [4, 5]], [], []
    layer = model.model.layers[1].mlp.down_proj
    hook = layer.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0][0]))
    found = importance_matrix.collect(model, rows, seen.append)
    hook.remove()
    wanted = torch.cat(given).square().mean(0)
    assert torch.allclose(torch.from_numpy(found["blk.1.ffn_down.weight"]), wanted, rtol=1e-4)
    assert seen == [0, 1]
    assert len(found) == 14 and "output.weight" not in found
    assert not model.model.layers[1].mlp.down_proj._forward_pre_hooks


def test_columns_that_are_never_used_keep_a_weight() -> None:
    weights = importance_matrix._weights(torch.tensor([0.0, 4.0], dtype=torch.float64))
    assert weights.tolist() == pytest.approx([4e-6, 4.0])
    assert importance_matrix._weights(torch.zeros(2)).tolist() == [1.0, 1.0]


def test_without_rows_it_is_refused(model: Any) -> None:
    with pytest.raises(ModelError, match="they are gone"):
        importance_matrix.collect(model, [], lambda number: None)
