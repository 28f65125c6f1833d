"""A run as a folder that several machines train together: a script for each, and one for Slurm.

Each machine has a workspace of its own in the folder and starts the same recipe with its own
`machine_rank`; machine 0's workspace gets the log, the checkpoints and the result.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from studio.core.errors import ConfigError
from studio.core.formatting import one_line
from studio.data import DatasetStore
from studio.runs import launch_configs
from studio.runs.launch_configs import LAUNCH_CONFIGS, PORT, SINGLE
from studio.runs.recipe import Recipe
from studio.runs.store import Run

_UNKNOWN = "machine-0"  # stands in the recipe until a script is told the address


def recipe_for(run: Run, machines: int | None) -> Recipe:
    """The run's recipe for so many machines; its own number where `machines` is None.

    Raises `ConfigError` where it cannot be trained that way, or needs what only this studio has.
    """
    recipe = run.recipe
    if recipe.start_from:
        raise ConfigError(
            f"{run.name} starts from another run, which the other machines lack. Export that "
            "run merged, and name its folder as model_name_or_path."
        )
    if any(reward.startswith("model:") for reward in recipe.reward_funcs):
        raise ConfigError(
            f"{run.name} is rewarded by another run, which the other machines do not have."
        )
    count = machines or recipe.num_machines
    several = "multi_gpu" if recipe.accelerate_config == SINGLE else recipe.accelerate_config
    changes = {"num_machines": count, "machine_rank": 0, "accelerate_config": several}
    if count == 1:
        return recipe.with_(**changes, main_process_ip=None, main_process_port=None)
    changes |= {
        "main_process_ip": recipe.main_process_ip or _UNKNOWN,
        "main_process_port": recipe.main_process_port or PORT,
    }
    if recipe.num_processes and recipe.num_machines == 1:
        changes["num_processes"] = recipe.num_processes * count  # as many on each
    return recipe.with_(**changes)


def write(run: Run, recipe: Recipe, model: str, datasets: DatasetStore, out: Path) -> Path:
    """Write the folder's recipe, dataset and scripts; returns the first machine's script.

    Args:
        recipe: of `recipe_for`.
        model: what the model is loaded from, as it is named inside the folder.
    """
    data = datasets.get(run.data.get("id") or recipe.dataset_name)
    shutil.copytree(data.folder, out / "datasets" / data.id, dirs_exist_ok=True)
    changes = {"model_name_or_path": model, "dataset_name": data.id, "name": run.name}
    template = recipe.chat_template_path
    if template and template.endswith(".jinja"):
        shutil.copyfile(template, out / "chat_template.jinja")
        changes["chat_template_path"] = "./chat_template.jinja"
    (out / "recipe.yaml").write_text(recipe.with_(**changes).to_yaml(), encoding="utf-8")
    scripts = [_script(run, recipe, rank) for rank in range(recipe.num_machines)]
    for rank, text in enumerate(scripts):
        (out / f"machine-{rank}.sh").write_text(text, encoding="utf-8")
    (out / "slurm.sh").write_text(_slurm(run, recipe), encoding="utf-8")
    return out / "machine-0.sh"


_SCRIPT = """\
#!/bin/sh
# Machine {rank} of {machines} of the run "{name}".
# Copy this folder to every machine, with the studio installed there (PYTHONPATH names its folder),
# and start each machine's script; they wait for each other.
set -eu
cd "$(dirname "$0")"
export STUDIO_HOME="${{STUDIO_HOME:-$PWD/workspace-{rank}}}"
mkdir -p "$STUDIO_HOME/datasets"
cp -R datasets/. "$STUDIO_HOME/datasets/"
exec "${{PYTHON:-python}}" -m studio train recipe.yaml --set machine_rank={rank}{address}
"""
_ADDRESS = """ \\
  --set main_process_ip="${{MAIN_PROCESS_IP:{ip}}}" \\
  --set main_process_port="${{MAIN_PROCESS_PORT:-{port}}}\""""
_SLURM = """\
#!/bin/bash
# The run "{name}" on {machines} machines: `sbatch slurm.sh` in this folder, which every one must
# see, with the studio installed (PYTHONPATH names its folder).
#SBATCH --job-name={job}
#SBATCH --nodes={machines}
#SBATCH --ntasks-per-node=1
{gpus}set -eu
cd "${{SLURM_SUBMIT_DIR:-.}}"
MAIN_PROCESS_IP="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"
export MAIN_PROCESS_IP
srun --kill-on-bad-exit=1 sh -c 'exec sh "machine-$SLURM_NODEID.sh"'
"""


def _script(run: Run, recipe: Recipe, rank: int) -> str:
    known = recipe.main_process_ip not in (None, _UNKNOWN)
    ip = f"-{recipe.main_process_ip}" if known else "?the address of machine 0"
    several = recipe.num_machines > 1
    return _SCRIPT.format(
        rank=rank,
        machines=recipe.num_machines,
        name=one_line(run.name),
        address=_ADDRESS.format(ip=ip, port=recipe.main_process_port) if several else "",
    )


def _slurm(run: Run, recipe: Recipe) -> str:
    each = (recipe.num_processes or 0) // recipe.num_machines
    each = each or launch_configs.usual_count(recipe.accelerate_config)
    on_gpus = LAUNCH_CONFIGS[recipe.accelerate_config].gpu
    return _SLURM.format(
        name=one_line(run.name),
        job=re.sub(r"[^\w.-]+", "-", run.name).strip("-") or "studio",
        machines=recipe.num_machines,
        gpus=f"#SBATCH --gpus-per-node={each}\n" if on_gpus else "",
    )
