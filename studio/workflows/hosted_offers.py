"""What training a recipe on the Hub's machines would cost, and where it fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core import hub_jobs
from studio.core.formatting import DOT, bytes_text

if TYPE_CHECKING:
    from studio.calculator import Gpu
    from studio.core.hub_jobs import Flavor
    from studio.engine.studio import Studio
    from studio.runs.recipe import Recipe

_USUAL_SPEED = 50e12  # operations a second of a GPU that the Calculator does not know


@dataclass(frozen=True)
class Offer:
    """A flavor with one GPU: whether the run fits, and its cost in US dollars where known."""

    flavor: Flavor
    verdict: str
    memory: int
    dollars: tuple[float, float] | None

    def label(self) -> str:
        """`a10g-small · fits · $0.02 to $0.05 · $1.00 an hour · A10G 24 GB`."""
        chip = f"{self.flavor.gpu} {bytes_text(self.flavor.memory).replace('.0 ', ' ')}"
        parts = [self.flavor.name, self.verdict, self.cost()]
        parts += [f"${self.flavor.price:.2f} an hour", chip]
        return DOT.join(part for part in parts if part)

    def cost(self) -> str:
        """`$0.02 to $0.05`, or nothing where the rows are not known."""
        if not self.dollars:
            return ""
        low, high = (f"${max(0.01, each):.2f}" for each in self.dollars)
        return low if low == high else f"{low} to {high}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "flavor": self.flavor.name,
            "gpu": self.flavor.gpu,
            "gpu_bytes": self.flavor.memory,
            "price_per_hour": self.flavor.price,
            "verdict": self.verdict,
            "estimated_bytes": self.memory,
            "dollars": self.dollars,
            "label": self.label(),
        }


def offers(studio: Studio, recipe: Recipe) -> list[Offer]:
    """The flavors with one GPU, cheapest first; those where the run does not fit come last.

    Raises:
        ConfigError: nobody is logged in.
        ModelError: the Hub cannot be reached.
    """
    hub_jobs.login()
    found = [_offer(studio, recipe, each) for each in hub_jobs.flavors() if each.count == 1]
    return sorted(found, key=lambda each: (each.verdict == "does not fit", each.flavor.price))


def _offer(studio: Studio, recipe: Recipe, flavor: Flavor) -> Offer:
    from studio.calculator import estimate
    from studio.workflows.estimate_run import dataset_lengths

    found = estimate(recipe, _gpu(flavor), dataset_lengths(studio, recipe))
    return Offer(flavor, found.verdict, found.memory.total, found.cost.money(flavor.price))


def _gpu(flavor: Flavor) -> Gpu:
    from studio.calculator import GPUS, Gpu

    like = [gpu for gpu in GPUS.values() if gpu.name.split()[0] == flavor.gpu.upper()]
    known = min(like, key=lambda gpu: abs(gpu.memory - flavor.memory), default=None)
    speed, bf16 = (known.flops, known.bf16) if known else (_USUAL_SPEED, True)
    return Gpu(f"{flavor.gpu} ({flavor.name})", flavor.memory, speed, bf16)
