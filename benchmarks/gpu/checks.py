"""The checks in their order; `benchmarks.gpu` starts this in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.gpu.answers import compare, compare_in_a_run, export, speed, static_cache
from benchmarks.gpu.memory import memory, out_of_memory
from benchmarks.gpu.place import Found, Place
from benchmarks.gpu.training import curve, float16, fused_head, methods, moved_weights


def versions(place: Place) -> Found:
    """What is installed, and the card."""
    from studio.core import hardware

    here = hardware.detect()
    return Found(
        {
            "device": here.device,
            "name": here.name,
            "capability": here.cuda_capability,
            "bf16": here.bf16,
            "memory": here.memory_total,
            "packages": dict(here.packages),
            "warning": here.warning,
        },
        "any device, no warning" if place.small else "cuda, no warning",
        (place.small or here.device == "cuda") and not here.warning,
    )


def nf4_product(place: Place) -> Found:
    """A product with NF4 weights beside one with the same weights unpacked."""
    import torch
    from bitsandbytes.functional import dequantize_4bit
    from bitsandbytes.nn import Linear4bit

    from studio.models import loading

    device, dtype = loading.device(), loading.weights_dtype()
    torch.manual_seed(0)
    layer = Linear4bit(512, 256, bias=False, compute_dtype=dtype, quant_type="nf4")
    layer = layer.to(device)
    x = torch.randn(16, 512, device=device, dtype=dtype)
    unpacked = dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(dtype)
    with torch.no_grad():
        wanted = (x @ unpacked.T).float()
        error = float((layer(x).float() - wanted).norm() / wanted.norm())
    return Found(error, "relative error under 0.01", error < 0.01)


CHECKS: tuple[Callable[[Place], Found], ...] = (
    versions,
    nf4_product,
    fused_head,
    curve,
    methods,
    float16,
    moved_weights,
    out_of_memory,
    compare,
    static_cache,
    memory,
    speed,
    compare_in_a_run,
    export,
)


def result(check: Callable[[Place], Found], place: Place) -> dict[str, Any]:
    """A check's line; one that raises does not hold, and says why."""
    begun = time.perf_counter()
    try:
        found = asdict(check(place))
    except Exception as error:  # the checks after it still run
        first = (str(error).splitlines() or [""])[0]
        found = {"holds": False, "error": f"{type(error).__name__}: {first}"}
    return {"check": check.__name__, **found, "seconds": round(time.perf_counter() - begun, 1)}


def main() -> None:
    """Go through the checks that are named; other output goes to stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="+")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write-curve", action="store_true")
    asked = parser.parse_args()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1"}
    place = Place(asked.home, asked.small, asked.write_curve)
    for check in CHECKS:
        if check.__name__ in asked.checks:
            print(json.dumps(result(check, place)), file=out, flush=True)
    out.close()
    sys.stdout.flush()
    os._exit(0)  # the studio's threads have nothing left to write


if __name__ == "__main__":
    main()
