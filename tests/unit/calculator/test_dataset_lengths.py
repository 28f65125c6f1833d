"""Row lengths as the trainers make them: cut, trained, padded."""

from __future__ import annotations

import numpy as np
import pytest

from studio.calculator.dataset_lengths import Lengths, RowCount, lengths_of
from tests.unit.calculator.conftest import recipe_of

CHATS = [
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "x " * n}]}
    for n in range(1, 41)
]
QUARTERS = np.array([[10], [20], [30], [40]])


def test_lengths_are_the_trainers():
    from studio.core.model_names import resolve
    from studio.data.tokens.token_view import encode
    from studio.models import loading

    tokenizer = loading.load_tokenizer(resolve("pocket"))
    wanted = [len(row[0].ids) for row in encode(CHATS, "conversational", tokenizer)]
    found = lengths_of(lambda: CHATS, "chats", "conversational", recipe_of("pocket"))
    assert found.basis == "the model's own tokenizer"
    assert found.mean(10_000) == pytest.approx(np.mean(wanted))
    assert found.mean(20) == pytest.approx(np.minimum(wanted, 20).mean())


def test_without_a_tokenizer_four_characters_are_a_token():
    rows = [{"prompt": "x" * 8, "chosen": "y" * 12, "rejected": "z" * 4}] * 3
    found = lengths_of(lambda: rows, "pairs", "preference", recipe_of("no/such-tokenizer"))
    assert found.basis == "four characters per token"
    assert (found.rows, found.size[0].tolist(), found.trained_size[0].tolist()) == (
        3,
        [5, 3],
        [3, 1],
    )


def test_rows_are_measured_once():
    calls = []
    for _ in range(2):
        lengths_of(lambda: calls.append(1) or CHATS, "once", "conversational", recipe_of("pocket"))
    assert len(calls) == 1


def test_padding_is_the_expected_longest_of_a_batch():
    found = Lengths(4, QUARTERS, QUARTERS // 2, "by hand")
    assert found.padded(100, 1) == pytest.approx(25)
    draws = np.random.default_rng(0).choice(QUARTERS[:, 0], (200_000, 3)).max(axis=1)
    assert found.padded(100, 3) == pytest.approx(draws.mean(), rel=0.01)
    assert found.padded(15, 3) == pytest.approx(15, rel=0.1)


def test_cut_rows_lose_what_is_trained():
    found = Lengths(4, QUARTERS, QUARTERS // 2, "by hand")
    recipe = recipe_of("pocket", max_length=25)
    assert found.trained(recipe) == pytest.approx((5 + 10 + 10 + 5) / 4)
    assert "50 % of the rows are cut" in found.describe(recipe)
    assert "no row is cut" in found.describe(recipe.with_(max_length=40))


@pytest.mark.parametrize("strategy", ["bfd", "bfd_split", "wrapped"])
def test_the_tokens_that_packing_loses_are_those_that_trl_loses(strategy):
    from datasets import Dataset
    from trl import pack_dataset

    found = Lengths(4, QUARTERS, QUARTERS // 2, "by hand")
    recipe = recipe_of("pocket", max_length=25, packing=True, packing_strategy=strategy)
    ids = [list(range(size)) for size in QUARTERS[:, 0]]
    packed = pack_dataset(Dataset.from_dict({"input_ids": ids}), 25, strategy)
    kept = sum(map(len, packed["input_ids"]))
    assert found.lost(recipe) == QUARTERS.sum() - kept
    assert (strategy == "bfd") == (kept < QUARTERS.sum())
    assert f"{found.lost(recipe)} tokens lost" in found.describe(recipe) or strategy != "bfd"
    assert found.tokens(recipe)[0] == pytest.approx(kept / 4)


def test_each_side_of_a_pair_by_itself():
    size = np.array([[50, 30]] * 2)
    pairs = Lengths(100, size, size // 2, "by hand")
    assert pairs.of("dpo") is pairs
    alone = pairs.of("kto")
    assert (alone.rows, alone.size[:, 0].tolist()) == (200, [50, 30, 50, 30])


@pytest.mark.parametrize(
    ("objective", "mean", "fields", "tokens"),
    [
        ("sft", None, {}, (128, 512)),
        ("dpo", None, {}, (256, 1024)),
        ("sft", 100, {}, (100, 160)),
        ("sft", 100, {"packing": True}, (100, 110)),
        ("sft", 900, {}, (512, 512)),
    ],
)
def test_rows_that_nobody_measured(objective, mean, fields, tokens):
    recipe = recipe_of("pocket", "lora", objective, max_length=512, **fields)
    assert RowCount(10, mean).tokens(recipe) == pytest.approx(tokens)
