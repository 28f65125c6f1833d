"""Known peaks of memory, beside what is estimated for the same settings.

Three runs of PEFT's own method comparison (huggingface/peft, Apache-2.0,
method_comparison/MetaMathQA/results): Llama-3.2-3B, one NVIDIA GPU, a plain PyTorch loop. LitGPT's
resource tables, in `published_points`. Two figures that are often repeated, with the assumptions
under which they hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from studio.calculator.gpus import find_gpu
from studio.calculator.memory import Memory, estimate_memory
from studio.calculator.workload import TrainingLoop, studio_loop, workload
from studio.runs.recipe import Recipe

_PEFT = "PEFT's method comparison, peak memory"
_SEVEN_B = json.dumps(
    {
        "model_type": "llama",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "intermediate_size": 11008,
        "vocab_size": 32000,
    }
)
# PEFT's loop: 16-bit weights without autocast, plain cross-entropy over all logits.
_PLAIN = TrainingLoop("bfloat16", autocast=False, fused_loss=False, keeps_base=False)


@dataclass(frozen=True)
class Point:
    """The `peak` in bytes that `source` gives for a recipe on a GPU; `loop` None: the studio's.

    Nothing keeps the base beside a full fine-tune in these figures.
    """

    label: str
    peak: int
    source: str
    recipe: Recipe
    gpu: str
    loop: TrainingLoop | None = None
    assumes: str = ""
    whose: str = ""
    head: str = ""

    @property
    def loop_words(self) -> str:
        """Whose loop and which loss head the figure belongs to; the head decides gigabytes."""
        loop = self._loop()
        whose = "the studio's (TRL)" if self.loop is None else "a plain PyTorch loop"
        if self.loop is not None and loop.fused_loss:
            whose = "TRL's trainer"
        head = "fused loss head" if loop.fused_loss else "plain cross-entropy over all logits"
        return f"{self.whose or whose}, {self.head or head}"

    def _loop(self) -> TrainingLoop:
        own = studio_loop(self.recipe, find_gpu(self.gpu))
        return self.loop or replace(own, keeps_base=False)

    def memory(self) -> Memory:
        """The calculator's estimate for the figure's own loop."""
        return estimate_memory(workload(self.recipe, find_gpu(self.gpu), self._loop()))

    def estimated(self) -> int:
        """Bytes by the calculator."""
        return self.memory().total

    def in_the_studio(self) -> int:
        """Bytes by the calculator for the same recipe in the studio's loop."""
        gpu = find_gpu(self.gpu)
        return estimate_memory(workload(self.recipe, gpu)).total

    def error(self) -> float:
        """The estimate over the figure, less one."""
        return self.estimated() / self.peak - 1


def _measured(label: str, peak: int, method: str, rank: int) -> Point:
    recipe = Recipe.defaults(
        "sft",
        method,
        model_name_or_path="meta-llama/Llama-3.2-3B-Instruct",
        lora_r=rank,
        lora_target_modules=["q_proj", "v_proj"],
        dtype="bfloat16",
        optim="adamw_torch",
        max_length=768,
        per_device_train_batch_size=4,
    )
    return Point(label, peak, _PEFT, recipe, "L40S", _PLAIN)


def _one_row(method: str, **settings: object) -> Recipe:
    return Recipe.defaults(
        "sft",
        method,
        model_name_or_path=_SEVEN_B,
        per_device_train_batch_size=1,
        activation_checkpointing=True,
        **settings,
    )


MEASURED: tuple[Point, ...] = (
    _measured("Llama-3.2-3B, LoRA r 32", 22_292_725_760, "lora", 32),
    _measured("Llama-3.2-3B, LoRA r 64", 22_552_772_608, "lora", 64),
    _measured("Llama-3.2-3B, DoRA r 32", 24_532_484_096, "dora", 32),
)
RULES_OF_THUMB: tuple[Point, ...] = (
    Point(
        "7B, full fine-tuning",
        126_000_000_000,
        "rule of thumb: 18 bytes a parameter",
        _one_row("full", dtype="float32", optim="adamw_torch"),
        "H200",
        TrainingLoop("float32", autocast=True, fused_loss=True, keeps_base=False),
        "AdamW with float32 weights and 16-bit copies of them; one row of 512 tokens, checkpointed",
    ),
    Point(
        "7B, QLoRA",
        7_000_000_000,
        "rule of thumb",
        _one_row("qlora", max_length=2048),
        "H200",
        assumes="NF4 with double quantization, r 16 on all linear layers in float32; one row of "
        "2,048 tokens, checkpointed; TRL's fused loss",
    ),
)
