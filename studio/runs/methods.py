"""Fine-tuning methods, as one table: name -> PEFT config, recipe fields, and limits.

PEFT is imported only when a config is made. Names are PEFT's own where it has one.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from studio.core.library_types import PeftConfig
from studio.runs.fields import RecipeFields
from studio.runs.objectives import OBJECTIVES

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
_TOKENS = (*_LORA, "trainable_token_indices")
_WHOLE = (*_TOKENS, "train_embeddings_and_norms")
_STACKS = (*_WHOLE, "lora_target_parameters")
_WHERE = ("lora_target_modules", "lora_modules_to_save", "layers_to_transform")

Combination = Literal[
    "cat",
    "linear",
    "ties",
    "dare_linear",
    "dare_ties",
    "svd",
    "ties_svd",
    "dare_linear_svd",
    "dare_ties_svd",
]
"""PEFT's ways to combine adapters (`add_weighted_adapter`)."""


@dataclass(frozen=True)
class Method:
    """One row: `config` is PEFT's class, empty where the model's own weights are trained.

    `fields` are the recipe fields that apply. `quantized` says whether the base is in 4 or 8 bits:
    "always", "may", or "never". `prompted` methods prepend virtual tokens and leave the weights
    alone. `moves_base` methods change the base weights at initialization, so they get a copy.
    """

    name: str
    label: str
    help: str
    config: str = "LoraConfig"
    fields: tuple[str, ...] = _TOKENS
    quantized: str = "may"
    prompted: bool = False
    moves_base: bool = False

    @property
    def adapter(self) -> bool:
        return bool(self.config)


_ROWS = (
    Method("lora", "LoRA", "Trains two low-rank matrices beside each target matrix.",
           fields=_STACKS),
    Method("dora", "DoRA", "LoRA with separate magnitude and direction; slower per step.",
           fields=(*_WHOLE, "ephemeral_gpu_offload")),
    Method("qlora", "QLoRA", "LoRA on a base loaded in 4 (or 8) bits.", fields=_STACKS,
           quantized="always"),
    Method("pissa", "PiSSA", "LoRA initialized with the base's principal singular vectors.",
           fields=(*_LORA, "pissa_niter"), quantized="never", moves_base=True),
    Method("loftq", "LoftQ", "QLoRA initialized to offset the quantization error; needs a GPU.",
           quantized="always"),
    Method("adalora", "AdaLoRA", "LoRA that allocates rank by importance.", "AdaLoraConfig",
           ("lora_r", "target_r", "lora_alpha", "lora_dropout", *_WHERE)),
    Method("loha", "LoHa", "Hadamard product of two low-rank matrices.", "LoHaConfig",
           ("lora_r", "lora_alpha", "rank_pattern", "alpha_pattern", *_WHERE), "never"),
    Method("lokr", "LoKr", "Kronecker product of small matrices.", "LoKrConfig",
           ("lora_r", "lora_alpha", "rank_pattern", "alpha_pattern", *_WHERE), "never"),
    Method("vera", "VeRA", "Frozen random matrices; only two vectors per layer are trained.",
           "VeraConfig", ("lora_r", "lora_dropout", *_WHERE)),
    Method("ia3", "IA3", "Trains one scale per feature of the target layers.", "IA3Config",
           ("lora_target_modules", "lora_modules_to_save", "feedforward_modules")),
    Method("oft", "OFT", "Rotates the weights in orthogonal blocks.", "OFTConfig",
           ("oft_block_size", *_WHERE)),
    Method("prompt_tuning", "Prompt tuning", "Trains virtual tokens before the prompt.",
           "PromptTuningConfig", ("num_virtual_tokens", "prompt_tuning_init_text"), prompted=True),
    Method("prefix_tuning", "Prefix tuning", "Trains virtual keys and values in every layer.",
           "PrefixTuningConfig", ("num_virtual_tokens", "prefix_projection"), prompted=True),
    Method("p_tuning", "P-tuning", "Virtual tokens from a small trained encoder.",
           "PromptEncoderConfig", ("num_virtual_tokens", "encoder_hidden_size"), prompted=True),
    Method("llama_adapter", "LLaMA-Adapter",
           "Gated prompts in the last attention layers, PEFT's closest to adapter layers.",
           "AdaptionPromptConfig", ("adapter_len", "adapter_layers"), "never"),
    Method("last_layers", "Last layers", "Trains the last few layers; the rest is frozen.",
           "", ("num_trainable_layers",), "never"),
    Method("full", "Full", "Trains all weights.", "", (), "never"),
)  # fmt: skip
METHODS: dict[str, Method] = {row.name: row for row in _ROWS}
QUANTIZED = tuple(row.name for row in _ROWS if row.quantized == "always")
WHOLE_MODEL = tuple(row.name for row in _ROWS if not row.adapter)
PROMPTED = tuple(row.name for row in _ROWS if row.prompted)
ALL_LINEAR = "all-linear"


