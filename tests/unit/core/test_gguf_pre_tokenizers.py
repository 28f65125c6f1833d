"""What llama.cpp has a counterpart of is known before training; digits are cut when read back."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from tokenizers import pre_tokenizers

from studio.core import gguf_models
from studio.core.gguf_pre_tokenizers import unwritable
from studio.core.model_names import resolve
from studio.exports import gguf_file
from studio.models import loading


def with_steps(tokenizer, *steps):
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(list(steps))
    return tokenizer


@pytest.fixture
def pocket():
    return loading.load_tokenizer(resolve("pocket"))


BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
DIGITS = pre_tokenizers.Digits(individual_digits=True)


def test_digits_and_bytes_are_smollms_and_come_back_as_they_were(pocket, tmp_path: Path) -> None:
    tokenizer = with_steps(pocket, DIGITS, BYTES)
    assert unwritable(tokenizer) is None
    path = tmp_path / "digits.gguf"
    model = loading.load_model(resolve("pocket"), "float32")
    gguf_file.write(model, tokenizer, path, "f32", "pocket", "", lambda name: None)
    again = gguf_models.read_tokenizer(path)
    for text in ("In 1999, 3,141 ships", "x12y", "no number"):
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert len(again.tokenize("1999")) == 4


def test_what_has_no_counterpart_is_said_without_writing_anything(pocket) -> None:
    assert unwritable(pocket) is None
    groups = pre_tokenizers.Digits(individual_digits=False)
    assert "no counterpart in llama.cpp" in (unwritable(with_steps(pocket, groups, BYTES)) or "")
    assert "written in Python" in (unwritable(SimpleNamespace()) or "")
    kind = SimpleNamespace(to_str=lambda: '{"model": {"type": "Unigram"}}')
    assert "Unigram tokenizer" in (unwritable(SimpleNamespace(backend_tokenizer=kind)) or "")
