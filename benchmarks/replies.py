"""What a session and a handler's reply cost the server's event loop, beside stock Gradio.

    python -m benchmarks.replies

The real page in one process. "Stock" is Gradio's own session and its own handling of outputs; both
stand beside the page's in the same run. While the loop does this, nobody else is answered. What is
printed are ratios of one machine: compare them, not the milliseconds.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import MethodType
from typing import Any

import gradio as gr

from app import build_app
from components.ui.compat import LightSession
from studio import Studio

STOCK_SESSION: Any = LightSession.__base__

_TIMES = 20


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Processor time of one call, the mean of `times`, after one that is not counted."""
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e3


def kilobytes(make: Callable[[], object], times: int) -> float:
    """Memory that one object takes, the mean of `times`."""
    tracemalloc.start()
    kept = [make() for _ in range(times)]
    size = tracemalloc.get_traced_memory()[0] / len(kept) / 1e3
    tracemalloc.stop()
    return size


def handler(page: gr.Blocks, elem_id: str, event: str) -> Any:
    """The handler of a widget's event that has the most outputs."""
    (at,) = [at for at, one in page.blocks.items() if getattr(one, "elem_id", None) == elem_id]
    return max(
        (one for one in page.fns.values() if (at, event) in one.targets),
        key=lambda one: len(one.outputs),
    )


def reply(
    page: gr.Blocks, stock: bool, fn: Any, changes: dict[Any, Any], session: Any, times: int
) -> float:
    """Milliseconds of a reply that changes some of a handler's outputs."""
    handle = MethodType(gr.Blocks.postprocess_data, page) if stock else page.postprocess_data
    return milliseconds(lambda: asyncio.run(handle(fn, dict(changes), session)), times)


def measure(page: gr.Blocks, times: int = _TIMES) -> list[tuple[str, float, float]]:
    """(what, stock, the page's) for each figure, the mean of `times`."""
    send = handler(page, "chat-send", "click")
    (view,) = [one for one in send.outputs if one.elem_id == "chat-view"]
    widest = max(page.fns.values(), key=lambda one: len(one.outputs))
    first = next(one for one in widest.outputs if not one.stateful)
    piece, field = {view: "<p>An answer so far</p>"}, {first: gr.update(visible=True)}
    old, new = STOCK_SESSION(page), LightSession(page)
    count = f"{len(send.outputs)} outputs"
    return [
        (
            "a session, ms",
            milliseconds(lambda: STOCK_SESSION(page), times),
            milliseconds(lambda: LightSession(page), times),
        ),
        (
            "a session, KB",
            kilobytes(lambda: STOCK_SESSION(page), times),
            kilobytes(lambda: LightSession(page), times),
        ),
        (
            f"a piece of a streamed answer ({count}), ms",
            reply(page, True, send, piece, old, times),
            reply(page, False, send, piece, new, times),
        ),
        (
            f"one field of a form ({len(widest.outputs)} outputs), ms",
            reply(page, True, widest, field, old, times),
            reply(page, False, widest, field, new, times),
        ),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="studio-replies-") as folder:
        studio = Studio(Path(folder) / "home")
        try:
            found = measure(build_app(studio))
        finally:
            studio.close()
    print(f"{'':48}{'stock':>9}{'page':>9}{'ratio':>9}")
    for name, stock, own in found:
        print(f"{name:48}{stock:>9.2f}{own:>9.2f}{stock / own:>9.0f}")


if __name__ == "__main__":
    main()