def is_quantized(values: RecipeFields) -> bool:
    """Whether the base is loaded in 4 or 8 bits."""
    return values.method in QUANTIZED or values.load_in_4bit or values.load_in_8bit


def field_applies(field: str, method: str) -> bool:
    """Whether an adapter field applies to a method."""
    return field in METHODS[method].fields


@functools.cache
def adapter_fields() -> frozenset[str]:
    """Every field that belongs to some method."""
    return frozenset(name for row in _ROWS for name in row.fields)


# --- PEFT's config


def task_type(values: RecipeFields) -> str:
    """PEFT's name for what the model of a recipe is for."""
    if OBJECTIVES[values.objective].embeds:
        return "FEATURE_EXTRACTION"
    return "SEQ_CLS" if values.objective == "reward" else "CAUSAL_LM"


def peft_kwargs(
    values: RecipeFields, *, steps: int = 1000, tokenizer: str | None = None
) -> dict[str, Any]:
    """Keyword arguments of the method's PEFT config.

    Args:
        values: with the tokens of `trainable_token_indices` by id, and what
            `train_embeddings_and_norms` stands for among `lora_modules_to_save`.
        steps: optimizer steps of the run; AdaLoRA schedules its ranks over them.
        tokenizer: path or Hub id of the tokenizer; prompt tuning encodes its initial text with it.
    """
    method = METHODS[values.method]
    kwargs: dict[str, Any] = {"task_type": task_type(values)}
    if method.prompted:
        return kwargs | _prompt_kwargs(values, tokenizer)
    if method.name == "llama_adapter":
        return kwargs | {"adapter_len": values.adapter_len, "adapter_layers": values.adapter_layers}
    targets = values.lora_target_modules
    kwargs["target_modules"] = list(targets) if isinstance(targets, tuple) else targets
    kwargs["modules_to_save"] = list(values.lora_modules_to_save) or None
    if field_applies("train_embeddings_and_norms", method.name):
        # A head that shares the embedding's weights goes on sharing them.
        kwargs |= {"ensure_weight_tying": True} if values.train_embeddings_and_norms else {}
    if field_applies("layers_to_transform", method.name) and values.layers_to_transform:
        kwargs["layers_to_transform"] = list(values.layers_to_transform)
    if field_applies("trainable_token_indices", method.name) and values.trainable_token_indices:
        kwargs["trainable_token_indices"] = list(values.trainable_token_indices)
    if field_applies("lora_target_parameters", method.name) and values.lora_target_parameters:
        kwargs["target_parameters"] = list(values.lora_target_parameters)
    for name in ("rank_pattern", "alpha_pattern"):
        if field_applies(name, method.name) and getattr(values, name):
            kwargs[name] = dict(getattr(values, name))
    return kwargs | _OWN[method.config](values, steps)


def _lora(values: RecipeFields, steps: int) -> dict[str, Any]:
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


def _adalora(values: RecipeFields, steps: int) -> dict[str, Any]:
    """Ranks are pruned after a tenth of the run and fixed for its last third (PEFT's advice)."""
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


def _lycoris(values: RecipeFields, steps: int) -> dict[str, Any]:
    return {"r": values.lora_r, "alpha": values.lora_alpha}


def _vera(values: RecipeFields, steps: int) -> dict[str, Any]:
    return {"r": values.lora_r, "vera_dropout": values.lora_dropout}


