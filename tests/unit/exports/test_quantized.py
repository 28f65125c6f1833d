"""Types that llama.cpp quantizes to: asked for with what they need, judged by their perplexity.

llama-cpp-python is stood in for by a small module; where it is installed, it is asked itself.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from studio import Studio
from studio.core.errors import Cancelled, ConfigError, ModelError
from studio.exports import QUANTIZED, ExportRequest, child_process, gguf_quantize, perplexity
from studio.runs.store import Run
from tests.unit.exports.conftest import exported

REAL = importlib.util.find_spec("llama_cpp") is not None
FAKE = """
import ctypes, json, shutil
from pathlib import Path
LLAMA_FTYPE_MOSTLY_Q4_K_M = 15
class llama_model_imatrix_data(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.POINTER(ctypes.c_float)),
                ("size", ctypes.c_size_t)]
class Params(ctypes.Structure):
    _fields_ = [("ftype", ctypes.c_int), ("imatrix", ctypes.POINTER(llama_model_imatrix_data))]
def llama_model_quantize_default_params():
    return Params()
def llama_model_quantize(source, target, given):
    params, seen = given._obj, {}
    at = 0
    while params.imatrix and params.imatrix[at].name:
        one = params.imatrix[at]
        seen[one.name.decode()] = one.data[: one.size]
        at += 1
    Path(SEEN).write_text(json.dumps([params.ftype, seen]))
    return QUANTIZE(source.decode(), target.decode())
class Llama:
    def __init__(self, *_, **__): raise ValueError("no reader in this stand-in")
"""
COPY = "shutil.copyfile(source, target) and 0"
ROUND = "__import__('coarse').write(source, target)"
COARSE = """
import shutil
import numpy as np
from gguf import GGUFReader
def write(source, target):
    shutil.copyfile(source, target)
    for tensor in GGUFReader(target, "r+").tensors:
        if tensor.data.ndim == 2:
            step = np.abs(tensor.data).max() / 2
            tensor.data[:] = np.round(tensor.data / step) * step
    return 0
