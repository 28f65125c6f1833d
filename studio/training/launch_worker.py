"""One of a run's several processes, started by `accelerate launch` (see `launching.supervise`).

    accelerate launch --config_file presets/accelerate/multi_cpu.yaml \\
      -m studio.training.launch_worker STUDIO_HOME RUN_ID

All of them train; the first one alone writes the run's events and progress.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import torch

from studio.core.workspace import Workspace
from studio.data import DatasetStore
from studio.models import sharding
from studio.models.pool import ModelPool
from studio.runs.events import EventLog
from studio.runs.launch_configs import LAUNCH_CONFIGS
from studio.runs.store import Run, RunStore
from studio.training.execute import attempt, train
from studio.training.launcher import report


class Readers(RunStore):
    """The runs as every process but the first one sees them: nothing is written."""

    def save(self, run: Run) -> Run:
        return run


def main(home: str, run_id: str) -> int:
    """Train this process's share of a run; the exit code."""
    threading.Thread(target=_end_with_the_studio, daemon=True).start()
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    workspace = Workspace(home)
    store = RunStore(workspace) if rank == 0 else Readers(workspace)
    run = store.get(run_id)
    way = LAUNCH_CONFIGS[run.recipe.accelerate_config]
    if way.gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    divided = sharding.join(not way.gpu) if way.sharded else None
    events = EventLog(run.folder / "events.jsonl" if rank == 0 else Path(os.devnull))
    samples = rank == 0 and not way.sharded  # all of them would have to answer together

    def work() -> str:
        return train(
            run,
            store,
            DatasetStore(workspace),
            ModelPool(shared=not way.sharded),
            events,
            lambda: None,
            processes=world,
            with_samples=samples,
        )

    state, error = attempt(work, run, events)
    del divided  # kept until here, see `sharding.join`
    if state == "failed" or os.environ.get("LOCAL_RANK", "0") == "0":  # one on each machine
        report(run, state, error)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 1 if state == "failed" else 0


def _end_with_the_studio() -> None:
    """Exit when stdin closes: the studio, which holds its other end, is gone."""
    while os.read(0, 1):
        pass
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
