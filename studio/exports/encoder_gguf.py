"""A text encoder as one GGUF file for llama.cpp's embedding server, for the families written here.

The file holds the merged weights and how vectors are pooled. llama.cpp reads decoders of these
families causally, as they were trained here. Others, BERT among them, are llama.cpp's converter's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.core import gguf_models
from studio.core.errors import ModelError
from studio.core.library_types import TextEncoder
from studio.exports import TOLERANCE, ExportRequest, gguf_architectures, gguf_file, gguf_tokenizer
from studio.models.pool import LoadedModel
from studio.models.text_encoder import backbone, inner
from studio.runs.store import Run


def check(base: LoadedModel, asked: ExportRequest) -> None:
    """Raise `ModelError` for a base or a type that no file can be written for here."""
    config = base.model.config.get_text_config()
    try:
        gguf_architectures.family_of(config)
    except ModelError:
        known = ", ".join(gguf_architectures.FAMILIES)
        raise ModelError(
            f"An encoder of the family {config.model_type} is not written as GGUF here; those "
            f"that are: {known}. Missing is llama.cpp's convert_hf_to_gguf.py: export the run "
            "merged, and run that script on the folder."
        ) from None
    if asked.outtype not in TOLERANCE:
        known = ", ".join(TOLERANCE)
        raise ModelError(
            f"{asked.outtype} is judged by the text that a model writes, and an encoder writes "
            f"none; choose the outtype {known}."
        )


def write(
    encoder: TextEncoder,
    base: LoadedModel,
    run: Run,
    path: Path,
    outtype: str,
    on_progress: Callable[[str], None],
) -> None:
    """Write the merged `encoder` on `base`, whose own weights are the encoder's afterwards."""
    from gguf import PoolingType

    pooling = {"mean": PoolingType.MEAN, "lasttoken": PoolingType.LAST}[run.recipe.pooling_mode]
    below: Any = backbone(base.model)
    below.load_state_dict(inner(encoder).state_dict())
    gguf_file.write(
        base.model,
        base.tokenizer,
        path,
        outtype,
        Path(run.model).name,
        run.name,
        on_progress,
        lambda writer: writer.add_pooling_type(pooling),
    )


def check_words(path: Path, base: LoadedModel) -> None:
    """Raise `ModelError` where the file cuts text into other tokens than the run's tokenizer."""
    again = gguf_models.read_tokenizer(path)
    words = gguf_tokenizer.cut(base.tokenizer, gguf_tokenizer.texts(base.tokenizer))
    gguf_tokenizer.check(words, gguf_tokenizer.cut(again, words))
