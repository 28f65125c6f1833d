"""A run made of other runs: adapters of one base combined, or a run's checkpoints averaged."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError
from studio.core.formatting import plural
from studio.runs import checkpoints
from studio.runs.methods import METHODS
from studio.runs.objectives import GENERATING

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.models.blending import Combination
    from studio.models.pool import ModelPool
    from studio.runs.store import Run

FEWEST = 2
MOST = 10  # weight of a run's update


def blend(
    studio: Studio,
    runs: Sequence[str],
    combination: Combination = "cat",
    weights: Sequence[float] | None = None,
    density: float = 0.5,
    name: str = "",
) -> Run:
    """Combine the adapters of finished LoRA runs on one base; a finished run, once it is written.

    Args:
        weights: of each run's update, 1 / number of runs by default.
        density: the share of numbers that TIES and DARE keep.
    """
    found = [studio.runs.get(each) for each in runs]
    if len({run.id for run in found}) < max(FEWEST, len(found)):
        raise ConfigError("Name two different runs or more to blend.")
    shares = list(weights or [1 / len(found)] * len(found))
    if len(shares) != len(found):
        raise ConfigError(f"There are {len(found)} runs and {len(shares)} weights; give one each.")
    if not any(shares) or not all(abs(share) <= MOST for share in shares):  # nor NaN
        raise ConfigError(f"Weights are numbers from -{MOST} to {MOST}, and not all of them 0.")
    for run in found:
        _check(run, found[0])
    parts = [(_adapter(run), share) for run, share in zip(found, shares, strict=True)]
    of = [{"run": run.id, "name": run.name, "weight": share}
          for run, share in zip(found, shares, strict=True)]  # fmt: skip
    record = {"combination": combination, "density": density, "of": of}

    def write(pool: ModelPool, out: Path) -> None:
        from studio.models import blending

        resident = pool.base_of(found[0].recipe, studio.runs)
        blending.blend(resident, parts, combination, density, found[0].recipe.seed, out)

    usual = f"{' + '.join(run.name for run in found)} {combination}"
    return _landed(studio, found, name or usual[:110], record, write)


def average(studio: Studio, run: str, last: int = 0, name: str = "") -> Run:
    """The mean of a run's kept checkpoints (the `last` of them, or all) as a finished run."""
    found = studio.runs.get(run)
    _check(found, found, stacks=True)
    every = checkpoints.steps(found.checkpoints)
    if last and not FEWEST <= last <= len(every) >= FEWEST:
        raise ConfigError(
            f"{found.name} keeps {plural(len(every), 'checkpoint')}; average from {FEWEST} to all "
            f"of them, not {last}."
        )
    steps = every[-last:]
    if len(steps) < FEWEST:
        kept = ", ".join(map(str, steps)) or "none"
        raise ConfigError(
            f"{found.name} keeps too few checkpoints to average ({kept}); train with a higher "
            "save_total_limit."
        )
    folders = [found.checkpoints / f"checkpoint-{step}" for step in steps]
    for folder in folders:
        if file := checkpoints.damaged_file(folder):
            raise ConfigError(
                f"{file} in {folder.name} of {found.name} holds other bytes than were written: run "
                "`python -m studio doctor --fix`, which sets it aside, and average again."
            )
    record = {"average": steps, "of": [{"run": found.id, "name": found.name}]}

    def write(pool: ModelPool, out: Path) -> None:
        from studio.models import blending

        blending.average(folders, out)

    return _landed(studio, [found], name or f"{found.name} averaged", record, write)


def _check(run: Run, first: Run, stacks: bool = False) -> None:
    """Refuse what cannot be combined, before anything is loaded."""
    recipe = run.recipe
    if run.adapter is None or run.objective not in GENERATING:
        raise ConfigError(f"{run.name} has no adapter that answers; it is {run.state}.")
    if METHODS[run.method].config != "LoraConfig" or run.method == "dora" or recipe.use_rslora:
        label = "rsLoRA" if recipe.use_rslora else METHODS[run.method].label
        raise ConfigError(f"{run.name} is {label}; LoRA and QLoRA runs can be blended.")
    if METHODS[run.method].moves_base:
        raise ConfigError(f"{run.name} moved its base's weights, which no other run shares.")
    beside = recipe.lora_modules_to_save or recipe.trainable_token_indices
    if (
        beside
        or recipe.train_embeddings_and_norms
        or (recipe.lora_target_parameters and not stacks)
    ):
        raise ConfigError(f"{run.name} trained more than LoRA matrices, which PEFT cannot combine.")
    if (run.model, run.base) != (first.model, first.base):
        raise ConfigError(
            f"{run.name} stands on {run.model} and {first.name} on {first.model}, or on other "
            "weights of it; blend runs of one base."
        )
    if recipe.rope_parameters != first.recipe.rope_parameters:
        raise ConfigError(
            f"{run.name} and {first.name} were trained under different rope_parameters; blend runs "
            "of one context."
        )


def _adapter(run: Run) -> Path:
    folder = run.adapter
    assert folder is not None  # _check
    return folder


def _landed(
    studio: Studio, of: Sequence[Run], name: str, record: dict[str, Any], write: Any
) -> Run:
    """The run that `write` fills with an adapter, in the worker; nothing stays of one that fails.

    Its parent is the first run, which its recipe is of, with the new adapter's rank and alpha.
    """
    taken = {run.name for run in studio.runs.list()}
    free, number = name, 2
    while free in taken:
        free, number = f"{name} {number}", number + 1

    def work(pool: ModelPool) -> Run:
        out = studio.workspace.cache / f"blend-{time.time_ns()}"
        try:
            out.mkdir(parents=True)
            write(pool, out)
            config = json.loads((out / "adapter_config.json").read_text(encoding="utf-8"))
            changes = {"lora_r": config["r"], "lora_alpha": config["lora_alpha"], "name": free}
            patterns = {"rank_pattern": config.get("rank_pattern") or {},
                        "alpha_pattern": config.get("alpha_pattern") or {}}  # fmt: skip
            run = studio.runs.create(of[0].recipe.with_(**changes, **patterns), {"blend": record})
            shutil.move(str(out), run.folder / "adapter")
        finally:
            shutil.rmtree(out, ignore_errors=True)
        now = time.time()
        data = {"name": of[0].data.get("name", ""), "datasets": _data(of)}
        return studio.runs.update(
            run.id, state="finished", started=now, ended=now, parent=of[0].id, base=of[0].base,
            data=data,
        )  # fmt: skip

    return studio.worker.submit(work).result()


def _data(of: Sequence[Run]) -> list[dict[str, Any]]:
    """The datasets of all runs, each once."""
    every = [each for run in of for each in (run.data.get("datasets") or [run.data])]
    return list({str(each.get("id")): each for each in every if each}.values())
