"""Where a model's config comes from, and one sentence for what cannot be used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.calculator.configs import read_source, to_config
from studio.calculator.meta_model import meta_model
from studio.core.errors import ModelError
from tests.unit.calculator.conftest import TINY


def read(config: dict[str, Any] | str) -> Any:
    return to_config(read_source(config if isinstance(config, str) else json.dumps(config)))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TINY | {"model_type": "lama"}, 'no architecture .lama.. Did you mean "llama"'),
        ({"hidden_size": 64}, "no model_type"),
        ('{"model_type": "llama", "hidden_size": 6', "ends too early"),
        ('{"model_type": "llama",, }', "not whole JSON"),
        ("[1, 2]", "holds a list"),
        ("", "No model is named"),
        ("no such folder/at all/here", "not a Hub ID"),
        (TINY | {"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
        (TINY | {"hidden_size": "64"}, "hidden_size is '64'"),
        (TINY | {"model_type": "t5"}, "not a causal language model"),
        (TINY | {"model_type": "evil", "auto_map": {"A": "b"}}, "does not run code"),
    ],
)
def test_models_that_cannot_be_counted(config, words):
    with pytest.raises(ModelError, match=words):
        read(config)


def test_a_folder_needs_a_config(tmp_path):
    with pytest.raises(ModelError, match=r"has no config\.json"):
        read_source(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="It holds an adapter: name its base model"):
        read_source(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(TINY))
    assert read_source(tmp_path).values == read_source(tmp_path / "config.json").values == TINY


def test_notes_name_remote_code_and_published_quantization():
    config = TINY | {"auto_map": {"AutoModelForCausalLM": "m.Evil"}, "quantization_config": {}}
    notes = read_source(json.dumps(config)).notes
    assert len(notes) == 1 and "remote code, which was not run" in notes[0]
    config["quantization_config"] = {"bits": 4}
    assert "published quantized" in read_source(json.dumps(config)).notes[1]


def test_sizes_that_the_class_does_not_read_are_named():
    renamed = {
        "model_type": "opt",
        "num_layers": 2,
        "n_head": 4,
        "hidden_dim": 64,
        "ffn_embed_dim": 8,
    }
    (note,) = meta_model(json.dumps(renamed | {"vocab_size": 512})).source.notes
    assert "opt does not read ffn_embed_dim and hidden_dim and n_head and num_layers" in note
    aliases = {"model_type": "gpt2", "hidden_size": 64, "num_hidden_layers": 2, "n_head": 4}
    for read_whole in (aliases | {"n_ctx": 512, "vocab_size": 512}, TINY):
        assert meta_model(json.dumps(read_whole)).source.notes == ()


def test_the_text_part_of_a_family_is_counted_alone():
    """Gemma 3's small models are text alone, under the family's name."""
    sizes = {
        "hidden_size": 1152, "intermediate_size": 6912, "num_hidden_layers": 26,
        "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "vocab_size": 262144,
    }  # fmt: skip
    text = json.dumps({"model_type": "gemma3", "architectures": ["Gemma3ForCausalLM"], **sizes})
    config = to_config(read_source(text))
    assert config.model_type == "gemma3_text" and config.hidden_size == 1152
    whole = to_config(read_source(json.dumps({"model_type": "gemma3", "text_config": sizes})))
    assert whole.model_type == "gemma3" and whole.text_config.hidden_size == 1152
