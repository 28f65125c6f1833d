"""Small random models in the shapes of the families people fine-tune, saved as folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, trainers
from transformers import (
    AutoTokenizer,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GemmaTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaTokenizer,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

ROOT = Path(__file__).resolve().parents[3]
POCKET = ROOT / "presets" / "pocket"
_SPECIAL = ("<pad>", "</s>", "<s>", "<unk>", "<|user|>", "<|assistant|>", "<|system|>")
_SHARED: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.1,
}
_LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
# name -> (config class, model class, what differs, whose SentencePiece-like tokenizer if any)
SHAPES: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "Llama": (LlamaConfig, LlamaForCausalLM, {"tie_word_embeddings": False}, "llama"),
    "Llama-3": (
        LlamaConfig, LlamaForCausalLM,
        {"tie_word_embeddings": True, "rope_parameters": _LLAMA3_ROPE}, "",
    ),
    "Mistral": (
        MistralConfig, MistralForCausalLM,
        {"tie_word_embeddings": False, "sliding_window": 256}, "llama",
    ),
    "Qwen2": (Qwen2Config, Qwen2ForCausalLM, {"tie_word_embeddings": True}, ""),
    "Qwen3": (Qwen3Config, Qwen3ForCausalLM, {"tie_word_embeddings": True, "head_dim": 128}, ""),
    "Gemma-2": (Gemma2Config, Gemma2ForCausalLM, {"head_dim": 256, "sliding_window": 128}, "gemma"),
    "Gemma-3": (
        Gemma3TextConfig, Gemma3ForCausalLM,
        {"head_dim": 256, "sliding_window": 128, "num_hidden_layers": 6}, "gemma",
    ),
    "Phi-3": (
        Phi3Config, Phi3ForCausalLM,
        {"tie_word_embeddings": False, "sliding_window": 256, "num_key_value_heads": 4}, "phi3",
    ),
}  # fmt: skip


def sentencepiece_like(kind: str) -> Any:
    """A small BPE tokenizer with spaces as `▁` and bytes for the rest, built as a family's own."""
    rows = (POCKET / "data" / "sft.jsonl").read_text(encoding="utf-8").splitlines()[:400]
    texts = [turn["content"] for row in rows for turn in _turns(json.loads(row))]
    pieces = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    pieces.normalizer = normalizers.Replace(" ", "▁")
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=[*_SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    pieces.train_from_iterator(texts, trainer)
    vocabulary = json.loads(pieces.to_str())["model"]["vocab"]
    family = GemmaTokenizer if kind == "gemma" else LlamaTokenizer
    template = (POCKET / "chat_template.jinja").read_text(encoding="utf-8")
    tokenizer: Any = family(
        vocab=vocabulary,
        merges=every_merge(vocabulary),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        chat_template=template.replace("<|end|>", "</s>"),
    )
    tokenizer.add_tokens(list(_SPECIAL[4:]), special_tokens=True)
    if kind == "phi3":
        tokenizer.add_tokens(["<|endoftext|>"], special_tokens=True)  # llama.cpp wants it there
        tokenizer.backend_tokenizer.pre_tokenizer = None
        tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
    return tokenizer


def every_merge(vocabulary: dict[str, int]) -> Any:
    """Every two pieces that make a third, the earlier piece first: as SentencePiece's are kept."""
    pieces = [piece for piece in vocabulary if piece not in _SPECIAL]
    return [
        (piece[:at], piece[at:])
        for piece in sorted(pieces, key=vocabulary.__getitem__)
        for at in range(1, len(piece))
        if piece[:at] in vocabulary and piece[at:] in vocabulary
    ]


def _turns(row: dict[str, Any]) -> list[dict[str, str]]:
    return [turn for key in ("messages", "prompt", "completion") for turn in row.get(key) or []]


def make(name: str, folder: Path) -> Path:
    """Write a shape's random model and tokenizer as a folder that `from_pretrained` reads."""
    config_class, model_class, differs, kind = SHAPES[name]
    tokenizer: Any = sentencepiece_like(kind) if kind else AutoTokenizer.from_pretrained(POCKET)
    config = config_class(
        **_SHARED | differs | {"vocab_size": -(-len(tokenizer) // 64) * 64 + 64},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(7)
    model = model_class(config)
    with torch.no_grad():
        for key, tensor in model.named_parameters():
            if "norm" in key or key.endswith("bias"):  # as if trained: not all ones and zeros
                tensor.add_(torch.randn_like(tensor) * 0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
