"""A GGUF file quantized by llama.cpp's own `llama_model_quantize`, through llama-cpp-python.

It runs in its own process. `python -m studio.exports.gguf_quantize SOURCE TARGET OUTTYPE [MATRIX]`
is that process; it imports no torch.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.errors import ModelError
from studio.exports import child_process

if TYPE_CHECKING:
    import numpy as np

_MATRIX = "importance.npz"


def quantize(
    source: Path,
    target: Path,
    outtype: str,
    importance: Mapping[str, np.ndarray] | None,
    on_wait: Callable[[], None],
) -> str:
    """Quantize a file in f32, f16 or bf16 to one of `QUANTIZED`; `ModelError` where it fails.

    Args:
        importance: the mean square of each input column, float32 [columns], by tensor name.
        on_wait: called while llama.cpp works; may raise to stop it.
    """
    import numpy as np

    given = [str(source.resolve()), str(target.resolve()), outtype]
    matrix = source.with_name(_MATRIX)
    if importance is not None:
        arrays: Any = dict(importance)
        np.savez(matrix, **arrays)
        given.append(str(matrix.resolve()))
    try:
        child_process.run("studio.exports.gguf_quantize", given, on_wait)
    except ModelError as error:
        raise ModelError(f"llama.cpp could not quantize to {outtype}: {error}.") from None
    finally:
        matrix.unlink(missing_ok=True)
    if not target.is_file():
        raise ModelError(f"llama.cpp could not quantize to {outtype}: it wrote no file.")
    return outtype


def main(source: str, target: str, outtype: str, matrix: str | None = None) -> None:
    import llama_cpp  # pyright: ignore[reportMissingImports]

    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{outtype.upper()}")
    held = _entries(llama_cpp, matrix) if matrix else None
    if held is not None:
        params.imatrix = ctypes.cast(held[0], type(params.imatrix))
    failed = llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params))
    if failed:
        raise SystemExit(f"llama_model_quantize returned {failed}")


def _entries(llama_cpp: Any, matrix: str) -> tuple[Any, list[np.ndarray]]:
    """An importance matrix as llama.h has it: (name, data, size) of each tensor, ended by an entry
    without a name; and the arrays that must outlive it."""
    import numpy as np

    with np.load(matrix) as found:
        arrays = {name: np.ascontiguousarray(found[name], np.float32) for name in found.files}
    entries = (llama_cpp.llama_model_imatrix_data * (len(arrays) + 1))()
    for entry, (name, array) in zip(entries, arrays.items(), strict=False):
        entry.name = name.encode()
        entry.data = array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.size = array.size
    return entries, list(arrays.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
