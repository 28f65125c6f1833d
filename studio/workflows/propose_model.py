"""Which model to train on some rows: one that fits this machine in reasonable time, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core.errors import StudioError
from studio.core.formatting import DOT
from studio.core.gguf_models import SMOLLM2
from studio.core.model_catalog import CatalogModel, catalog, find
from studio.core.model_names import POCKET, here
from studio.data import SAMPLES

if TYPE_CHECKING:
    from studio.calculator import Lengths, RowCount, RunEstimate
    from studio.calculator.gpus import Gpu
    from studio.engine.studio import Studio
    from studio.runs.recipe import Recipe

MINUTES = 30
"""A first run should take no longer: the largest model that keeps to it is proposed."""
_PACKAGED = "HuggingFaceTB/SmolLM2-135M-Instruct"
_FEW = 200  # rows assumed where the data is not prepared yet


@dataclass(frozen=True)
class Proposal:
    """A model, its recipe, whether it is on this machine already, and one line that says why."""

    model: str
    recipe: Recipe
    on_this_machine: bool
    why: str


def pocket_rows(studio: Studio, dataset: str) -> bool:
    """Whether a dataset is of the pocket model's own world: a shipped sample, votes, made rows."""
    if dataset in SAMPLES:
        return True
    for kept in studio.datasets.list():
        if dataset in (kept.id, kept.name):
            source = str(kept.provenance.get("sample") or kept.provenance.get("source") or "")
            return source in SAMPLES or not source  # without a source it was made here
    return False


def pocket_warning(studio: Studio, recipe: Recipe) -> str:
    """A sentence where the pocket model is to learn rows that are not its own; else empty."""
    names = [entry.path for entry in recipe.datasets] or [recipe.dataset_name]
    if recipe.model_name_or_path != POCKET or all(pocket_rows(studio, name) for name in names):
        return ""
    return (
        "Pocket has 4 million parameters and knows only its own made-up world: on other rows its "
        "answers are gibberish."
    )


def propose(studio: Studio, recipe: Recipe) -> Proposal | None:
    """The largest model that trains on the recipe's rows here within `MINUTES` by the estimate's
    upper end; the smallest that fits where none is so quick, and None where none fits.

    Those on this machine come first; of the others only models for any use, without a form to sign,
    are proposed. Counts, memory and time are the Calculator's, so the libraries must be loaded.
    """
    from studio.calculator.gpus import this_machine

    gpu = this_machine(recipe.device)
    lengths = _lengths(studio, recipe)
    for candidates in (_here(), _to_fetch()):
        found = _largest(recipe, candidates, gpu, lengths)
        if found is not None:
            return found
    return None


def _here() -> list[tuple[str, CatalogModel]]:
    """(name here, model) of what needs no download and is in the catalog."""
    names = [(name, _PACKAGED if name == SMOLLM2 else name) for name in here() if name != POCKET]
    return [(name, model) for name, known in names if (model := find(known)) is not None]


def _to_fetch() -> list[tuple[str, CatalogModel]]:
    return [
        (model.id, model)
        for model in catalog().values()
        if model.open and not model.gated and model.kind == "chat" and not model.moe
        and not model.vision
    ]  # fmt: skip


def _largest(
    recipe: Recipe,
    candidates: Iterable[tuple[str, CatalogModel]],
    gpu: Gpu,
    lengths: Lengths | RowCount,
) -> Proposal | None:
    """Tries the largest first. Building a model's shapes takes a while on a slow machine, so what
    its size alone rules out is not built, but for the smallest."""
    ordered = sorted(candidates, key=lambda each: -each[1].parameters)
    found = None
    for at, (name, model) in enumerate(ordered):
        quick = _least_seconds(recipe, model, gpu, lengths) <= 60 * MINUTES
        if model.parameters / 2 > gpu.memory or not (quick or at == len(ordered) - 1):
            continue
        for changed in _ways(recipe, name, gpu):
            estimate = _estimate(changed, gpu, lengths)
            if estimate is None or estimate.verdict != "fits":
                continue
            found = Proposal(name, changed, name in here(), _why(model, estimate))
            if (estimate.cost.seconds or (0, 0))[1] <= 60 * MINUTES:
                return found
    return found


def _least_seconds(
    recipe: Recipe, model: CatalogModel, gpu: Gpu, lengths: Lengths | RowCount
) -> float:
    """What a forward pass, and a backward one through frozen weights, take at the GPU's best."""
    rows = lengths.rows * recipe.num_train_epochs
    if recipe.max_steps > 0:
        per_step = recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps
        rows = recipe.max_steps * per_step
    tokens = rows * lengths.of(recipe.objective).tokens(recipe)[0]
    return tokens * 4 * model.parameters / (gpu.flops * gpu.efficiency[1])


def _ways(recipe: Recipe, name: str, gpu: Gpu) -> Sequence[Recipe]:
    """The recipe on a model, and on CUDA the same on a 4-bit base."""
    lora = recipe.method in ("lora", "qlora", "dora")
    first = recipe.with_(model_name_or_path=name, model_revision="main", start_from=None)
    if gpu.device != "cuda" or not lora:
        return (first,)
    return (first, first.with_(method="qlora", activation_checkpointing=True))


def _estimate(recipe: Recipe, gpu: Gpu, lengths: Lengths | RowCount) -> RunEstimate | None:
    from studio.calculator import estimate

    try:
        return estimate(recipe, gpu, lengths)
    except StudioError:  # a method that this architecture has no place for
        return None


def unread(studio: Studio, recipe: Recipe) -> str:
    """Why the recipe's rows cannot be counted, so that a number is assumed; "" where they can.

    Rows that can be read in several ways are such: which way decides how many there are.
    """
    from studio.workflows.estimate_run import dataset_lengths

    try:
        dataset_lengths(studio, recipe.with_(model_name_or_path=POCKET))
    except StudioError as error:
        return f"{error} Until it is prepared, {_FEW} rows are assumed."
    return ""


def _lengths(studio: Studio, recipe: Recipe) -> Lengths | RowCount:
    from studio.calculator import RowCount
    from studio.workflows.estimate_run import dataset_lengths

    asked: Any = recipe.with_(model_name_or_path=_PACKAGED)
    try:
        return dataset_lengths(studio, asked) or RowCount(_FEW)
    except StudioError:
        return RowCount(_FEW)


def _why(model: CatalogModel, found: RunEstimate) -> str:
    said = [model.about(), found.memory.words(), found.cost.words()]
    rates = model.learning_rates.get(f"{found.recipe.objective} {found.recipe.method}")
    if rates:
        said.append(f"learning rate {rates:g} in {model.rates_from}")
    return DOT.join(part for part in said if part)
