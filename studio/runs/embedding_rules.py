"""Constraints on a recipe that trains a text encoder."""

from __future__ import annotations

from collections.abc import Iterator

from studio.runs.fields import RecipeFields
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES, RANKING_LOSSES

_NOT = {
    "dora": "keeps magnitudes that transformers' loader, sentence-transformers' own, leaves out",
    "vera": "shares matrices that transformers' loader, sentence-transformers' own, cannot make",
    "pissa": "moves the base, which an encoder's folder names as it is",
    "loftq": "corrects the base, which an encoder's folder names as it is",
    "adalora": "cuts its ranks by a schedule of TRL's trainers",
    "llama_adapter": "adds prompts to a causal model's attention",
}


def validation_errors(values: RecipeFields) -> Iterator[str]:
    """Why an encoder cannot be trained this way: sentences without their period."""
    if not OBJECTIVES[values.objective].embeds:
        return
    method = METHODS[values.method]
    if method.prompted:
        yield f"{method.label} adds tokens that pooling would average in; choose lora"
    if method.name in _NOT:
        yield f"{method.label} {_NOT[method.name]}; choose lora"
    if values.loraplus_lr_ratio is not None:
        yield "loraplus_lr_ratio is for TRL's trainers; leave it empty for embedding"
    if values.neftune_noise_alpha is not None:
        yield "neftune_noise_alpha is for TRL's trainers; leave it empty for embedding"
    if values.accelerate_config != "single":
        yield (
            "Embedding takes its negatives from one process's batch; set accelerate_config: single"
        )
    if any(size < 1 for size in values.matryoshka_dims):
        yield "matryoshka_dims are numbers of dimensions, from 1 up"
    yield from _loss_errors(values)


def _loss_errors(values: RecipeFields) -> Iterator[str]:
    losses = values.loss_type
    if values.per_device_train_batch_size < 2 and set(losses) & {*RANKING_LOSSES, "CoSENTLoss"}:
        yield (
            f"{losses[0]} compares the rows of a batch with one another; set "
            "per_device_train_batch_size to 2 or more"
        )
    if values.num_negatives and "CoSENTLoss" in losses:
        yield "CoSENTLoss learns from scored pairs, which have no negatives; set num_negatives: 0"
    if values.relative_margin is not None and not values.num_negatives:
        yield "relative_margin is for mining; set num_negatives, or leave it empty"
