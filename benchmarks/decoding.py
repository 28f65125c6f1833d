"""Stock `generate` with and without the matrix product that was measured to be faster here.

    python -m benchmarks.decoding [pocket|smollm2-135m] [--repeats 5] [--tokens 12]

One model, greedy, in turns; tokens are compared first. Medians of the processor's seconds, which
other programs on the machine disturb less than the clock; set OMP_NUM_THREADS=1 for it, as threads
that wait also count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.beside import machine

ROWS = (2, 4, 8, 16)


def measured(answer: Callable[[], Any]) -> float:
    began = time.process_time()
    answer()
    return time.process_time() - began


def one(model: Any, rows: int, tokens: int, repeats: int, cache: Path) -> dict[str, Any]:
    """Both ways of one batch: whether tokens are equal, and the medians as a ratio."""
    import torch

    from studio.models import matrix_products

    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(5, model.config.vocab_size, (rows, 12), generator=draw)

    def answer(ours: bool) -> Any:
        how = matrix_products.decoding(model, rows, cache) if ours else nullcontext()
        with torch.inference_mode(), how:
            return model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens,
                min_new_tokens=tokens, do_sample=False, pad_token_id=0,
            )  # fmt: skip

    equal = torch.equal(answer(False), answer(True))
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(repeats):
        for ours, times in found.items():
            times.append(measured(lambda ours=ours: answer(ours)))
    stock, here = (statistics.median(found[ours]) for ours in (False, True))
    return {"rows": rows, "equal": equal, "to_stock": round(here / stock, 2)}


def main(arguments: Sequence[str] | None = None) -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("model", nargs="?", default="pocket")
    asked.add_argument("--repeats", type=int, default=5)
    asked.add_argument("--tokens", type=int, default=12)
    given = asked.parse_args(arguments)
    import torch
    from transformers import AutoModelForCausalLM

    from studio.core import calibration
    from studio.core.model_names import resolve

    models: Any = AutoModelForCausalLM
    location = resolve(given.model).location
    model = models.from_pretrained(location, dtype="float32").eval()
    print(json.dumps({"machine": machine(), "threads": torch.get_num_threads()}), flush=True)
    with TemporaryDirectory() as folder:
        cache = Path(folder)
        for rows in ROWS:
            print(json.dumps(one(model, rows, given.tokens, given.repeats, cache)), flush=True)
        print(json.dumps(calibration.read(cache)))


if __name__ == "__main__":
    main()
