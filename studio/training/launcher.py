"""One run on several processes: starting and supervising `accelerate launch`.

The child process uses a config of `presets/accelerate` and trains into the same run folder. This
side waits, serves generation meanwhile, and reports how it ended. The rows of an optimizer step are
divided among the processes, so the losses are those of one process. Imports no torch.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING

from studio.core.errors import TrainingError
from studio.core.hardware import cores
from studio.core.workspace import ROOT
from studio.runs.launch_configs import CONFIGS, LAUNCH_CONFIGS, PORT, SINGLE, share, usual_count

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe
    from studio.runs.store import Run, RunStore

_LOG, _OUTCOME = "launch.log", "outcome.json"
_GRACE = 30.0  # seconds that processes asked to stop now get to finish
_POLL = 0.05


def processes_for(recipe: Recipe) -> int:
    """Number of processes a recipe starts here; a `TrainingError` where it cannot.

    Imports torch to count GPUs.
    """
    way = LAUNCH_CONFIGS[recipe.accelerate_config]
    if way.needs and find_spec(way.needs) is None:
        raise TrainingError(
            f"accelerate_config {recipe.accelerate_config} needs the package {way.needs}, which is "
            f"not installed; `pip install {way.needs}`, or choose fsdp2."
        )
    machines = recipe.num_machines
    if not way.gpu:
        return recipe.num_processes or usual_count(recipe.accelerate_config) * machines
    from studio.core.hardware import detected

    here = detected()
    count = here.devices if here.device == "cuda" else 0
    wanted = recipe.num_processes or count * machines
    if machines > 1 and wanted // machines > count:
        raise TrainingError(
            f"{wanted} processes on {machines} machines need {wanted // machines} GPUs each, and "
            f"this machine has {count}; lower num_processes."
        )
    if wanted < 2 or wanted // machines > count:
        raise TrainingError(
            f"accelerate_config {recipe.accelerate_config} needs two or more GPUs, and this "
            f"machine has {count}; choose {SINGLE}, or multi_cpu to try it on a CPU."
        )
    return wanted


def supervise(
    run: Run, store: RunStore, serve: Callable[[], None], say: Callable[[str], None]
) -> tuple[str, str | None]:
    """Train a run in its own processes; the (state, error) they ended with.

    Args:
        serve: called while waiting; serves generation on this side.
        say: called with the current phase, for the run's events.
    """
    count = processes_for(run.recipe)
    share(run.recipe, count)
    (run.folder / _OUTCOME).unlink(missing_ok=True)
    here = count // run.recipe.num_machines
    say(f"starting {here} {'process' if here == 1 else 'processes'}")
    if run.recipe.machine_rank:
        say("machine 0 keeps the log, the checkpoints and the result")
    with (run.folder / _LOG).open("wb") as log, _started(run, store, count, log) as child:
        asked_at = None
        while child.poll() is None:
            serve()
            time.sleep(_POLL)
            if asked_at is None and store.stop_asked(run) == "now":
                asked_at = time.monotonic()
            if asked_at and time.monotonic() - asked_at > _GRACE:
                return "stopped", None  # `_started` kills the rest
    return _outcome(run, child.returncode)


@contextlib.contextmanager
def _started(run: Run, store: RunStore, count: int, log: IO[bytes]) -> Iterator[subprocess.Popen]:
    """The launcher in its own session; all of its processes end with this block.

    They hold the other end of its stdin: when this process dies, they see it close and exit too
    (`studio.training.launch_worker`).
    """
    config = CONFIGS / f"{run.recipe.accelerate_config}.yaml"
    words = [
        sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config),
        "--num_processes", str(count), *_machines(run.recipe),
        "-m", "studio.training.launch_worker", str(store.workspace.home), run.id,
    ]  # fmt: skip
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    way = LAUNCH_CONFIGS[run.recipe.accelerate_config]
    if not way.gpu:
        environment["OMP_NUM_THREADS"] = str(max(1, cores() * run.recipe.num_machines // count))
    if way.sharded and not way.gpu:
        # glibc would keep the weights that were gathered for a layer in its heap.
        environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 20))
    child = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.stdin:
            child.stdin.close()
        if child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _machines(recipe: Recipe) -> list[str]:
    """Options of `accelerate launch` that tell the machines about each other."""
    if recipe.num_machines == 1:
        return ["--main_process_port", "0"]  # any that is free
    words = [
        "--num_machines", str(recipe.num_machines), "--machine_rank", str(recipe.machine_rank),
        "--main_process_ip", str(recipe.main_process_ip),
        "--main_process_port", str(recipe.main_process_port or PORT),
    ]  # fmt: skip
    if LAUNCH_CONFIGS[recipe.accelerate_config].fsdp:
        # Machine 0 writes checkpoints whole: shares would stay on the machines' own disks.
        words += ["--fsdp_state_dict_type", "FULL_STATE_DICT"]
    return words


def report(run: Run, state: str, error: str | None) -> None:
    """Record how a process's training ended; the first one counts, since it ended the others."""
    with (
        contextlib.suppress(FileExistsError),
        (run.folder / _OUTCOME).open("x", encoding="utf-8") as file,
    ):
        json.dump({"state": state, "error": error}, file)


def _outcome(run: Run, code: int) -> tuple[str, str | None]:
    try:
        outcome = json.loads((run.folder / _OUTCOME).read_text(encoding="utf-8"))
        return outcome["state"], outcome["error"]
    except (OSError, ValueError):
        return "failed", (
            f"The training processes exited with code {code}; their output is in {_LOG} in the "
            "run's folder. Resume continues from the last complete checkpoint."
        )
