"""Several adapters of one base as one: PEFT's weighted combinations, and means of checkpoints.

PEFT's names: `cat` is the weighted sum of the updates, exactly, at the sum of the ranks; `linear`,
`ties`, `dare_linear` and `dare_ties` combine A and B apart, at one rank; with `_svd` they combine
the updates and cut the result to the highest rank. TIES: Yadav et al. 2023; DARE: Yu et al. 2024.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.core.errors import ModelError
from studio.models import loading
from studio.models.pool import LoadedModel
from studio.runs.methods import Combination

PRUNED = ("ties", "dare")
"""Combinations that keep a share of the numbers, `density`, begin so."""
_NAME = "blend"


def blend(
    resident: LoadedModel,
    adapters: Sequence[tuple[Path, float]],
    combination: Combination,
    density: float,
    seed: int,
    out: Path,
) -> None:
    """Combine adapters (folder, weight) of a base and save the result as an adapter in `out`.

    They are loaded on a wrapper that is thrown away. Raises `ModelError` for what PEFT refuses.
    """
    import torch

    view: Any = loading.clone_sharing_weights(resident.model)
    names = [f"part{at}" for at in range(len(adapters))]
    for name, (folder, _) in zip(names, adapters, strict=True):
        view = loading.load_adapter(view, folder, name)
    given: dict[str, Any] = {"density": density} if combination.startswith(PRUNED) else {}
    if combination.endswith("svd"):
        given["svd_full_matrices"] = False
    try:
        with torch.random.fork_rng():  # DARE drops numbers at random
            torch.manual_seed(seed)
            weights = [weight for _, weight in adapters]
            view.add_weighted_adapter(names, weights, _NAME, combination, **given)
    except ValueError as error:
        raise ModelError(f"PEFT cannot combine these adapters: {error}") from error
    view.save_pretrained(str(out), selected_adapters=[_NAME])
    for path in (out / _NAME).iterdir():
        shutil.move(str(path), out / path.name)
    (out / _NAME).rmdir()


def average(folders: Sequence[Path], out: Path) -> None:
    """The mean of every tensor of several adapters of one shape, as an adapter in `out`.

    For checkpoints of one run, whose A and B have one origin. Raises `ModelError` where tensors
    differ in name or shape.
    """
    from safetensors.torch import load_file, save_file

    file = "adapter_model.safetensors"
    first = {name: weight.double() for name, weight in load_file(folders[0] / file).items()}
    dtypes = {name: weight.dtype for name, weight in load_file(folders[0] / file).items()}
    for folder in folders[1:]:
        for name, weight in (other := load_file(folder / file)).items():
            if name not in first or first[name].shape != weight.shape or len(other) != len(first):
                raise ModelError(f"{folder.name} has other tensors than {folders[0].name}.")
            first[name] += weight.double()
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folders[-1] / "adapter_config.json", out / "adapter_config.json")
    mean = {name: (total / len(folders)).to(dtypes[name]) for name, total in first.items()}
    save_file(mean, out / file, metadata={"format": "pt"})
