"""The one thread that owns torch: it trains queued runs and answers generation between their steps.

Two threads in torch at once run far slower than one (each brings its own pool of OpenMP threads),
so everything that computes is a job of this thread. Requests come in from any thread and leave as
files (`studio.runs.store`) or handles (`studio.generation.request`); nothing here waits for a
page. The heavy libraries are imported in this thread, so importing this module costs nothing.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from studio.core.device_errors import RESTART, needs_restart
from studio.core.errors import Cancelled, ConfigError, ModelError, StudioError
from studio.core.jobs import Job, Result
from studio.core.workspace import Workspace
from studio.data import DatasetStore
from studio.runs.store import RunStore

if TYPE_CHECKING:
    from studio.rewards.weighted import Scorer
    from studio.runs.recipe import Recipe

logger = logging.getLogger(__name__)
ORPHANS = 15.0
"""Seconds of idleness after which runs are looked for that wait in nobody's hands, and how old they
must be: whoever makes a run takes it a moment later."""
ANSWERING = 0.25
"""Seconds of answers that a second of training pays for: a run keeps four fifths of its pace,
however many people ask beside it."""
BURST, DEBT = 15.0, 5.0
"""Seconds of answers that are saved up at most, so that one person hardly ever waits, and that a
long one may owe: nobody then waits for more than `DEBT / ANSWERING` seconds."""


class Worker:
    """A daemon thread with a queue of runs and a queue of small jobs served between steps."""

    def __init__(self, workspace: Workspace, datasets: DatasetStore, runs: RunStore):
        self._workspace, self._datasets, self._runs = workspace, datasets, runs
        self._jobs: deque[tuple[Callable[[Any], Any], Job[Any]]] = deque()
        self._queue: deque[tuple[str, FileLock]] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._takes_up = False
        self._broken = ""  # why nothing will ever be done here
        self._pool: Any = None
        self._credit = BURST
        self._trains_since = 0.0
        self.ready = False
        self.loading = ""
        self.current: str | None = None

    # --- from any thread

    def start(self) -> None:
        """Begin: load the libraries, then take jobs. Safe to call again."""
        with self._wake:
            if self._thread is None:
                self.loading = "Loading the training libraries"
                self._thread = threading.Thread(
                    target=self._main, name="studio-worker", daemon=True
                )
                self._thread.start()

    def alive(self) -> bool:
        """Whether jobs are taken, or will be once it is started."""
        return not self._broken and (self._thread is None or self._thread.is_alive())

    def close(self, timeout: float = 30.0) -> None:
        """Ask the run in progress to save and stop, and the thread to end."""
        with self._wake:
            self._closing = True
            for _, job in self._jobs:
                job.cancel()
            self._wake.notify_all()
        if self.current:
            with contextlib.suppress(ConfigError):
                self._runs.stop(self.current)
        if self._thread is not None:
            self._thread.join(timeout)

    def enqueue(self, run_id: str) -> None:
        """Queue a run that is on disk; its lock is held from now on, so nobody else takes it."""
        run = self._runs.get(run_id)
        lock = self._runs.lock(run)
        try:
            lock.acquire(timeout=1)
        except Timeout:
            raise ConfigError(f"{run.name} is already in another process's hands.") from None
        self._runs.clear_stop(run)
        self._runs.update(run_id, state="queued", error=None, eta_s=None, place=time.time())
        self._put_run(run_id, lock)

    def take_up(self, older_than: float = 0.0) -> None:
        """Queue the runs that wait in nobody's hands, now and from now on whenever idle.

        They are those of a process that died. For the app: a shell's command does its own work.
        """
        self._takes_up = True
        waiting = [run for run in self._runs.list() if run.state == "queued" and not run.job]
        for run in sorted(waiting, key=lambda run: run.place or run.created):
            if time.time() - run.created >= older_than and not self._runs.held(run):
                with contextlib.suppress(ConfigError):  # another process was quicker
                    self.enqueue(run.id)

    def _put_run(self, run_id: str, lock: FileLock) -> None:
        with self._wake:
            self._queue.append((run_id, lock))
            self._wake.notify_all()
        self.start()
        if self._broken:
            self._refuse(ModelError(self._broken))

    def take_off(self, run_id: str) -> bool:
        """Let go of a run that waits, so that it can be resumed or deleted; False if none did."""
        with self._wake:
            for entry in self._queue:
                if entry[0] == run_id:
                    self._queue.remove(entry)
                    entry[1].release()
                    return True
        return False

    def move(self, run_id: str, by: int) -> list[str]:
        """Move a waiting run so many places (negative: sooner); the new order, kept on disk."""
        with self._wake:
            order = list(self._queue)
            at = next((i for i, (waiting, _) in enumerate(order) if waiting == run_id), None)
            if at is None:
                raise ConfigError("That run does not wait any more.")
            entry = order.pop(at)
            order.insert(max(0, at + by), entry)
            self._queue = deque(order)
        now = time.time()
        for number, (waiting, _) in enumerate(order):
            self._runs.update(waiting, was="queued", place=now + number * 1e-3)
        return [waiting for waiting, _ in order]

    def submit(self, work: Callable[[Any], Result], job: Job[Result] | None = None) -> Job[Result]:
        """Queue a call that gets the `ModelPool`; it is served between training steps.

        `job` is the handle to fill, where the caller has one already. It ends in any case, with an
        error where the call can never run. The call keeps its caller's context variables: ZeroGPU
        finds there whose quota a GPU is lent on.
        """
        handle: Job[Result] = job or Job()
        call = functools.partial(contextvars.copy_context().run, work)
        with self._wake:
            self._jobs.append((call, handle))
            self._wake.notify_all()
        self.start()
        if self._broken:
            self._refuse(ModelError(self._broken))
        return handle

    def settle(self) -> None:
        """Begin, and return once the libraries are loaded, or cannot be.

        For other threads that are about to import them: two at once can break each other.
        """
        self.start()
        while not self.ready and self._thread is not None and self._thread.is_alive():
            time.sleep(0.05)

    @property
    def queued(self) -> list[str]:
        """Ids of the runs that wait, in order."""
        return [run_id for run_id, _ in list(self._queue)]

    def resident(self) -> list[str]:
        """Labels of the models in memory."""
        return self._pool.names() if self._pool is not None else []

    # --- the worker's own thread

    def _main(self) -> None:
        try:
            from studio.models.pool import ModelPool
            from studio.training import execute as _  # noqa: F401  (TRL and PEFT, ahead of need)
        except Exception as error:  # a broken installation: say so for as long as the page is open
            logger.exception("the training libraries did not load")
            self.loading = self._broken = f"The training libraries did not load: {error}"
            self._refuse(ModelError(self._broken))
            return
        self._pool = ModelPool()
        # Short turns for other threads' Python, so that a busy page cannot starve small steps.
        sys.setswitchinterval(0.001)
        self.ready, self.loading = True, ""
        while True:
            with self._wake:
                idle = not (self._jobs or self._queue or self._closing)
                woken = not idle or self._wake.wait(ORPHANS)
                if self._closing:
                    break
            if not woken:
                if self._takes_up:
                    self.take_up(ORPHANS)
                continue
            self.serve()
            self._next_run()
        for _run_id, lock in self._queue:
            lock.release()
        self._queue.clear()
        self._refuse(Cancelled("The studio was closed."))

    def serve(self) -> None:
        """Answer everything that waits; called when idle."""
        while self._jobs:
            self._answer()

    def serve_beside(self) -> None:
        """Answer what waits as far as the training since the last time pays for it."""
        began = time.monotonic()
        self._credit = min(BURST, self._credit + ANSWERING * (began - self._trains_since))
        while self._jobs and self._credit > 0:
            began = time.monotonic()
            self._answer()
            self._credit = max(-DEBT, self._credit - (time.monotonic() - began))
        self._trains_since = time.monotonic()

    def _answer(self) -> None:
        work, job = self._jobs.popleft()
        job.run(functools.partial(self._call, work))

    def _call(self, work: Callable[[Any], Any]) -> Any:
        try:
            return work(self._pool)
        except Exception as error:
            if words := needs_restart(error):
                self._lose_device(words)
                raise ModelError(words) from error
            raise

    def _lose_device(self, words: str) -> None:
        """The card's context is gone: whatever comes is refused in a sentence."""
        logger.error("%s", words)
        self.loading = self._broken = words
        self.ready = False
        self._refuse(ModelError(words))

    def _refuse(self, why: StudioError) -> None:
        """End all that waits for what will never be done."""
        with self._wake:
            jobs, self._jobs = self._jobs, deque()
            queue, self._queue = self._queue, deque()
        for _, job in jobs:
            job.fail(why)
        for run_id, lock in queue:
            self._runs.update(run_id, state="failed", error=str(why), ended=time.time())
            lock.release()

    def _next_run(self) -> None:
        with self._wake:
            if not self._queue:
                return
            run_id, lock = self._queue.popleft()
            self.current = run_id
        try:
            with self._turn(run_id):
                self._train(run_id)
        except Cancelled as reason:
            logger.info("%s: %s", run_id, reason)
        except Exception:  # a run whose folder vanished, say: the next one must still have its turn
            logger.exception("%s could not be run", run_id)
        finally:
            self.current = None
            lock.release()

    @contextlib.contextmanager
    def _turn(self, run_id: str) -> Any:
        """One run at a time a workspace: wait for another process, still answering small jobs."""
        turn = FileLock(self._workspace.training_lock, thread_local=False)
        while True:
            if self._runs.get(run_id).state != "queued":
                raise Cancelled("The run was stopped while it waited.")
            try:
                turn.acquire(timeout=0.2)
                break
            except Timeout:
                self.serve()
                if self._closing:
                    raise Cancelled("The studio is closing.") from None
        try:
            yield
        finally:
            turn.release()

    def _judges(self, recipe: Recipe) -> dict[str, Scorer]:
        """The judges that a run learns from: asked in this thread, between its steps."""
        from studio.generation import judge_reward

        return judge_reward.scorers(
            recipe.reward_funcs,
            recipe.judge_rubric,
            recipe.judge_max_new_tokens,
            self._runs,
            judge_reward.ask_here(self._pool, self._runs),
            self._workspace.cache,
        )

    def _train(self, run_id: str) -> None:
        from studio.training.execute import execute

        started = time.monotonic()
        self._credit, self._trains_since = BURST, started
        run = execute(
            self._runs.get(run_id),
            self._runs,
            self._datasets,
            self._pool,
            self.serve_beside,
            self._judges,
        )
        if run.error and run.error.startswith(RESTART):
            self._lose_device(run.error)
        logger.info("%s is %s after %.0f s", run_id, run.state, time.monotonic() - started)
