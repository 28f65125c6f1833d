"""What of a run decides its memory and its time, with everything automatic settled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from studio.calculator.adapter_settings import METHODS, UNQUANTIZED
from studio.calculator.gpus import Card
from studio.core.errors import ConfigError, did_you_mean
from studio.runs.methods import QUANTIZED, WHOLE_MODEL
from studio.runs.objectives import OBJECTIVES, REWARDED, WITH_REFERENCE

WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}
QUANTIZATIONS = ("none", "4bit", "8bit")
PAIRED = ("dpo", "orpo", "cpo", "simpo", "reward")
FUSED = ("sft", "dpo", "kto", *REWARDED)
_COUNTS = (
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "max_length",
    "num_generations",
    "max_completion_length",
    "num_iterations",
)


@dataclass(frozen=True)
class Plan:
    """TRL's names where there are any.

    `autocast` is mixed precision, by default where the weights are 16-bit;
    `fused_loss` TRL's loss head, which never holds all logits (by default where TRL has one);
    `keep_base` a second, untouched copy of the weights beside the ones that train;
    `continued` DPO from an SFT adapter, whose frozen copy is the reference.
    """

    method: str = "lora"
    objective: str = "sft"
    loss_type: str = ""
    quantization: str = "none"
    double_quant: bool = True
    optim: str = "adamw_torch_fused"
    dtype: str = "bfloat16"
    autocast: bool | None = None
    per_device_train_batch_size: int = 8
    gradient_accumulation_steps: int = 1
    max_length: int = 512
    activation_checkpointing: bool = False
    attn_implementation: str | None = None
    lora_dropout: float = 0.0
    fused_loss: bool | None = None
    precompute_ref_log_probs: bool = False
    keep_base: bool = False
    continued: bool = False
    packing: bool = False
    num_train_epochs: float = 3.0
    max_steps: int = -1
    num_generations: int = 8
    max_completion_length: int = 128
    num_iterations: int = 1

    @property
    def answers(self) -> int:
        """Answers written at once: all those of an optimizer step, where answers are rewarded."""
        together = self.per_device_train_batch_size * self.gradient_accumulation_steps
        return together if self.objective in REWARDED else 0

    @property
    def sequences(self) -> int:
        """Sequences in one batch: objectives on pairs run chosen and rejected together."""
        return self.per_device_train_batch_size * (2 if self.objective in PAIRED else 1)

    @property
    def whole_model(self) -> bool:
        """Whether weights of the model itself train, so that the run works on a copy of them."""
        return self.method in WHOLE_MODEL

    @property
    def scores_reference(self) -> bool:
        """Whether each batch also runs through the reference."""
        return self.objective in WITH_REFERENCE and not self.precompute_ref_log_probs

    @property
    def estimates_kl(self) -> bool:
        """Whether KTO's loss runs each batch once more, answers shuffled, without gradients."""
        return self.objective == "kto" and self.loss_type in ("", "kto")

    @property
    def smallest_batch(self) -> int:
        """Rows that a batch needs: KTO's estimate of the KL term takes the other rows of it."""
        return 2 if self.estimates_kl else 1

    @property
    def batch_tokens(self) -> int:
        """Tokens in one batch, at full length."""
        return self.sequences * self.max_length

    def with_(self, **changes: Any) -> Plan:
        return replace(self, **changes)


def make_plan(card: Card, **values: Any) -> Plan:
    """A checked plan with `dtype="auto"` and the method's own quantisation settled for a card."""
    plan = Plan(**values)
    _among("method", plan.method, METHODS)
    _among("objective", plan.objective, OBJECTIVES)
    _among("quantization", plan.quantization, QUANTIZATIONS)
    for name in _COUNTS:
        value = getattr(plan, name)
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value
        if not whole or not 1 <= value <= 1 << 24 or int(value) != value:
            raise ConfigError(f"{name} is {value!r}; give a whole number of at least 1.")
        plan = plan.with_(**{name: int(value)})
    dtype = plan.dtype
    if dtype == "auto":
        dtype = "float32" if card.device != "cuda" else "bfloat16" if card.bf16 else "float16"
    _among("dtype", dtype, WIDTHS)
    quantization = plan.quantization
    if plan.method in QUANTIZED and quantization == "none":
        quantization = "4bit"
    if plan.method in UNQUANTIZED and quantization != "none":
        raise ConfigError(
            f"method {plan.method} cannot train on a quantised base; choose qlora, or "
            "quantization none."
        )
    mixed = dtype != "float32" if plan.autocast is None else plan.autocast
    mixed = mixed and card.device == "cuda"
    if plan.objective in REWARDED:  # an answer is cut at its own length, never at a row's
        plan = plan.with_(max_length=max(plan.max_length, plan.max_completion_length))
    fused = plan.objective in FUSED if plan.fused_loss is None else plan.fused_loss
    return plan.with_(dtype=dtype, quantization=quantization, autocast=mixed, fused_loss=fused)


def _among(name: str, value: Any, known: Any) -> None:
    if value not in known:
        raise ConfigError(
            f"{name} {value!r} is not known.{did_you_mean(str(value), known)} "
            f"Known: {', '.join(known)}."
        )
