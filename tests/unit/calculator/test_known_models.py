"""Shapes that ship with the studio."""

from __future__ import annotations

import pytest

from studio.calculator.configs import read_source
from studio.calculator.known_models import KNOWN, known
from studio.calculator.meta_model import meta_model


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("TinyLlama/TinyLlama-1.1B-Chat-v1.0", 1_100_048_384),
        ("meta-llama/Llama-3.1-8B-Instruct", 8_030_261_248),
        ("openai-community/gpt2", 124_439_808),
    ],
)
def test_published_totals(name, total):
    assert meta_model(name).total == total


def test_any_letter_case_finds_a_copy():
    found = known("tinyllama/tinyllama-1.1b-chat-V1.0")
    assert found == KNOWN["TinyLlama/TinyLlama-1.1B-Chat-v1.0"]
    found["hidden_size"] = 1
    assert known("TinyLlama/TinyLlama-1.1B-Chat-v1.0")["hidden_size"] == 2048
    assert known("no/such") is None


def test_no_network_is_needed():
    assert read_source("Qwen/Qwen3-8B").origin == "published shape, shipped with the studio"
