"""Loading models, tokenizers, and adapters: the one place that does.

Imports torch, so it belongs in the worker's thread (see `studio.engine.worker`). Only safetensors
are read, and a repository's own code never runs.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PretrainedConfig,
)
from transformers.utils import logging as transformers_logging

from studio.core import (
    cards,
    chat_templates,
    compat,
    config_limits,
    hub,
    rope,
    tokenizer_check,
    zerogpu,
)
from studio.core.device_errors import is_out_of_memory
from studio.core.errors import ModelError
from studio.core.hardware import host_memory
from studio.core.library_types import AdaptedModel, LanguageModel, Tokenizer
from studio.core.model_names import ModelRef
from studio.models import sharding

transformers_logging.disable_progress_bar()


def device() -> torch.device:
    """This machine's accelerator, else the CPU; under ZeroGPU the CPU until the GPU is lent."""
    if zerogpu.only_cpu():
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def weights_dtype(wanted: str = "auto") -> torch.dtype:
    """`auto`: bfloat16 where the GPU has it, float16 on an older one, float32 on a CPU.

    Under ZeroGPU these are the GPU's, which answers, although the weights wait on the CPU.
    """
    if wanted != "auto":
        return getattr(torch, wanted)
    if torch.cuda.is_available():
        return (
            torch.bfloat16
            if torch.cuda.is_bf16_supported(including_emulation=False)
            else torch.float16
        )
    return torch.float32


def dtype_name(wanted: str = "auto") -> str:
    """`weights_dtype` by name, such as `bfloat16`."""
    return str(weights_dtype(wanted)).removeprefix("torch.")


def roomiest_device() -> torch.device:
    """Where a model goes that nobody has placed: of several GPUs the one with most free memory."""
    here = device()
    return torch.device("cuda", cards.choose(None)) if here.type == "cuda" else here


def memory_free(on: torch.device | None = None) -> int:
    """Bytes that can still be allocated on a device, PyTorch's own unused reserve among them."""
    on = on or device()
    if on.type == "cuda":
        free, _ = torch.cuda.mem_get_info(on)
        return free + torch.cuda.memory_reserved(on) - torch.cuda.memory_allocated(on)
    return host_memory()[0]


def weight_bytes(
    reference: ModelRef, dtype: str = "auto", bits: dict[str, Any] | None = None
) -> int:
    """What a model's weights will take here, counted on the meta device; 0 where it is unknown.

    A quantized base keeps embeddings, norms and head as wide as `dtype`; a 4-bit weight takes 0.53
    bytes with its constants, an 8-bit one 1.
    """
    width = weights_dtype(dtype).itemsize
    try:
        config = config_of(reference)
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except Exception:  # loading it says what is wrong, in a sentence
        return 0
    total = sum(tensor.numel() for tensor in model.parameters()) * width
    if bits is None:
        return total
    head = model.get_output_embeddings()
    linear = sum(
        module.weight.numel()
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    )
    return total - round(linear * (width - (1.0 if bits.get("load_in_8bit") else 0.53)))


def load_tokenizer(reference: ModelRef) -> Tokenizer:
    """A tokenizer with a padding token and a chat template, bundled where it has none.

    One from elsewhere is tried first, see `studio.core.tokenizer_check`.
    """
    try:
        if reference.kind != "builtin":
            tokenizer_check.check(_tokenizer_folder(reference), reference.name)
        tokenizer: Any = AutoTokenizer.from_pretrained(
            reference.location,
            revision=reference.revision or "main",
            trust_remote_code=False,
            local_files_only=_only_local(reference),
        )
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(explain(error, reference.name, "tokenizer")) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    chat_templates.ensure(tokenizer)
    return tokenizer


def _tokenizer_folder(reference: ModelRef) -> Path:
    """Where a model's tokenizer is on this machine, downloaded where it is not yet."""
    if reference.kind != "hub":
        return Path(reference.location)
    return Path(
        snapshot_download(
            reference.location,
            revision=reference.revision or "main",
            allow_patterns=list(tokenizer_check.FILES),
            local_files_only=_only_local(reference),
        )
    )


