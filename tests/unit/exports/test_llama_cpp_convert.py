"""Families that are not written here: llama.cpp's converter where it is, its name where not."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio import Studio
from studio.core.errors import ModelError
from studio.core.workspace import ROOT
from studio.exports import ExportRequest, gguf_architectures, llama_cpp_check, llama_cpp_convert
from studio.runs.store import Run
from tests.unit.exports.conftest import exported

SCRIPT = """
import sys
from pathlib import Path
from transformers import AutoModelForCausalLM, AutoTokenizer
from studio.exports import gguf_file
folder, _, path, _, outtype = sys.argv[1:]
if "fails" in __file__:
    raise NotImplementedError("pre-tokenizer is not recognized")
model = AutoModelForCausalLM.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
gguf_file.write(model, tokenizer, Path(path), outtype, "base", "run", lambda name: None)
"""
UNKNOWN: Any = SimpleNamespace(model_type="mamba")


def checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir()
    (folder / "convert_hf_to_gguf.py").write_text(SCRIPT)
    monkeypatch.setenv("STUDIO_LLAMA_CPP", str(folder))
    return folder / "convert_hf_to_gguf.py"


def test_an_unknown_family_names_the_tool_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STUDIO_LLAMA_CPP", raising=False)
    with pytest.raises(ModelError, match=r"mamba model cannot .* set STUDIO_LLAMA_CPP"):
        llama_cpp_convert.needed(UNKNOWN)
    monkeypatch.setenv("STUDIO_LLAMA_CPP", str(tmp_path))
    with pytest.raises(ModelError, match=r"holds no convert_hf_to_gguf\.py"):
        llama_cpp_convert.needed(UNKNOWN)
    script = checkout(tmp_path / "llama.cpp", monkeypatch)
    assert llama_cpp_convert.needed(UNKNOWN) == script


def test_what_names_code_is_taken_out_of_the_folder(tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / name).write_text(json.dumps({"auto_map": {"A": "x--y.Z"}, "kept": 1}))
    llama_cpp_convert._without_code(tmp_path)
    for name in ("config.json", "tokenizer_config.json"):
        assert json.loads((tmp_path / name).read_text()) == {"kept": 1}


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["llama.cpp", "fails"])
def test_an_unknown_family_is_converted_and_compared(
    studio: Studio, sft: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    checkout(tmp_path / folder, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(gguf_architectures, "FAMILIES", {})
    monkeypatch.setattr(llama_cpp_check, "installed", lambda: False)
    if folder == "fails":
        job = studio.export(ExportRequest(sft.id, "gguf", tmp_path / "out", "f16"))
        job.wait(120)
        assert job.error and "pre-tokenizer is not recognized" in job.error
        assert not (tmp_path / "out").exists()
        return
    record = exported(studio, sft, "gguf", tmp_path / "out", "f16")
    assert record["converter"] == "convert_hf_to_gguf.py"
    assert record["figures"]["same_answers"] == record["figures"]["prompts"]
    assert record["files"] == ["Modelfile", "README.md", "loss.png", "model-f16.gguf"]