def _ia3(values: RecipeFields, steps: int) -> dict[str, Any]:
    return {"feedforward_modules": list(values.feedforward_modules) or None}


def _oft(values: RecipeFields, steps: int) -> dict[str, Any]:
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


def _prompt_kwargs(values: RecipeFields, tokenizer: str | None) -> dict[str, Any]:
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


def peft_config(
    values: RecipeFields, *, steps: int = 1000, tokenizer: str | None = None
) -> PeftConfig:
    """The PEFT config of a method with an adapter; None for one that trains the model's weights."""
    method = METHODS[values.method]
    if not method.adapter:
        return None
    import peft

    kwargs = peft_kwargs(values, steps=steps, tokenizer=tokenizer)
    return getattr(peft, method.config)(**kwargs)


TOWERS = re.compile(r"vision|visual|audio|multi_modal_projector")
"""In the names of modules that read images or sound, in Gemma 3 and 4, Qwen and Mistral."""


def without_towers(config: Any, model: Any) -> Any:
    """The PEFT config with what reads images and sound left out of its targets: text trains none.

    Where the model has no such modules, and for methods without targets, it stays as it is.
    """
    beside = any(TOWERS.search(name) for name, _ in model.named_modules())
    if beside and hasattr(config, "exclude_modules"):
        config.exclude_modules = rf".*({TOWERS.pattern}).*"
    return config


# --- what cannot work


def validation_errors(values: RecipeFields) -> Iterator[str]:
    """Why this method cannot be trained this way: sentences without their period.

    All of it is known before anything is loaded.
    """
    method = METHODS[values.method]
    quantized = values.load_in_4bit or values.load_in_8bit
    if values.load_in_4bit and values.load_in_8bit:
        yield "load_in_4bit and load_in_8bit exclude each other; choose one"
    if method.quantized == "never" and quantized:
        bits = "4-bit" if values.load_in_4bit else "8-bit"
        yield (
            f"method {method.name} cannot train on a {bits} base "
            f"({_WHY_NOT_QUANTIZED.get(method.name, 'PEFT has no quantized layer for it')}); "
            "choose qlora, or leave the base unquantized"
        )
    if method.name == "loftq" and values.load_in_8bit:
        yield "LoftQ corrects a 4-bit base; set load_in_8bit: false"
    if values.start_from and values.start_as == "continue":
        yield from _cannot_continue(method)
    elif values.start_from and quantized:
        yield (
            "start_as: merge makes a base in 16 bits or more, which is not quantized again; choose "
            "lora, or start_as: continue"
        )
    yield from _objective_refusals(method, values)
    if method.prompted:
        yield from _prompt_refusals(method, values)
    targets = values.lora_target_modules
    if field_applies("lora_target_modules", method.name) and isinstance(targets, tuple):
        yield from _head_refusals(values, targets)
    yield from _token_refusals(values)
    if values.train_embeddings_and_norms:
        yield from _whole_refusals(method, values)
    if values.shifted_attention:
        yield from _shifted_refusals(method, values)
    if values.lora_target_parameters:
        yield from _stack_refusals(method, values)
    if isinstance(targets, str) and values.layers_to_transform:
        yield (
            "layers_to_transform needs lora_target_modules by name (PEFT does not take it beside "
            f"{targets!r}); list them, such as q_proj,v_proj"
        )


_VIRTUAL_TOKENS = ("prompt_tuning", "p_tuning")
_WHY_NOT_QUANTIZED = {
    "full": "quantized weights have no gradient",
    "last_layers": "quantized weights have no gradient",
    "pissa": "it decomposes the base weights, which must not be quantized",
    "llama_adapter": "it reads the attention weights directly",
}


def _cannot_continue(method: Method) -> Iterator[str]:
    if not method.adapter:
        yield (
            f"start_from continues an adapter, which method {method.name} does not have; choose "
            "lora, or start_as: merge"
        )
    elif method.prompted:
        yield (
            f"PEFT cannot continue training a loaded {method.label} adapter; start from the base, "
            "or continue a LoRA run"
        )
    elif method.name in ("adalora", "llama_adapter"):
        yield f"a finished {method.label} adapter cannot be trained further; choose lora"
    elif method.moves_base or method.name == "loftq":
        yield (
            f"{method.label} initializes a new adapter, and start_from brings a trained one; "
            "choose lora or qlora, or start_as: merge"
        )


