"""Optimizer state against torch's and bitsandbytes' own rules."""

from __future__ import annotations

import pytest

from studio.calculator.optimizers import find_optimizer, state_bytes


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("adamw_torch", 2 * 2 * 8192),
        ("paged_adamw_32bit", 2 * 4 * 8192),
        ("adamw_8bit", 2 * (8192 + 4 * 8192 // 256)),
        ("lion_8bit", 8192 + 4 * 8192 // 256),
        ("adafactor", 4 * (64 + 128)),
        ("sgd", 0),
    ],
)
def test_a_16_bit_matrix(name, size):
    optimizer, note = find_optimizer(name)
    assert state_bytes(optimizer, [(8192, (64, 128), 3)], 2) == 3 * size
    assert not note


def test_small_tensors_keep_float32_states():
    optimizer, _ = find_optimizer("adamw_8bit")
    assert optimizer.state(4095, 2) == 2 * 4 * 4095


def test_an_unlisted_optimizer_is_said():
    optimizer, note = find_optimizer("apollo_adamw")
    assert "counted as 32-bit AdamW" in note and optimizer.state(10, 2) == 80


def test_adamw_as_torch_keeps_it():
    import torch

    weight = torch.nn.Parameter(torch.ones(64, 128, dtype=torch.bfloat16))
    optimizer = torch.optim.AdamW([weight])
    weight.sum().backward()
    optimizer.step()
    moments = [t for t in optimizer.state[weight].values() if t.shape == weight.shape]
    ours, _ = find_optimizer("adamw_torch")
    assert ours.state(weight.numel(), 2) == sum(t.numel() * t.element_size() for t in moments)
