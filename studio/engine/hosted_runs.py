"""Runs that train as HF Jobs: started, followed and adopted by a thread each.

Such a run is a folder like any other. Its job's script is the one that `runs export --to job`
writes; it prints events as lines of JSON, which are read back into the run's own log, and pushes
its result to a private repository, from where it becomes the run's. The thread holds the run's
lock: where this process ends, the job goes on, and the next start of the app takes the run up.
"""

from __future__ import annotations

import logging
import math
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from studio.core import hub, hub_jobs
from studio.core.errors import ConfigError, ModelError, StudioError
from studio.core.formatting import one_line
from studio.core.hub_jobs import JobState, Unreachable
from studio.core.json_values import as_object, loads
from studio.runs import checkpoints
from studio.runs.events import EventLog
from studio.runs.store import Run, RunStore

if TYPE_CHECKING:
    from studio.data import DatasetStore
    from studio.engine.worker import Worker

log = logging.getLogger(__name__)
MARK = "studio-event "
"""How the lines of a job's log begin that are events."""
_KINDS = ("phase", "start", "log", "checkpoint", "resume", "sample")
_KEPT = (".safetensors", ".json", ".jinja", ".model", ".txt")
"""Suffixes of what is taken from a job's repository: never a pickle, never code."""
_LONGEST_EVENT = 1 << 16  # characters of a line
_MOST_METRICS = 200
_POLL = 5.0  # seconds between looks
_TAIL = 4  # lines of the log that a failed job's sentence ends in


class HostedRuns:
    """Starts runs as jobs and follows them; `poll` is in seconds."""

    def __init__(self, runs: RunStore, datasets: DatasetStore, worker: Worker, poll: float = _POLL):
        self._runs, self._datasets, self._worker, self._poll = runs, datasets, worker, poll
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def check(self, flavor: str) -> dict[str, Any]:
        """What a run says of its job before there is one; refused where none can start.

        Raises:
            ConfigError: nobody is logged in, or the flavor is unknown or has several GPUs.
            ModelError: the Hub cannot be reached.
        """
        hub_jobs.login()
        found = hub_jobs.find_flavor(flavor, hub_jobs.flavors())
        return {"flavor": found.name, "price": found.price, "owner": hub_jobs.namespace()}

    def begin(self, run: Run) -> None:
        """Start a run's job and follow it, or follow the one that it has."""
        lock = self._runs.lock(run)
        try:
            lock.acquire(timeout=1)
        except Timeout:
            raise ConfigError(f"{run.name} is already in another process's hands.") from None
        if run.job.get("ended"):  # it begins anew: the old job's id and log are of the past
            fresh = {key: run.job[key] for key in ("flavor", "price", "owner")}
            run = self._runs.update(run.id, job=fresh, step=0, metrics={}, started=None)
        self._runs.clear_stop(run)
        run = self._runs.update(
            run.id, state="running", error=None, ended=None, started=run.started or time.time()
        )
        thread = threading.Thread(target=self._work, args=(run, lock), name="job", daemon=True)
        self._threads.append(thread)
        thread.start()

    def pick_up(self) -> None:
        """Follow again what was left by an earlier process, and is in nobody's hands."""
        for run in self._runs.list():
            unended = run.job and not run.job.get("ended")
            if unended and run.state in ("interrupted", "queued") and not self._runs.held(run):
                self.begin(run)

    def close(self, timeout: float = 10.0) -> None:
        """Leave the jobs to themselves; they go on."""
        self._closing.set()
        for thread in self._threads:
            thread.join(timeout)

    # --- a run's own thread

    def _work(self, run: Run, lock: FileLock) -> None:
        events = EventLog(run.folder / "events.jsonl")
        state, error = "failed", None
        try:
            state, error = _Following(self, run, events).through()
        except StudioError as problem:
            error = str(problem)
        except Exception as problem:
            log.exception("%s could not be followed", run.id)
            error = f"Following the job broke off with {type(problem).__name__}; see studio.log."
        finally:
            if state:  # else this process ends and the job does not
                self._end(run.id, events, state, error)
            events.close()
            lock.release()

    def _end(self, run_id: str, events: EventLog, state: str, error: str | None) -> None:
        run = self._runs.get(run_id)
        self._runs.clear_stop(run)
        seconds = float(run.job.get("seconds") or 0)
        if seconds:  # before the state: who waits for that reads the log at once
            events.write("note", message=cost_words(run.job))
        self._runs.update(
            run_id,
            state=state,
            error=error,
            ended=time.time(),
            eta_s=None,
            train_seconds=seconds,
            # A result that is there and was not fetched is fetched by resuming.
            job=run.job | {"ended": state != "failed" or not run.job.get("completed")},
        )
        events.write("state", state=state, error=error)


