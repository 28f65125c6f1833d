"""ZeroGPU: a Space's hardware that lends a GPU for a call at a time, to decorated functions.

The `spaces` package that such a Space brings runs them in a process of their own, forked for the
call, and hands back what they yield (huggingface.co/docs/hub/spaces-zerogpu). So the weights are
loaded on the CPU here; they are moved to the GPU, and answers are made, there; their tokens are
yielded. Training takes longer than any such call, and says so.

Nothing here imports torch before it has to: the engine's face asks `refuse_training` first.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

from studio.core import compat
from studio.core.device_errors import needs_restart
from studio.core.errors import ModelError, TrainingError
from studio.core.zerogpu import borrowed, lent

LONGEST = 120  # seconds that are asked for, for one batch of answers


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
        _decorated(_steps_of)


def streamed(
    work: Callable[[Any], None], streamer: Any, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Do `work(streamer)`, under ZeroGPU's decorator where that hardware is.

    `work` asks `studio.models.loading.device()` where it is, and moves there what it needs.
    `streamer` is a transformers `BaseStreamer`: it is given here what is put to it there, as the
    process that answers shares nothing else. So `stopped` is asked here too.

    Raises:
        ModelError: no GPU was lent (a quota, a queue), or its process broke.
        RuntimeError: in the words of what `work` raised there, such as out of memory.
    """
    if not lent():
        work(streamer)
        return
    import torch

    here = os.getpid()

    def made() -> Iterator[Any]:  # anew for each call: its process must know this very work
        try:
            yield from _steps_of(work)
        finally:
            if os.getpid() != here:  # it can answer nothing else: the package ends it on this
                os.kill(os.getpid(), signal.SIGTERM)

    with contextlib.closing(_lent(made)) as steps:
        for step in steps:
            if isinstance(step, str):
                raise _failed(step)
            streamer.put(torch.tensor(step))
            if stopped():
                break
    streamer.end()


def _lent(task: Callable[[], Iterator[Any]]) -> Generator[Any]:
    """What a task yields under the decorator; the decorator's own errors as sentences."""
    try:
        with contextlib.closing(_decorated(task)()) as steps:
            yield from steps
    except Exception as error:  # `gradio.Error`, which the engine does not know, or its connection
        words = getattr(error, "message", None) or str(error) or type(error).__name__
        raise ModelError(f"ZeroGPU did not lend its GPU: {words}") from error
    finally:
        compat.forget_borrower(task)


def _failed(words: str) -> Exception:
    """What went wrong over there; a fault of that card's context ended that process only."""
    error = RuntimeError(words)
    if needs_restart(error):
        return ModelError(f"The borrowed GPU broke off ({words}). Ask again.")
    return error


def _decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    from spaces import GPU  # pyright: ignore[reportMissingImports]  # such a Space brings it

    return GPU(duration=LONGEST)(function)


def _steps_of(work: Callable[[Any], None]) -> Iterator[list[Any] | str]:
    """Each step's tokens as `work` makes them, in a thread beside; why it broke off, in words.

    An error itself would come back as the name of its class alone.
    """
    steps = _Steps()

    def run() -> None:
        try:
            work(steps)
        except BaseException as error:
            steps.queue.put(f"{type(error).__name__}: {error}")
        finally:
            steps.end()

    with borrowed():
        threading.Thread(target=run, daemon=True).start()
        while (step := steps.queue.get()) is not None:
            yield step


class _Steps:
    """A streamer that puts each step's tokens where another thread takes them; None at the end."""

    def __init__(self) -> None:
        self.queue: queue.Queue[list[Any] | str | None] = queue.Queue()

    def put(self, value: Any) -> None:
        self.queue.put(value.tolist())

    def end(self) -> None:
        self.queue.put(None)
