"""What was measured elsewhere, beside what is estimated for the same settings.

Three runs of PEFT's own method comparison (huggingface/peft, Apache-2.0,
method_comparison/MetaMathQA/results): Llama-3.2-3B, one NVIDIA GPU, a plain PyTorch loop. Two
figures that are often repeated, with the assumptions under which they hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PEFT = "PEFT's method comparison, peak memory"
_THEIR_LOOP: dict[str, Any] = {
    "card": "L40S",
    "dtype": "bfloat16",
    "optim": "adamw_torch",
    "max_length": 768,
    "per_device_train_batch_size": 4,
    "autocast": False,
    "fused_loss": False,
    "lora_target_modules": ["q_proj", "v_proj"],
}
_SEVEN_B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "intermediate_size": 11008,
    "vocab_size": 32000,
}
_ONE_ROW: dict[str, Any] = {
    "per_device_train_batch_size": 1,
    "activation_checkpointing": True,
    "card": "H200",
}


@dataclass(frozen=True)
class Point:
    """`peak` bytes that `source` says for `settings` (keyword arguments of `estimate`)."""

    label: str
    peak: int
    source: str
    model: str | Mapping[str, Any]
    settings: Mapping[str, Any] = field(repr=False)
    assumes: str = ""

    def estimated(self) -> int:
        """Bytes by the calculator."""
        from studio.calculator.estimates import estimate

        return estimate(self.model, **self.settings).memory.total

    def error(self) -> float:
        """The estimate over the figure, less one."""
        return self.estimated() / self.peak - 1


_LLAMA_3B = "meta-llama/Llama-3.2-3B-Instruct"
MEASURED: tuple[Point, ...] = (
    Point("Llama-3.2-3B, LoRA r 32", 22_292_725_760, _PEFT, _LLAMA_3B,
          {"method": "lora", "lora_r": 32, **_THEIR_LOOP}),
    Point("Llama-3.2-3B, LoRA r 64", 22_552_772_608, _PEFT, _LLAMA_3B,
          {"method": "lora", "lora_r": 64, **_THEIR_LOOP}),
    Point("Llama-3.2-3B, DoRA r 32", 24_532_484_096, _PEFT, _LLAMA_3B,
          {"method": "dora", "lora_r": 32, **_THEIR_LOOP}),
)  # fmt: skip
RULES_OF_THUMB: tuple[Point, ...] = (
    Point(
        "7B, full fine-tuning",
        126_000_000_000,
        "rule of thumb: 18 bytes a parameter",
        _SEVEN_B,
        {"method": "full", "dtype": "float32", "autocast": True, **_ONE_ROW},
        "AdamW with float32 weights and 16-bit copies of them; one row of 512 tokens, checkpointed",
    ),
    Point(
        "7B, QLoRA",
        7_000_000_000,
        "rule of thumb",
        _SEVEN_B,
        {"method": "qlora", "max_length": 2048, "lora_r": 64, **_ONE_ROW},
        "NF4 with double quantisation, r 64 on all linear layers; one row of 2,048 tokens, "
        "checkpointed; TRL's fused loss",
    ),
)
