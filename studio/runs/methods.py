"""What is trained, as one table: a method's name -> PEFT's config, its knobs, what it cannot do.

Light: PEFT is imported when a config is made. `values` is anything with a recipe's attributes (a
`studio.runs.recipe.Recipe`, or the calculator's settings); names are PEFT's own where it has one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_LORA = (
    "lora_r",
    "lora_alpha",
    "lora_dropout",
    "lora_target_modules",
    "lora_modules_to_save",
    "use_rslora",
    "rank_pattern",
    "alpha_pattern",
    "layers_to_transform",
    "loraplus_lr_ratio",
)
_WHERE = ("lora_target_modules", "lora_modules_to_save", "layers_to_transform")


@dataclass(frozen=True)
class Method:
    """One row: `config` is PEFT's class ("" where weights of the model itself train).

    `quantized` says whether the base may be held in 4 or 8 bits: "always", "may" or "never".
    `prompted` methods put virtual tokens before the text instead of changing matrices.
    `moves_base` ones change the weights under the adapter when they start, so they get a copy.
    """

    name: str
    label: str
    help: str
    config: str = "LoraConfig"
    knobs: tuple[str, ...] = _LORA
    quantized: str = "may"
    prompted: bool = False
    moves_base: bool = False

    @property
    def adapter(self) -> bool:
        return bool(self.config)


_ROWS = (
    Method("lora", "LoRA", "Two thin matrices beside every chosen one."),
    Method("dora", "DoRA", "LoRA that learns length and direction apart; slower a step.",
           knobs=(*_LORA, "ephemeral_gpu_offload")),
    Method("qlora", "QLoRA", "LoRA on a base held in 4 (or 8) bits.", quantized="always"),
    Method("pissa", "PiSSA", "LoRA that starts from the base's largest singular vectors.",
           knobs=(*_LORA, "pissa_niter"), quantized="never", moves_base=True),
    Method("loftq", "LoftQ", "QLoRA that starts by undoing what 4 bits lost; needs a GPU.",
           quantized="always"),
    Method("adalora", "AdaLoRA", "LoRA that spends its rank where it helps most.", "AdaLoraConfig",
           ("lora_r", "target_r", "lora_alpha", "lora_dropout", *_WHERE)),
    Method("loha", "LoHa", "Hadamard product of two low-rank products.", "LoHaConfig",
           ("lora_r", "lora_alpha", "rank_pattern", "alpha_pattern", *_WHERE), "never"),
    Method("lokr", "LoKr", "Kronecker product of small matrices.", "LoKrConfig",
           ("lora_r", "lora_alpha", "rank_pattern", "alpha_pattern", *_WHERE), "never"),
    Method("vera", "VeRA", "Frozen random matrices; only two vectors a layer train.",
           "VeraConfig", ("lora_r", "lora_dropout", *_WHERE)),
    Method("ia3", "IA3", "One scale for each feature of the chosen layers.", "IA3Config",
           ("lora_target_modules", "lora_modules_to_save", "feedforward_modules")),
    Method("oft", "OFT", "Rotates the weights in blocks.", "OFTConfig",
           ("oft_block_size", *_WHERE)),
    Method("prompt_tuning", "Prompt tuning", "Trains virtual tokens before the text.",
           "PromptTuningConfig", ("num_virtual_tokens", "prompt_tuning_init_text"), prompted=True),
    Method("prefix_tuning", "Prefix tuning", "Trains virtual keys and values in every layer.",
           "PrefixTuningConfig", ("num_virtual_tokens", "prefix_projection"), prompted=True),
    Method("p_tuning", "P-tuning", "Virtual tokens made by a small trained network.",
           "PromptEncoderConfig", ("num_virtual_tokens", "encoder_hidden_size"), prompted=True),
    Method("llama_adapter", "LLaMA-Adapter",
           "Gated prompts inside the last attention layers: PEFT's nearest to adapter layers.",
           "AdaptionPromptConfig", ("adapter_len", "adapter_layers"), "never"),
    Method("last_layers", "Last layers", "Trains the last few layers, the rest frozen.",
           "", ("num_trainable_layers",), "never"),
    Method("full", "Full", "Trains all weights.", "", (), "never"),
)  # fmt: skip
METHODS: dict[str, Method] = {row.name: row for row in _ROWS}
QUANTIZED = tuple(row.name for row in _ROWS if row.quantized == "always")
WHOLE_MODEL = tuple(row.name for row in _ROWS if not row.adapter)
PROMPTED = tuple(row.name for row in _ROWS if row.prompted)
ALL_LINEAR = "all-linear"


def knob_applies(knob: str, method: str) -> bool:
    """Whether an adapter knob does anything for a method."""
    return knob in METHODS[method].knobs


@functools.cache
def adapter_knobs() -> frozenset[str]:
    """Every knob that some method owns."""
    return frozenset(knob for row in _ROWS for knob in row.knobs)


# --- PEFT's config


def peft_kwargs(values: Any, *, steps: int = 1000, tokenizer: str | None = None) -> dict[str, Any]:
    """Keyword arguments of the method's PEFT config.

    Args:
        values: a recipe, or anything with its attributes.
        steps: optimizer steps of the run; AdaLoRA plans its ranks over them.
        tokenizer: where the tokenizer is loaded from; prompt tuning reads its first words with it.
    """
    method = METHODS[values.method]
    task = "SEQ_CLS" if values.objective == "reward" else "CAUSAL_LM"
    kwargs: dict[str, Any] = {"task_type": task}
    if method.prompted:
        return kwargs | _prompt_kwargs(values, tokenizer)
    if method.name == "llama_adapter":
        return kwargs | {"adapter_len": values.adapter_len, "adapter_layers": values.adapter_layers}
    targets = values.lora_target_modules
    kwargs["target_modules"] = list(targets) if isinstance(targets, tuple) else targets
    kwargs["modules_to_save"] = list(values.lora_modules_to_save) or None
    if knob_applies("layers_to_transform", method.name) and values.layers_to_transform:
        kwargs["layers_to_transform"] = list(values.layers_to_transform)
    for name in ("rank_pattern", "alpha_pattern"):
        if knob_applies(name, method.name) and getattr(values, name):
            kwargs[name] = dict(getattr(values, name))
    return kwargs | _OWN[method.config](values, steps)


def _lora(values: Any, steps: int) -> dict[str, Any]:
    own: dict[str, Any] = {
        "r": values.lora_r,
        "lora_alpha": values.lora_alpha,
        "lora_dropout": values.lora_dropout,
        "use_rslora": values.use_rslora,
        "use_dora": values.method == "dora",
    }
    if values.method == "pissa":
        fast = f"pissa_niter_{values.pissa_niter}" if values.pissa_niter else "pissa"
        own["init_lora_weights"] = fast
    if values.method == "dora" and values.ephemeral_gpu_offload:
        from peft import LoraRuntimeConfig

        own["runtime_config"] = LoraRuntimeConfig(ephemeral_gpu_offload=True)
    return own


def _adalora(values: Any, steps: int) -> dict[str, Any]:
    """Ranks are cut from a tenth of the run on and settled for its last third (PEFT's advice)."""
    target = values.target_r or max(1, values.lora_r // 2)
    return {
        "init_r": values.lora_r,
        "target_r": target,
        "lora_alpha": values.lora_alpha,
        "lora_dropout": values.lora_dropout,
        "total_step": max(2, steps),
        "tinit": steps // 10,
        "tfinal": steps // 3,
        "deltaT": max(1, steps // 100),
    }


def _lycoris(values: Any, steps: int) -> dict[str, Any]:
    return {"r": values.lora_r, "alpha": values.lora_alpha}


def _vera(values: Any, steps: int) -> dict[str, Any]:
    return {"r": values.lora_r, "vera_dropout": values.lora_dropout}


def _ia3(values: Any, steps: int) -> dict[str, Any]:
    return {"feedforward_modules": list(values.feedforward_modules) or None}


def _oft(values: Any, steps: int) -> dict[str, Any]:
    return {"oft_block_size": values.oft_block_size}


_OWN = {
    "LoraConfig": _lora,
    "AdaLoraConfig": _adalora,
    "LoHaConfig": _lycoris,
    "LoKrConfig": _lycoris,
    "VeraConfig": _vera,
    "IA3Config": _ia3,
    "OFTConfig": _oft,
}


def _prompt_kwargs(values: Any, tokenizer: str | None) -> dict[str, Any]:
    kwargs: dict[str, Any] = {"num_virtual_tokens": values.num_virtual_tokens}
    if values.method == "prefix_tuning":
        kwargs["prefix_projection"] = values.prefix_projection
    if values.method == "p_tuning":
        kwargs["encoder_hidden_size"] = values.encoder_hidden_size
    if values.method == "prompt_tuning" and values.prompt_tuning_init_text and tokenizer:
        kwargs |= {
            "prompt_tuning_init": "TEXT",
            "prompt_tuning_init_text": values.prompt_tuning_init_text,
            "tokenizer_name_or_path": tokenizer,
        }
    return kwargs


def peft_config(values: Any, *, steps: int = 1000, tokenizer: str | None = None) -> Any:
    """PEFT's config object for a method with an adapter; None for one that trains weights."""
    method = METHODS[values.method]
    if not method.adapter:
        return None
    import peft

    kwargs = peft_kwargs(values, steps=steps, tokenizer=tokenizer)
    return getattr(peft, method.config)(**kwargs)


# --- what cannot work


def validation_errors(values: Any) -> Iterator[str]:
    """Why this method cannot be trained as asked: sentences without their full stop.

    Everything here is known before anything is loaded.
    """
    method = METHODS[values.method]
    quantized = values.load_in_4bit or values.load_in_8bit
    if values.load_in_4bit and values.load_in_8bit:
        yield "load_in_4bit and load_in_8bit exclude each other; choose one"
    if method.quantized == "never" and quantized:
        bits = "4-bit" if values.load_in_4bit else "8-bit"
        yield (
            f"method {method.name} cannot train on a {bits} base "
            f"({_WHY_NOT_QUANTIZED.get(method.name, 'PEFT has no quantised layer for it')}); "
            "choose qlora, or leave the base unquantised"
        )
    if method.name == "loftq" and values.load_in_8bit:
        yield "LoftQ corrects a 4-bit base; set load_in_8bit: false"
    if values.start_from and values.start_as == "continue":
        yield from _cannot_continue(method)
    elif values.start_from and quantized:
        yield (
            "start_as: merge makes a base of 16 bits or more, which stays so; choose lora, or "
            "start_as: continue"
        )
    yield from _objective_refusals(method, values)
    if method.prompted:
        yield from _prompt_refusals(method, values)
    targets = values.lora_target_modules
    if knob_applies("lora_target_modules", method.name) and isinstance(targets, tuple):
        yield from _head_refusals(values, targets)
    if isinstance(targets, str) and getattr(values, "layers_to_transform", ()):
        yield (
            "layers_to_transform needs lora_target_modules by name (PEFT does not take it beside "
            f"{targets!r}); list them, such as q_proj,v_proj"
        )


_VIRTUAL_TOKENS = ("prompt_tuning", "p_tuning")
_WHY_NOT_QUANTIZED = {
    "full": "rounded weights have no gradient",
    "last_layers": "rounded weights have no gradient",
    "pissa": "it takes the base's weights apart, which needs them whole",
    "llama_adapter": "it reads the attention's weights directly",
}


def _cannot_continue(method: Method) -> Iterator[str]:
    if not method.adapter:
        yield (
            f"start_from continues an adapter, which method {method.name} does not have; choose "
            "lora, or start_as: merge"
        )
    elif method.prompted:
        yield (
            f"PEFT cannot go on training a loaded {method.label} adapter; start from the base, "
            "or continue a LoRA run"
        )
    elif method.name in ("adalora", "llama_adapter"):
        yield f"a finished {method.label} adapter cannot be trained further; choose lora"
    elif method.moves_base or method.name == "loftq":
        yield (
            f"{method.label} is a way to start an adapter, and start_from brings a started one; "
            "choose lora or qlora, or start_as: merge"
        )


def _objective_refusals(method: Method, values: Any) -> Iterator[str]:
    if values.objective == "reward" and method.moves_base:
        yield f"PEFT cannot save {method.label} with a reward model's score; choose lora"
    if values.objective == "reward" and method.name == "llama_adapter":
        yield f"PEFT saves no score with a {method.label}; choose lora"
    if values.objective in ("orpo", "cpo", "simpo") and method.name in _VIRTUAL_TOKENS:
        yield (
            f"TRL's experimental trainers count positions without {method.label}'s virtual "
            "tokens; choose prefix_tuning or lora"
        )


def _prompt_refusals(method: Method, values: Any) -> Iterator[str]:
    if values.packing:
        yield (
            f"{method.label} puts its tokens before a whole packed row, not before every example "
            "in it; set packing: false"
        )
    if method.name == "prefix_tuning" and values.activation_checkpointing:
        yield (
            "prefix tuning hands every layer a cache, which activation_checkpointing throws away; "
            "set activation_checkpointing: false"
        )


def _head_refusals(values: Any, targets: tuple[str, ...]) -> Iterator[str]:
    if "lm_head" not in targets:
        return
    if values.objective in ("sft", "dpo", "kto"):
        yield (
            "lm_head cannot be a target: TRL's fused loss reads its weight directly "
            "and would never train it"
        )
    if values.objective == "reward":
        yield "lm_head cannot be a target: a reward model has a score in its place"