def check_vocabulary(reference: ModelRef, tokenizer: Tokenizer) -> None:
    """Raise `ModelError` where the tokenizer has ids that the embedding has no row for.

    On a GPU such an id ends the process's use of the card. What stands for an image or a sound is
    let pass: the text models of multimodal families keep it in their tokenizers, and no text holds
    it.
    """
    try:
        rows = config_of(reference).get_text_config().vocab_size
    except (AttributeError, OSError, ValueError):
        return  # loading it says what is wrong, in a sentence
    beyond = {id: token for token, id in tokenizer.get_vocab().items() if id >= rows}
    named = [beyond[id] for id in sorted(beyond) if not _PLACEHOLDER.search(beyond[id])]
    if named:
        wanted = max(beyond) + 1
        raise ModelError(
            f"The tokenizer of {reference.name} has {wanted:,} tokens and its embedding "
            f"{rows:,} rows, so {named[0]!r} has none. Call resize_token_embeddings({wanted}) "
            "in transformers and save the model, or remove the added tokens from its tokenizer."
        )


_PLACEHOLDER = re.compile("image|audio|video|vision", re.IGNORECASE)


def load_model(
    reference: ModelRef,
    dtype: str = "auto",
    bits: dict[str, Any] | None = None,
    attention: str | None = None,
    on: torch.device | None = None,
    encoder: bool = False,
) -> LanguageModel:
    """A causal language model, frozen and in eval mode; for an `encoder` also one without a head.

    `bits` are arguments of `BitsAndBytesConfig` for a quantized base; `attention` is transformers'
    `attn_implementation` (None: its own choice); `on` is this machine's device by default.
    """
    on = on or device()
    settings: dict[str, Any] = {
        "dtype": weights_dtype(dtype),
        "trust_remote_code": False,
        "use_safetensors": True,
        "revision": reference.revision or "main",
        "local_files_only": _only_local(reference),
    }
    if attention is not None:
        settings["attn_implementation"] = attention
    if bits is not None:
        settings["quantization_config"] = BitsAndBytesConfig(
            bnb_4bit_compute_dtype=weights_dtype(dtype), **bits
        )
    settings |= sharding.placement(on, bits is not None)
    try:
        # Read first, so that a repository with its own code is refused before any download.
        config = config_of(reference)
        headless = encoder and not writes(config)
        auto: Any = AutoModel if headless else AutoModelForCausalLM
        model: Any = auto.from_pretrained(reference.location, **settings)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(explain(error, reference.name, "model")) from error
    compat.keep_quantized_weights(model, eight_bit=bool(bits and bits.get("load_in_8bit")))
    model.requires_grad_(False)
    return model.eval()


def writes(config: Any) -> bool:
    """Whether transformers has a causal language model of a config's architecture."""
    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING


def headless(reference: ModelRef) -> bool:
    """Whether a model is of an architecture without a causal form, such as ModernBERT's."""
    try:
        return not writes(config_of(reference))
    except (OSError, ValueError):
        return False  # loading it says what is wrong, in a sentence


def config_of(reference: ModelRef) -> Any:
    """A model's config, its sizes and its code looked at before anything is built from it."""
    where = {"revision": reference.revision or "main", "local_files_only": _only_local(reference)}
    values, _ = PretrainedConfig.get_config_dict(reference.location, **where)
    config_limits.check(values, reference.name)
    return AutoConfig.from_pretrained(reference.location, trust_remote_code=False, **where)


def shapes_of(reference: ModelRef) -> LanguageModel:
    """A model's modules on the meta device, without weights."""
    try:
        config = config_of(reference)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError) as error:
        raise ModelError(explain(error, reference.name, "config")) from error