class _Following:
    """One run's way: its script, its job, the job's log, the result."""

    def __init__(self, hosted: HostedRuns, run: Run, events: EventLog):
        self.hosted, self.run, self.events = hosted, run, events
        self.runs = hosted._runs
        self.lost = False
        self.cancelled = False

    def through(self) -> tuple[str, str | None]:
        """The state that the run ended in, and why; an empty state where this process ends."""
        if not self.run.job.get("id"):
            self._start()
        while True:
            state = self._patiently(self._look)
            if state is None:
                return "", None
            if state.ended:
                break
            if self.hosted._closing.wait(self.hosted._poll):
                return "", None
        if state.stage == "CANCELED":
            return "stopped", None
        if state.stage != "COMPLETED":
            return "failed", self._why(state)
        self._note(completed=True)
        if self._patiently(self._adopt) is None:
            return "", None
        return "finished", None

    def _start(self) -> None:
        self.events.write("state", state="running")
        self.events.write("phase", text="writing the job's script")
        job = self.run.job
        repo = f"{job['owner']}/studio-{self.run.id}"
        with tempfile.TemporaryDirectory() as folder:
            script = self._written(Path(folder))
            self.events.write("phase", text="sending rows and script to the Hub")
            hub.send([(hub_jobs.SCRIPT, script)], repo, private=True, message="Script of the run")
        if self.runs.stop_asked(self.run):
            raise ConfigError("The run was stopped before its job began.")
        identifier, url = hub_jobs.start(repo, job["flavor"])
        self._note(id=identifier, url=url, repo=repo, lines=0)
        self.events.write("phase", text=f"waiting for {job['flavor']}: {url}")

    def _written(self, folder: Path) -> Path:
        """The script, by the worker: it tokenizes, and torch is the worker's."""
        run, datasets, runs = self.run, self.hosted._datasets, self.runs

        def write(pool: Any) -> Path:
            from studio.training.export_config import export

            return export(run, runs, datasets, "job", folder)[0]

        return self.hosted._worker.submit(write).result()

    def _patiently(self, act: Callable[[], Any]) -> Any:
        """What an act returns, tried until the Hub answers; None where this process ends first."""
        while True:
            try:
                found = act()
                if self.lost:
                    self.events.write("note", message="The Hub answers again.")
                    self.lost = False
                return found
            except Unreachable as error:
                if not self.lost:
                    self.events.write("note", message=f"{error} The job goes on meanwhile.")
                    self.lost = True
            if self.hosted._closing.wait(self.hosted._poll):
                return None

    def _look(self) -> JobState:
        job = self.run.job
        if self.runs.stop_asked(self.run) and not self.cancelled:
            hub_jobs.cancel(job["id"], job["owner"])
            self.cancelled = True
            self.events.write("phase", text="canceling the job")
        state = hub_jobs.look(job["id"], job["owner"])
        if state.stage != "SCHEDULING":
            self._read_log()
        if state.seconds:
            self._note(seconds=state.seconds)
        return state

    def _read_log(self) -> None:
        """Take in the lines of the job's log that are new: events as events, the rest as a file."""
        job = self.run.job
        lines = hub_jobs.log_lines(job["id"], job["owner"])
        new = lines[job.get("lines", 0) :]
        if not new:
            return
        with (self.run.folder / "job.log").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in new)
        for line in new:
            if line.startswith(MARK):
                self._take(line.removeprefix(MARK))
        self._note(lines=len(lines))

    def _take(self, text: str) -> None:
        event = as_object(loads(text)) if len(text) <= _LONGEST_EVENT else None
        if event is None or (kind := event.pop("kind", None)) not in _KINDS:
            return  # a line cut off, or none of the script's
        at = event.pop("time", None)
        event = {name: value for name, value in event.items() if name.isidentifier()}
        event.pop("self", None)
        self.events.write(kind, **event, **({"time": at} if isinstance(at, float) else {}))
        self._progress(kind, event)

    def _progress(self, kind: str, event: dict[str, Any]) -> None:
        """What `run.json` says of the run: steps, metrics, time left."""
        changes: dict[str, Any] = {}
        for name in ("step", "total_steps"):
            value = event.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53:
                changes[name] = value
        if kind == "log":
            plain = {k: v for k, v in event.items() if isinstance(v, int | float) and k != "step"}
            plain = dict(list(plain.items())[:_MOST_METRICS])
            changes["metrics"] = self.run.metrics | {
                k: v for k, v in plain.items() if abs(v) < math.inf
            }
        if changes:
            self.run = self.runs.update(self.run.id, **changes)

    def _note(self, **values: Any) -> None:
        self.run = self.runs.update(self.run.id, job=self.run.job | values)

    def _why(self, state: JobState) -> str:
        """Why a job failed, with the end of its log."""
        path = self.run.folder / "job.log"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        plain = [line.strip() for line in lines if line.strip() and not line.startswith(MARK)]
        said = one_line(state.message or "no reason given").rstrip(".")
        end = f" Its log ends: {' / '.join(plain[-_TAIL:])}" if plain else ""
        return f"The job ended as {state.stage.lower()} ({said}).{end}"[:600]

    def _adopt(self) -> bool:
        """Make the pushed result the run's own, whole or not at all."""
        self.events.write("phase", text="fetching the result")
        pulled = hub_result(self.run.job["repo"])
        name = "adapter" if self.run.recipe.uses_adapter else "model"
        part = self.run.folder / f".{name}.part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        for path in pulled.iterdir():
            if path.is_file() and path.suffix in _KEPT:
                shutil.copyfile(path, part / path.name)
        if not any(part.glob("*.safetensors")):
            raise ModelError(f"The job pushed no weights to {self.run.job['repo']}.")
        checkpoints.mark_complete(part)
        target = self.run.folder / name
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
        return True


def hub_result(repo: str) -> Path:
    """A repository's model files in the Hub's cache; `Unreachable` where that may work later."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return hub.pull(repo).folder
    except StudioError as error:
        cause = error.__cause__
        answered = isinstance(cause, HfHubHTTPError) and cause.response.status_code < 500
        if cause is None or answered:
            raise
        raise Unreachable(str(error)) from error


def cost_words(job: dict[str, Any]) -> str:
    """`143 s of a10g-small at $1.00 an hour: about $0.04.`"""
    seconds, price = float(job.get("seconds") or 0), float(job.get("price") or 0)
    dollars = seconds / 3600 * price
    return f"{seconds:,.0f} s of {job['flavor']} at ${price:.2f} an hour: about ${dollars:.2f}."
