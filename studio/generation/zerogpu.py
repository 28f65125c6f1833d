"""ZeroGPU: a Space's hardware that lends a GPU for a call at a time, to decorated functions.

The `spaces` package that such a Space brings runs them in a process of their own, forked for the
call, and hands back what they yield (huggingface.co/docs/hub/spaces-zerogpu). So answers are made
there and their tokens are yielded. Training takes longer than any such call, and says so.

Nothing here imports torch before it has to: the engine's face asks `refuse_training` first.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from studio.core.errors import TrainingError

LONGEST = 120  # seconds that are asked for, for one batch of answers


def lent() -> bool:
    """Whether this is a Space whose GPU is lent by the call."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "true")


def refuse_training() -> None:
    """A `TrainingError` where no GPU stays long enough to train on."""
    if lent():
        raise TrainingError(
            "ZeroGPU lends its GPU for minutes, to answer with: training needs one that stays. "
            "Give the Space a GPU of its own, or write the run for elsewhere: runs export RUN "
            "--to job."
        )


def announce() -> None:
    """Tell the Space at its start that there is a function to lend the GPU to; it insists."""
    if lent():
        _borrowed(_made)


def streamed(
    work: Callable[[Any], None], streamer: Any, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Do `work(streamer)`, under ZeroGPU's decorator where that hardware is.

    `streamer` is a transformers `BaseStreamer`: it is given here what is put to it there, as the
    process that answers shares nothing else. So `stopped` is asked here too.
    """
    if not lent():
        work(streamer)
        return
    import torch

    def made() -> Iterator[list[Any]]:  # anew for each call: its process must know this very work
        yield from _made(work)

    for tokens in _borrowed(made)():
        streamer.put(torch.tensor(tokens))
        if stopped():
            break
    streamer.end()


def _borrowed(function: Callable[..., Any]) -> Callable[..., Any]:
    from spaces import GPU  # pyright: ignore[reportMissingImports]  # such a Space brings it

    return GPU(duration=LONGEST)(function)


def _made(work: Callable[[Any], None]) -> Iterator[list[Any]]:
    """Each step's tokens as `work` makes them, in a thread beside."""
    steps = _Steps()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work(steps)
        except BaseException as error:
            failed.append(error)
        finally:
            steps.end()

    threading.Thread(target=run, daemon=True).start()
    while (tokens := steps.queue.get()) is not None:
        yield tokens
    if failed:
        raise failed[0]


class _Steps:
    """A streamer that puts each step's tokens where another thread takes them; None at the end."""

    def __init__(self) -> None:
        self.queue: queue.Queue[list[Any] | None] = queue.Queue()

    def put(self, value: Any) -> None:
        self.queue.put(value.tolist())

    def end(self) -> None:
        self.queue.put(None)
