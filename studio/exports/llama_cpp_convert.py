"""A merged model converted by llama.cpp's own `convert_hf_to_gguf.py`, for families that are not
written here.

`STUDIO_LLAMA_CPP` names a checkout of llama.cpp. Its script reads the folder in a process of its
own, without the Hub and without anything that names code.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from studio.core.errors import ModelError
from studio.core.library_types import LanguageModel, ModelConfig, Tokenizer
from studio.core.workspace import write_json
from studio.exports import child_process, gguf_architectures

SETTING = "STUDIO_LLAMA_CPP"
_SCRIPT = "convert_hf_to_gguf.py"
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def needed(config: ModelConfig) -> Path | None:
    """The script that is to write a model of this config; None where it is written here.

    Raises `ModelError` where neither is the case, which names what is missing.
    """
    try:
        gguf_architectures.family_of(config)
    except ModelError as refused:
        folder = os.environ.get(SETTING, "")
        if not folder:
            raise ModelError(
                f"{refused} llama.cpp's own converter may know it: set {SETTING} to a checkout of "
                f"https://github.com/ggml-org/llama.cpp, which holds {_SCRIPT}."
            ) from None
        script = Path(folder).expanduser() / _SCRIPT
        if not script.is_file():
            raise ModelError(f"{SETTING} is {folder}, which holds no {_SCRIPT}.") from None
        return script
    return None


def convert(
    script: Path,
    model: LanguageModel,
    tokenizer: Tokenizer,
    path: Path,
    outtype: str,
    on_wait: Callable[[], None],
) -> None:
    """Write a model as GGUF by llama.cpp's script; `ModelError` holds what it said last.

    `on_wait` is called while it works and may raise to stop it.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as held:
        folder = Path(held)
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(folder)
        _without_code(folder)
        command = [
            sys.executable, str(script.resolve()), str(folder.resolve()),
            "--outfile", str(path.resolve()), "--outtype", outtype,
        ]  # fmt: skip
        try:
            child_process.finish(command, on_wait, _OFFLINE)
        except ModelError as error:
            raise ModelError(f"llama.cpp's {_SCRIPT} could not convert it: {error}.") from None
    if not path.is_file():
        raise ModelError(f"llama.cpp's {_SCRIPT} wrote no file.")


def _without_code(folder: Path) -> None:
    """Take out what names Python code, which the script would let transformers load."""
    for file in folder.glob("*config.json"):
        told = json.loads(file.read_text(encoding="utf-8"))
        if told.pop("auto_map", None) is not None:
            write_json(file, told)