def scaled_config(reference: ModelRef, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a model's config says otherwise under a recipe's `rope_parameters`, as JSON values."""
    try:
        config = config_of(reference)
    except (OSError, ValueError) as error:
        raise ModelError(explain(error, reference.name, "config")) from error
    rope.apply(config, given, reference.label)
    return rope.overrides(config)


def _only_local(reference: ModelRef) -> bool:
    """Use the cache at once when the Hub cannot be reached, instead of retrying for minutes."""
    return reference.kind != "hub" or not hub.reachable()


def fingerprint(reference: ModelRef, model: LanguageModel) -> str:
    """Identifies a base's weights: the Hub commit, or a digest of local files.

    The digest covers each file's size and its first and last megabyte: enough to notice retrained
    weights without reading tens of gigabytes.
    """
    commit = compat.commit_hash(model.config)
    if reference.kind == "hub" and commit:
        return str(commit)
    digest = hashlib.sha256()
    for path in sorted(Path(reference.location).glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            digest.update(file.read(1 << 20))
            file.seek(max(0, size - (1 << 20)))
            digest.update(file.read())
    return digest.hexdigest()[:16]


def clone_sharing_weights(model: LanguageModel) -> LanguageModel:
    """A copy of the modules that shares the tensors, so the weights stay in memory once.

    Adapters, replaced forwards, and modes of the clone leave the original alone.
    """
    tensors = [*model.parameters(), *model.buffers(), *compat.state_tensors(model)]
    clone = copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})
    compat.forget_compiled(clone)
    return clone


def load_adapter(
    model: Any, folder: Path, name: str = "default", trainable: bool = False
) -> AdaptedModel:
    """`PeftModel` of a base with an adapter from disk (or one more adapter on a `PeftModel`)."""
    from peft import PeftModel  # takes seconds, which loading a tokenizer need not

    # PEFT would read the file onto the first GPU, whichever one this process has.
    where = "cpu" if model.device.type == "meta" else str(model.device)
    try:
        if isinstance(model, PeftModel):
            model.load_adapter(
                str(folder), adapter_name=name, is_trainable=trainable, torch_device=where
            )
            loaded: Any = model
            return loaded
        adapted: Any = PeftModel.from_pretrained(
            model, str(folder), adapter_name=name, is_trainable=trainable, torch_device=where
        )
        return adapted
    except Exception as error:
        raise ModelError(
            f"The adapter in {folder.parent.name}/{folder.name} does not fit this model: {error}"
        ) from error


def merged(model: LanguageModel, folder: Path) -> LanguageModel:
    """A copy of an unquantized base with an adapter merged, frozen and in eval mode.

    Raises `ModelError` for an adapter that cannot be merged.
    """
    return merge(load_adapter(copy.deepcopy(model), folder), folder)


def merge(adapted: AdaptedModel, folder: Path) -> LanguageModel:
    """Merge a `PeftModel`'s adapter, loaded from `folder`, into its base, in place.

    Raises `ModelError` for an adapter that cannot be merged.
    """
    if not hasattr(adapted.base_model, "merge_and_unload"):
        raise ModelError(
            f"The adapter in {folder.parent.name} cannot be merged: it changes no weights. "
            "Continue a LoRA run instead."
        )
    _untie(adapted)
    try:
        whole: LanguageModel = adapted.base_model.merge_and_unload(safe_merge=True)
    except (ValueError, NotImplementedError, AttributeError) as error:
        raise ModelError(f"PEFT cannot merge {folder.parent.name}: {error}") from error
    whole.requires_grad_(False)
    return whole.eval()


def _untie(adapted: Any) -> None:
    """Give head and embedding weights of their own where they share them and only one is adapted.

    Merged into the shared tensor, an update of the embedding would change the head as well, which
    the adapter never did.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    model = adapted.get_base_model()
    sides = model.get_input_embeddings(), model.get_output_embeddings()
    if not any(isinstance(side, BaseTunerLayer) for side in sides) or sides[1] is None:
        return
    embedding, head = (getattr(side, "base_layer", side) for side in sides)
    if getattr(embedding, "weight", None) is not getattr(head, "weight", None):
        return
    head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)
    for config in (model.config, model.config.get_text_config()):
        config.tie_word_embeddings = False


def explain(error: Exception, name: str, what: str) -> str:
    """One sentence for a failed load: missing, gated, offline, remote code, wrong files, memory."""
    kind, text = type(error).__name__, str(error)
    chain = f"{kind} {type(error.__cause__).__name__} {text}"
    if "GatedRepo" in chain or "gated repo" in text:
        return f"{name} is gated on the Hub: accept its license there, then set HF_TOKEN."
    if "RepositoryNotFound" in chain or "is not a valid model identifier" in text:
        return f"The Hub has no model {name}, or it is private: check the name, or set HF_TOKEN."
    if "RevisionNotFound" in chain:
        return f"{name} has no such revision on the Hub; check model_revision."
    offline = (
        "couldn't connect",
        "LocalEntryNotFound",
        "ConnectionError",
        "ConnectError",
        "OfflineMode",
    )
    if any(sign in chain for sign in offline) or "Cannot reach" in text:
        return (
            f"The {what} {name} is not on this machine and the Hub cannot be reached; "
            "check the connection, or use `pocket` or a local folder."
        )
    if "trust_remote_code" in text:
        return (
            f"{name} needs code from its repository, which the studio never runs; choose another."
        )
    if "safetensors" in text and "not" in text:
        return (
            f"{name} has no safetensors weights, and pickled ones can run code; convert it first."
        )
    if is_out_of_memory(error):
        return f"{name} does not fit this machine's memory; choose a smaller model or method qlora."
    return f"The {what} {name} could not be loaded: {text.splitlines()[0] if text else kind}."
