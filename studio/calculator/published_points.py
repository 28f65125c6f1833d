"""Peaks of memory that other trainers publish, each with the loop that it belongs to.

LitGPT (Lightning-AI/litgpt, Apache-2.0), in `bf16-true`, no checkpointing, logits in chunks; the
peak is what PyTorch had allocated at most. tutorials/resource-tables.md of 20 October 2023: LoRA of
rank 8 on queries and values, one A100 40 GB, Alpaca's longest row. config_hub/finetune/README.md:
rank 32 on queries and values, dropout 0.05, one A10G, rows of Alpaca cut at 512 tokens. Its figures
with an adapter on the head are left out: the studio trains none there. LitGPT ties no embeddings,
and computes GELU in one operation, which keeps one tensor where transformers' `gelu_new`, phi's,
keeps four: so their configs here. PEFT's method comparison (huggingface/peft,
method_comparison/MetaMathQA/results): LoRA of rank 10 on the MLP, an L40S.
"""

from __future__ import annotations

import json
from functools import partial

from studio.calculator.reference_points import Point
from studio.calculator.workload import TrainingLoop
from studio.runs.recipe import Recipe

_TABLES = "https://github.com/Lightning-AI/litgpt/blob/main/tutorials/resource-tables.md"
_CONFIGS = "https://github.com/Lightning-AI/litgpt/blob/main/config_hub/finetune/README.md"
_PEFT = "https://github.com/huggingface/peft/tree/main/method_comparison/MetaMathQA/results"
_CHUNKED = TrainingLoop("bfloat16", autocast=False, fused_loss=True, keeps_base=False)
_PLAIN = TrainingLoop("bfloat16", autocast=False, fused_loss=False, keeps_base=False)
_QUERIES_AND_VALUES = ("q_proj", "v_proj")


def _config(
    kind: str, hidden: int, layers: int, heads: int, inner: int, vocabulary: int, **more: object
) -> str:
    return json.dumps(
        {
            **more,
            "model_type": kind,
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": inner,
            "vocab_size": vocabulary,
        }
    )


def _litgpt(
    name: str,
    model: str,
    tokens: int,
    targets: tuple[str, ...],
    peak: float,
    rows: int,
    method: str,
    nested: bool = True,
    rank: int = 8,
    source: str = _TABLES,
    gpu: str = "A100 40 GB",
) -> Point:
    """`peak` in GB, of batches of so many `rows` of `tokens` tokens; `nested`: the constants of
    NF4 are quantized too."""
    recipe = Recipe.defaults(
        "sft",
        method,
        model_name_or_path=model,
        lora_r=rank,
        lora_dropout=0.05 if source == _CONFIGS else 0.0,
        lora_target_modules=list(targets),
        dtype="bfloat16",
        optim="adamw_torch",
        max_length=tokens,
        per_device_train_batch_size=rows,
        activation_checkpointing=False,
        **({} if method == "lora" else {"use_bnb_nested_quant": nested}),
    )
    how = "LoRA" if method == "lora" else "QLoRA" if nested else "QLoRA, NF4 not nested,"
    label = f"{name}, {how} r {rank}, {rows} x {tokens:,} tokens"
    whose, head = "LitGPT's loop", "cross-entropy over chunks of the logits"
    return Point(label, int(peak * 1e9), source, recipe, gpu, _CHUNKED, whose=whose, head=head)


def _hub(name: str, model: str, *peaks: tuple[float, int, str], fused: bool = False) -> list[Point]:
    """Figures of LitGPT's collection of configs: (GB, rows, method)."""
    targets = ("query_key_value",) if fused else _QUERIES_AND_VALUES
    return [
        _litgpt(
            *(name, model, 512, targets, peak, rows, method),
            nested=False,
            rank=32,
            source=_CONFIGS,
            gpu="A10G",
        )
        for peak, rows, method in peaks
    ]


