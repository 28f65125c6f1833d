"""Contrastive fine-tuning: sentence-transformers' trainer, losses and sampler on a shared base."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import Dataset, DatasetDict
from peft import PeftModel
from transformers import TrainerCallback

from studio.core import compat, rope
from studio.core.errors import TrainingError
from studio.core.library_types import TextEncoder, Trainer, TrainerClass
from studio.core.workspace import write_json
from studio.models import loading
from studio.models.pool import LoadedModel
from studio.models.text_encoder import ENCODER_CONFIG, inner, text_encoder
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.training import encoder_rows, precision
from studio.training.encoder_rows import Tell
from studio.training.held_out import EarlyStopping
from studio.training.trainer_mixin import StudioTrainerMixin

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformerTrainer
else:
    SentenceTransformerTrainer = object


class EncoderTrainerMixin(compat.EncoderTrainerHooks, SentenceTransformerTrainer):
    """Mixed in before `SentenceTransformerTrainer`, after the studio's own mixin."""

    recipe: Recipe

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: the studio writes the card, with the export."""

    def load_weights(self, folder: str) -> None:
        model = inner(self.model)
        if isinstance(model, PeftModel):
            from peft import load_peft_weights, set_peft_model_state_dict

            set_peft_model_state_dict(model, load_peft_weights(folder, device="cpu"))
            return
        from safetensors.torch import load_file

        for part in sorted(Path(folder).glob("*.safetensors")):
            missing = model.load_state_dict(load_file(part), strict=False)
            if missing.unexpected_keys:
                raise TrainingError(f"{part.name} holds {missing.unexpected_keys[0]}, not ours.")

    def save_weights(self, folder: str) -> None:
        write_encoder(self.model, Path(folder), self.recipe)


def write_encoder(encoder: TextEncoder, folder: Path, recipe: Recipe) -> None:
    """A folder that `SentenceTransformer(folder)` loads, without a card.

    It names the number format of the weights, for a stock loader takes the base's own, and what the
    base's config says otherwise under the recipe's RoPE.
    """
    encoder.save_pretrained(str(folder), create_model_card=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's
    model = inner(encoder)
    path = folder / ENCODER_CONFIG
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["model_kwargs"] = {"dtype": str(_base_dtype(model)).removeprefix("torch.")}
    if recipe.rope_parameters:
        settings["config_kwargs"] = rope.overrides(model.config)
        write_json(folder / rope.FILE, rope.overrides(model.config))
    write_json(path, settings)


def _base_dtype(model: Any) -> Any:
    """The format of a frozen matrix where there is one: what trains is widened."""
    floats = [one for one in model.parameters() if one.is_floating_point()]
    return next((one.dtype for one in floats if not one.requires_grad), floats[0].dtype)


@functools.cache
def trainer_class() -> TrainerClass:
    """sentence-transformers' trainer with the studio's mixins in front."""
    from sentence_transformers import SentenceTransformerTrainer as Stock

    bases = (StudioTrainerMixin, EncoderTrainerMixin, Stock)
    return type("StudioSentenceTransformerTrainer", bases, {})


def loss_of(recipe: Recipe, encoder: TextEncoder) -> Any:
    """The recipe's loss as sentence-transformers has it, `MatryoshkaLoss` around it where asked."""
    from sentence_transformers.sentence_transformer import losses

    name = recipe.loss_type[0]
    settings: dict[str, Any] = {"scale": recipe.scale}
    if name == "CachedMultipleNegativesRankingLoss":
        settings["mini_batch_size"] = recipe.mini_batch_size
    elif name == "TripletLoss":
        settings = {
            "distance_metric": losses.TripletDistanceMetric.COSINE,
            "triplet_margin": recipe.triplet_margin,
        }
    found = getattr(losses, name)(encoder, **settings)
    if not recipe.matryoshka_dims:
        return found
    return losses.MatryoshkaLoss(encoder, found, list(recipe.matryoshka_dims))


def build(
    recipe: Recipe,
    resident: LoadedModel,
    model: Any,
    train: Dataset,
    evaluation: Dataset | DatasetDict | None,
    folder: Path,
    callbacks: list[TrainerCallback],
    chosen: dict[str, Any],
    tell: Tell,
) -> Trainer:
    """A ready trainer of an encoder around `model`, the backbone with its adapter.

    Args:
        chosen: arguments for sentence-transformers' config (`trainers.settings`).
        tell: takes the events of mining, and of rows that cannot be used as they are.
    """
    precision.keep_trained_in_float32(model)
    encoder = text_encoder(model, resident.tokenizer, recipe)
    tell("phase", text="reading the pairs")
    if recipe.num_negatives:
        tell("phase", text=f"mining hard negatives among {len(train):,} pairs")
        train = encoder_rows.mined(recipe, train, encoder, tell)
    train, evaluation = encoder_rows.columns(recipe, train, evaluation, tell)
    encoder_rows.check_duplicates(train, tell)
    _, config_class = OBJECTIVES[recipe.objective].classes()
    held = [evaluation] if isinstance(evaluation, Dataset) else (evaluation or {}).values()
    before = encoder_rows.prompts(recipe, train, *held)
    arguments = config_class(output_dir=str(folder), prompts=before, **chosen)
    if recipe.early_stopping_patience:
        callbacks.append(EarlyStopping(recipe.early_stopping_patience))
    kind = trainer_class()
    trainer = kind.__new__(kind)
    trainer.recipe = recipe
    try:
        trainer.__init__(
            model=encoder,
            args=compat.one_device(arguments, loading.device()),
            train_dataset=train,
            eval_dataset=evaluation,
            loss=loss_of(recipe, encoder),
            callbacks=callbacks,
        )
    except ValueError as error:
        raise TrainingError(f"sentence-transformers cannot start this run: {error}") from error
    return trainer