def _objective_refusals(method: Method, values: RecipeFields) -> Iterator[str]:
    if values.objective == "reward" and method.moves_base:
        yield f"PEFT cannot save {method.label} with a reward model's score head; choose lora"
    if values.objective == "reward" and method.name == "llama_adapter":
        yield f"PEFT does not save a score head with {method.label}; choose lora"
    if OBJECTIVES[values.objective].legacy and method.name in _VIRTUAL_TOKENS:
        yield (
            f"TRL's experimental trainers do not account for {method.label}'s virtual tokens; "
            "choose prefix_tuning or lora"
        )


def _prompt_refusals(method: Method, values: RecipeFields) -> Iterator[str]:
    if values.packing:
        yield (
            f"{method.label} puts its tokens before a packed sequence, not before every example in "
            "it; set packing: false"
        )
    if method.name == "prefix_tuning" and values.activation_checkpointing:
        yield (
            "prefix tuning passes a key-value cache to every layer, which activation_checkpointing "
            "drops; set activation_checkpointing: false"
        )


def _whole_refusals(method: Method, values: RecipeFields) -> Iterator[str]:
    if not field_applies("train_embeddings_and_norms", method.name):
        yield f"train_embeddings_and_norms is LoRA's, not {method.label}'s; choose lora or qlora"
    if values.trainable_token_indices:
        yield (
            "train_embeddings_and_norms trains all embeddings, trainable_token_indices a few of "
            "them; choose one"
        )
    if not OBJECTIVES[values.objective].answers:
        label = OBJECTIVES[values.objective].label
        yield f"{label} has no head to go with the embedding; set train_embeddings_and_norms: false"


def _token_refusals(values: RecipeFields) -> Iterator[str]:
    if not values.trainable_token_indices:
        return
    if not field_applies("trainable_token_indices", values.method):
        yield (
            f"trainable_token_indices is PEFT's for LoRA, not for {METHODS[values.method].label}; "
            "choose lora, qlora, or dora"
        )
    if any("embed" in name for name in values.lora_modules_to_save):
        yield (
            "lora_modules_to_save trains all embeddings, trainable_token_indices a few of them; "
            "choose one"
        )


def _shifted_refusals(method: Method, values: RecipeFields) -> Iterator[str]:
    if values.objective != "sft":
        yield "shifted_attention is for sft: its groups count tokens of one row; set it to false"
    if values.packing:
        yield (
            "shifted_attention cuts sequences into groups, and packed rows begin anywhere in them; "
            "set packing: false"
        )
    if values.attn_implementation not in (None, "sdpa"):
        yield (
            f"shifted_attention stands in place of {values.attn_implementation}; leave "
            "attn_implementation out"
        )
    if method.prompted or method.name == "llama_adapter":
        yield (
            f"{method.label} adds tokens or prompts to the attention that shifted_attention "
            "replaces; choose lora"
        )


def _stack_refusals(method: Method, values: RecipeFields) -> Iterator[str]:
    if not field_applies("lora_target_parameters", method.name):
        yield f"lora_target_parameters is PEFT's for LoRA, not for {method.label}; choose lora"
    elif values.lora_dropout:
        yield (
            "PEFT cannot drop out the input of a weight that is no module; set lora_dropout: 0, or "
            "leave lora_target_parameters out"
        )


def _head_refusals(values: RecipeFields, targets: tuple[str, ...]) -> Iterator[str]:
    if "lm_head" not in targets:
        return
    if OBJECTIVES[values.objective].fused_loss:
        yield (
            "lm_head cannot be a target: TRL's fused loss reads its weight directly and would not "
            "train the adapter on it"
        )
    if values.objective == "reward":
        yield "lm_head cannot be a target: a reward model has a score head in its place"
    if OBJECTIVES[values.objective].embeds:
        yield "lm_head cannot be a target: an encoder has no head"