"""


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, quantize: str) -> Path:
    """Put a `llama_cpp` that quantizes so on this process's path and its children's."""
    seen = folder / "seen.json"
    body = FAKE.replace("SEEN", repr(str(seen))).replace(
        "QUANTIZE(source.decode(), target.decode())",
        f"(lambda source, target: {quantize})(source.decode(), target.decode())",
    )
    (folder / "llama_cpp.py").write_text(body)
    (folder / "coarse.py").write_text(COARSE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return seen


def test_without_llama_cpp_python_a_request_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.exports.llama_cpp_installed", lambda: False)
    with pytest.raises(ConfigError, match="pip install llama-cpp-python"):
        ExportRequest("run", "gguf", tmp_path / "new", "q4_k_m").checked()
    ExportRequest("run", "merged", tmp_path / "new", "q4_k_m").checked()
    with pytest.raises(ConfigError, match="importance_matrix is for"):
        ExportRequest("run", "gguf", tmp_path / "new", "q8_0", True).checked()


def test_the_matrix_reaches_llama_cpp_as_its_structs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    seen = stand_in(tmp_path, monkeypatch, COPY)
    (tmp_path / "wide.gguf").write_bytes(b"GGUF")
    given = {"blk.0.attn_q.weight": np.arange(3.0), "blk.1.ffn_up.weight": np.ones(2)}
    source, target = tmp_path / "wide.gguf", tmp_path / "small.gguf"
    gguf_quantize.quantize(source, target, "q4_k_m", given, lambda: None)
    ftype, matrix = json.loads(seen.read_text())
    assert ftype == 15
    assert matrix == {name: value.tolist() for name, value in given.items()}
    gguf_quantize.quantize(source, target, "q4_k_m", None, lambda: None)
    assert json.loads(seen.read_text())[1] == {}


@pytest.mark.parametrize(
    ("quantize", "said"),
    [("7", "returned 7"), ("0", "wrote no file"), ("__import__('os').abort()", "crashed")],
)
def test_a_failed_quantization_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantize: str, said: str
) -> None:
    stand_in(tmp_path, monkeypatch, quantize)
    with pytest.raises(ModelError, match=said):
        source, target = tmp_path / "wide.gguf", tmp_path / "small.gguf"
        gguf_quantize.quantize(source, target, "q4_k_m", None, lambda: None)


def test_a_child_ends_when_it_is_no_longer_wanted(tmp_path: Path) -> None:
    import sys

    def stop() -> None:
        raise Cancelled("stopped")

    mark = tmp_path / "lived"
    late = f"import time, pathlib; time.sleep(3); pathlib.Path({str(mark)!r}).touch()"
    with pytest.raises(Cancelled):
        child_process.finish([sys.executable, "-c", late], stop)
    assert not mark.exists()


ROWS = perplexity.Rows(perplexity.HELD_OUT, [[1, 2, 3]], [[False, True, True]])


def test_an_export_is_judged_by_its_perplexity_on_the_rows() -> None:
    near = perplexity.judge(ROWS, 1.0, 3.0, 1.1, "q4_k_m")
    assert near.ratio == pytest.approx(1.105, abs=1e-3) and near.tokens == 2
    with pytest.raises(ModelError, match="loses what was learned"):
        perplexity.judge(ROWS, 1.0, 1.1, 1.09, "q4_k_m")
    assert perplexity.judge(ROWS, 1.0, 1.01, 1.009, "q8_0").ratio < 1.01, "its logits are compared"
    with pytest.raises(ModelError, match=r"perplexity is 1\.649 times the run's"):
        perplexity.judge(ROWS, 1.0, 9.0, 1.5, "q4_0")
    worse = perplexity.judge(ROWS, 1.0, 0.9, 0.93, "q4_k_m")
    assert worse.ratio < 1, "a run that is worse than its base on these rows is not held to them"


@pytest.mark.slow
def test_a_quantized_export_and_its_matrix(
    studio: Studio, sft: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    seen = stand_in(tmp_path, monkeypatch, COPY)
    record = exported(studio, sft, "gguf", tmp_path / "out", "q4_k_m", matrix=True)
    assert record["figures"]["perplexity_ratio"] == pytest.approx(1, abs=1e-3)
    assert record["figures"]["tolerance"] is None
    assert record["perplexity"]["source"] == perplexity.TRAINING
    assert record["perplexity"]["run"] < record["perplexity"]["base"]
    matrix = json.loads(seen.read_text())[1]
    assert record["importance_matrix"] == {"rows": 24, "tokens": 670, "tensors": len(matrix)}
    assert "blk.0.attn_q.weight" in matrix and min(matrix["blk.0.ffn_down.weight"]) > 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "importance matrix from 24 training rows" in card
    assert "perplexity, as a multiple of the run's" in card
    assert not [path for path in (tmp_path / "out").iterdir() if path.is_dir()]


@pytest.mark.slow
def test_rounding_that_loses_what_was_learned_is_no_export(
    studio: Studio, sft: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, ROUND)
    job = studio.export(ExportRequest(sft.id, "gguf", tmp_path / "out", "q4_k_m"))
    job.wait(120)
    assert job.error and "On 24 of training rows" in job.error
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="llama-cpp-python is not installed")
@pytest.mark.parametrize("outtype", QUANTIZED)
def test_llama_cpp_quantizes_to_every_type(
    studio: Studio, sft: Run, tmp_path: Path, outtype: str
) -> None:
    record = exported(studio, sft, "gguf", tmp_path / "out", outtype, outtype == "iq4_xs")
    assert "error" not in record["llama_cpp"]
    assert record["llama_cpp"]["perplexity_ratio"] == pytest.approx(1, abs=0.4)
