"""Published shapes of common models, so that counting them needs no network.

Numbers only, as the models' own `config.json` state them; anything else is fetched from the Hub.
"""

from __future__ import annotations

from typing import Any


def _llama(
    hidden: int, layers: int, heads: int, kv: int, ff: int, vocab: int, **more: Any
) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "intermediate_size": ff,
        "vocab_size": vocab,
        "tie_word_embeddings": False,
        "max_position_embeddings": 131072,
    } | more


KNOWN: dict[str, dict[str, Any]] = {
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": _llama(
        2048, 22, 32, 4, 5632, 32000, max_position_embeddings=2048
    ),
    "HuggingFaceTB/SmolLM2-135M-Instruct": _llama(
        576, 30, 9, 3, 1536, 49152, tie_word_embeddings=True, max_position_embeddings=8192
    ),
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": _llama(
        2048, 24, 32, 32, 8192, 49152, tie_word_embeddings=True, max_position_embeddings=8192
    ),
    "Qwen/Qwen2-0.5B-Instruct": _llama(
        896, 24, 14, 2, 4864, 151936, model_type="qwen2", tie_word_embeddings=True
    ),
    "Qwen/Qwen2.5-0.5B-Instruct": _llama(
        896, 24, 14, 2, 4864, 151936, model_type="qwen2", tie_word_embeddings=True
    ),
    "Qwen/Qwen2.5-1.5B-Instruct": _llama(
        1536, 28, 12, 2, 8960, 151936, model_type="qwen2", tie_word_embeddings=True
    ),
    "Qwen/Qwen2.5-7B-Instruct": _llama(3584, 28, 28, 4, 18944, 152064, model_type="qwen2"),
    "Qwen/Qwen3-0.6B": _llama(
        1024, 28, 16, 8, 3072, 151936, model_type="qwen3", head_dim=128, tie_word_embeddings=True
    ),
    "Qwen/Qwen3-8B": _llama(
        4096, 36, 32, 8, 12288, 151936, model_type="qwen3", head_dim=128
    ),
    "meta-llama/Llama-3.2-1B-Instruct": _llama(
        2048, 16, 32, 8, 8192, 128256, head_dim=64, tie_word_embeddings=True
    ),
    "meta-llama/Llama-3.2-3B-Instruct": _llama(
        3072, 28, 24, 8, 8192, 128256, head_dim=128, tie_word_embeddings=True
    ),
    "meta-llama/Llama-3.1-8B-Instruct": _llama(4096, 32, 32, 8, 14336, 128256),
    "meta-llama/Llama-3.1-70B-Instruct": _llama(8192, 80, 64, 8, 28672, 128256),
    "mistralai/Mistral-7B-Instruct-v0.3": _llama(
        4096, 32, 32, 8, 14336, 32768, model_type="mistral", max_position_embeddings=32768
    ),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": _llama(
        4096, 32, 32, 8, 14336, 32000, model_type="mixtral", num_local_experts=8,
        num_experts_per_tok=2, max_position_embeddings=32768,
    ),
    "openai-community/gpt2": {
        "model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12,
        "n_positions": 1024, "vocab_size": 50257,
    },
}  # fmt: skip


def known(name: str) -> dict[str, Any] | None:
    """The shipped shape of a Hub ID, in any letter case, or None."""
    wanted = name.strip().lower()
    for key, config in KNOWN.items():
        if key.lower() == wanted:
            return dict(config)
    return None
