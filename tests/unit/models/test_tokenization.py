"""Where an answer ends: the tokenizer's word, the model's, and the chat template's."""

from types import SimpleNamespace

import pytest

from studio.models.tokenization import end_of_turn, stop_ids
from tests.unit.data.tokens.templates import dressed

ENDS = {
    "llama3_2": "<|eot_id|>",
    "qwen3": "<|im_end|>",
    "gemma": "<end_of_turn>",
    "phi3": "<|end|>",
    "gptoss": "<|return|>",
    "pocket": "<|end|>",
}


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    from studio.core.workspace import PRESETS

    return AutoTokenizer.from_pretrained(PRESETS / "pocket")


@pytest.mark.parametrize("name", ENDS)
def test_the_templates_own_end_of_a_turn_stops_generation(tokenizer, name):
    other = dressed(tokenizer, name)
    end = end_of_turn(other)
    assert other.decode([end]) == ENDS[name]
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=3))
    assert set(stop_ids(model, other)) == {3, other.eos_token_id, end}


def test_an_end_that_is_no_token_is_none(tokenizer):
    other = dressed(tokenizer, "pocket")
    other.chat_template = "{% for m in messages %}{{ m.content }}\n###\n{% endfor %}"
    assert end_of_turn(other) is None
    other.chat_template = "{{ raise_exception('No.') }}"
    assert end_of_turn(other) is None
    other.chat_template = None
    assert end_of_turn(other) is None
