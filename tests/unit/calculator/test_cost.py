"""Operations, steps, tokens and time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio.calculator import RowCount, estimate
from studio.calculator.dataset_lengths import Lengths
from studio.calculator.gpus import GPUS
from tests.unit.calculator.conftest import MISTRAL, TINY, recipe_of

ROWS = RowCount(1000, 100)


def cost(*of, lengths=ROWS, gpu="L4", **fields):
    return estimate(recipe_of(*of, **({"num_train_epochs": 1} | fields)), gpu, lengths).cost


def test_time_is_a_range_and_a_measured_speed_beats_the_peak():
    guessed = cost(MISTRAL)
    assert guessed.steps == 125
    assert guessed.seconds[0] < guessed.seconds[1]
    measured = cost(MISTRAL, gpu=replace(GPUS["L4 24 GB"], tokens_per_second=1000))
    assert measured.seconds == pytest.approx((90, 192))
    assert "measured" in measured.basis
    assert cost(MISTRAL, lengths=None).seconds is None


def test_operations_of_checkpointing_and_full_fine_tuning():
    plain = cost(MISTRAL).flops_per_token
    slower = cost(MISTRAL, activation_checkpointing=True).flops_per_token
    assert slower == pytest.approx(1.5 * plain, rel=0.02)
    assert cost(MISTRAL, "full").flops_per_token == pytest.approx(1.5 * plain, rel=0.02)


def test_kto_runs_the_batch_once_more_for_its_kl_term():
    sft, kl, plain, ahead = (
        cost(MISTRAL, "lora", objective, **fields).flops_per_token
        for objective, fields in [
            ("sft", {}),
            ("kto", {}),
            ("kto", {"loss_type": "apo_zero_unpaired"}),
            ("kto", {"precompute_ref_log_probs": True}),
        ]
    )
    assert kl - plain == pytest.approx(sft, rel=0.02)  # under the policy and the reference
    assert ahead - sft == pytest.approx(sft / 2, rel=0.02)


def test_a_run_over_measured_rows():
    size = np.full((100, 2), 50)
    lengths = Lengths(1000, size, size // 2, "by hand")
    found = cost(TINY, "lora", "dpo", lengths=lengths)
    assert (found.steps, found.tokens, found.trained) == (125, (100_000, 100_000), 50_000)
    assert cost(TINY, lengths=lengths, packing=True).steps == 25


def test_kto_takes_pairs_apart():
    size = np.array([[50, 30]] * 100)
    found = cost(TINY, "lora", "kto", lengths=Lengths(100, size, size // 2, "by hand"))
    assert (found.steps, found.tokens[0], found.trained) == (25, 8_000, 4_000)


def test_max_steps_see_only_their_rows():
    found = cost(TINY, max_steps=10, per_device_train_batch_size=4)
    assert (found.steps, found.tokens[0]) == (10, 4_000)


def test_online_objectives_take_time_to_generate():
    def grpo(**fields):
        return cost("pocket", "lora", "grpo", lengths=RowCount(100), gpu="A100 80", **fields)

    assert grpo().steps == 100 and grpo(num_generations=2).steps == 25
    assert grpo(max_completion_length=1024).seconds[0] > grpo().seconds[0]


def test_money():
    found = replace(cost(TINY), seconds=(1800.0, 7200.0))
    assert found.money(2.0) == (1.0, 4.0)
    assert cost(TINY, lengths=None).money(2.0) is None
