"""The optimizer's second moments of a checkpoint, by trained module. Imports torch.

LESS (Xia et al. 2024) compares rows by the steps that Adam took for them: gradients divided by the
root of their running second moments. Here that is split over both sides, row and question.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studio.core.errors import ConfigError

_MOMENT = "exp_avg_sq"
_FLOOR = 1e-2
"""Of the median root: entries that hardly ever had a gradient must not decide."""


def scales(trainer: Any, checkpoint: Path, names: list[str]) -> dict[str, Tensor]:
    """What each parameter's gradient is multiplied with: v to the power -1/4, floored.

    Args:
        names: of parameters (`...weight`), or of the layers that have one.

    Raises a `ConfigError` where the optimizer keeps no such moments.
    """
    path = checkpoint / "optimizer.pt"
    if not path.exists():
        raise ConfigError(
            f"{checkpoint.name} keeps no optimizer state on this machine; leave precondition off."
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    optimizer = trainer.create_optimizer()
    order = [one for group in optimizer.param_groups for one in group["params"]]
    known = {id(one): name for name, one in trainer.model.named_parameters()}
    kept: dict[str, Tensor] = {}
    for at, parameter in enumerate(order):
        moment = state["state"].get(at, {}).get(_MOMENT)
        if moment is None or moment.shape != parameter.shape:
            raise ConfigError(
                f"The optimizer of {checkpoint.name} keeps no second moment of each weight; leave "
                "precondition off."
            )
        kept[known[id(parameter)]] = moment.float()
    trainer.optimizer = None
    roots = {name: moment.sqrt() for name, moment in kept.items()}
    every = torch.cat([one.flatten() for one in roots.values()])
    floor = _FLOOR * every[every > 0].median().clamp(min=1e-30)
    found = {name: (root + floor).rsqrt() for name, root in roots.items()}
    return {name: found[name if name in found else f"{name}.weight"] for name in names}