def _mlp() -> Point:
    recipe = Recipe.defaults(
        "sft",
        "lora",
        model_name_or_path="meta-llama/Llama-3.2-3B-Instruct",
        lora_r=10,
        lora_target_modules=["gate_proj", "up_proj", "down_proj"],
        dtype="bfloat16",
        optim="adamw_torch",
        max_length=768,
        per_device_train_batch_size=4,
    )
    return Point(
        "Llama-3.2-3B, LoRA r 10 on the MLP", 24_712_839_168, _PEFT, recipe, "L40S", _PLAIN
    )


_LLAMA7 = _config("llama", 4096, 32, 32, 11008, 32000)
_STABLE = _config("gpt_neox", 4096, 16, 32, 16384, 50688)
_FALCON = json.dumps(
    {
        "model_type": "falcon",
        "hidden_size": 4544,
        "num_hidden_layers": 32,
        "num_attention_heads": 71,
        "vocab_size": 65024,
        "multi_query": True,
        "parallel_attn": True,
        "bias": False,
    }
)
_grouped = partial(_config, num_key_value_heads=8)
_llama7 = partial(_litgpt, "Llama 2 7B", _LLAMA7, 1304, _QUERIES_AND_VALUES)
_llama13 = partial(
    _litgpt, "Llama 2 13B", _config("llama", 5120, 40, 40, 13824, 32000), 1304, _QUERIES_AND_VALUES
)
_stable = partial(_litgpt, "StableLM Alpha 3B", _STABLE, 1034, ("query_key_value",))
_phi = partial(
    _litgpt,
    "phi-1.5",
    _config("phi", 2048, 24, 32, 8192, 51200, hidden_act="gelu"),
    1044,
    _QUERIES_AND_VALUES,
)
PUBLISHED: tuple[Point, ...] = (
    _mlp(),
    _llama7(21.30, 1, "lora"),
    _llama7(29.07, 2, "lora"),
    _llama7(14.14, 1, "qlora", nested=False),
    _llama7(13.84, 1, "qlora"),
    _llama13(38.12, 1, "lora"),
    _llama13(23.14, 1, "qlora", nested=False),
    _llama13(22.55, 1, "qlora"),
    _stable(9.69, 1, "lora"),
    _stable(12.10, 2, "lora"),
    _stable(16.92, 4, "lora"),
    _stable(6.35, 1, "qlora", nested=False),
    _stable(6.19, 1, "qlora"),
    _phi(4.82, 1, "lora"),
    _phi(6.76, 2, "lora"),
    _phi(10.68, 4, "lora"),
    _phi(3.78, 1, "qlora", nested=False),
    _phi(3.72, 1, "qlora"),
    *_hub("Falcon 7B", _FALCON, (16.69, 1, "lora"), (9.44, 1, "qlora"), fused=True),
    *_hub("Llama 2 7B", _LLAMA7, (19.77, 2, "lora"), (13.68, 2, "qlora")),
    *_hub(
        "Llama 3 8B",
        _grouped("llama", 4096, 32, 32, 14336, 128256),
        *((19.73, 1, "lora"), (17.41, 2, "qlora")),
    ),
    *_hub(
        "Llama 3.2 1B",
        _grouped("llama", 2048, 16, 32, 8192, 128256),
        *((4.49, 1, "lora"), (5.53, 2, "qlora")),
    ),
    *_hub(
        "Llama 3.2 3B",
        _grouped("llama", 3072, 28, 24, 8192, 128256),
        *((9.67, 1, "lora"), (10.30, 2, "qlora")),
    ),
    *_hub(
        "Mistral 7B",
        _grouped("mistral", 4096, 32, 32, 14336, 32000),
        *((20.66, 2, "lora"), (14.29, 2, "qlora")),
    ),
    *_hub("StableLM Alpha 3B", _STABLE, (8.58, 1, "lora"), (5.24, 1, "qlora"), fused=True),
)
