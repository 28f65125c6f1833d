"""The rows of a run with the run's own loss, from the trainer it was trained by. Imports torch.

The trainer is built as for training: rows tokenized, masked and cut as they were, the reference
where there is one. Then the weights that the run ended with (or a checkpoint's) take their place.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from studio.attribution.request import FINAL
from studio.core import chat_templates
from studio.core.errors import ConfigError, DataError, TrainingError
from studio.data import DatasetStore
from studio.models.pool import ModelPool
from studio.runs import launch_configs
from studio.runs.lineage import parent_adapter
from studio.runs.methods import METHODS
from studio.runs.mixture import Drawn, draw
from studio.runs.recipe import Recipe
from studio.runs.store import Run, RunStore
from studio.training import chat_rows, trainers
from studio.training.chat_rows import Tokenized
from studio.training.run_rows import Part, RunRows
from studio.training.train_dataset import datasets_of, rows_for

if TYPE_CHECKING:
    from datasets import Dataset

_PART, _ROW = "attribution_part", "attribution_row"


@dataclass
class RunLoss:
    """Rows as their trainer takes them; `places` are [rows, 3] as in `index_files`."""

    trainer: Any
    rows: Any
    places: NDArray[np.int32]
    lengths: list[int]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def model(self) -> Any:
        return self.trainer.model

    @property
    def batch_size(self) -> int:
        return int(self.trainer.args.per_device_train_batch_size)

    def loss(self, at: list[int]) -> Tensor:
        """The run's loss on rows as one batch."""
        batch = self.trainer.data_collator([self.rows[one] for one in at])
        device = self.trainer.args.device
        batch = {
            name: one.to(device) if isinstance(one, Tensor) else one for name, one in batch.items()
        }
        with self.trainer.compute_loss_context_manager():
            return self.trainer.compute_loss(self.trainer.model, batch)

    def load(self, run: Run, point: int) -> None:
        """Take the weights of a checkpoint, or of the run's result."""
        folder = run.adapter or run.weights
        if point != FINAL:
            folder = run.checkpoints / f"checkpoint-{point}"
        if folder is None:
            raise ConfigError(f"{run.name} has no result to ask about; it is {run.state}.")
        _load(self.model, folder, run.recipe.uses_adapter)


def check_rows(run: Run, datasets: DatasetStore) -> None:
    """Raise a `DataError` where the rows that a run was trained on are gone or have changed."""
    mixed = run.provenance.get("blend", {}).get("of", ())
    if len(mixed) > 1:  # an average of one run's checkpoints learned from that run's rows
        names = " or ".join(one["name"] for one in mixed)
        raise DataError(f"{run.name} is a blend and learned from no rows itself; ask {names}.")
    recorded = run.data.get("datasets") or [run.data]
    try:
        found = datasets_of(run.recipe, run, datasets)
    except DataError as gone:
        raise DataError(
            f"The rows of {run.name} are gone, so nothing can be traced: {gone}"
        ) from gone
    for one, kept in zip(found, recorded, strict=True):
        if kept.get("fingerprint") and one.fingerprint != kept["fingerprint"]:
            raise DataError(
                f"{one.name} holds other rows now than {run.name} was trained on, so they did not "
                "teach it; prepare the old ones again, or train anew."
            )


def recipe_for_rows(run: Run) -> Recipe:
    """The run's recipe, with each row a sequence of its own, in one process on one device."""
    recipe = run.recipe
    changes: dict[str, Any] = {
        "packing": False,
        "accelerate_config": launch_configs.SINGLE,
        "load_best_model_at_end": False,
        "early_stopping_patience": None,
        "report_to": (),
        "activation_checkpointing": False,
        "activation_offloading": False,
        "neftune_noise_alpha": None,
    }
    if METHODS[recipe.method].moves_base:  # its result is a plain LoRA on the base as it was
        from peft import PeftConfig

        kept = cast(Any, PeftConfig.from_pretrained(str(run.adapter)))
        changes |= {"method": "lora", "lora_r": kept.r, "lora_alpha": round(kept.lora_alpha)}
    known = {name: value for name, value in changes.items() if name in type(recipe).model_fields}
    return recipe.with_(**known)


def made(
    run: Run, runs: RunStore, datasets: DatasetStore, pool: ModelPool, held_out: bool = False
) -> RunLoss:
    """A run's training rows with its loss, or its held-out rows.

    Raises a `DataError` where the rows are gone or changed, a `TrainingError` where the base is.
    """
    check_rows(run, datasets)
    recipe = recipe_for_rows(run)
    resident = pool.base_of(run.recipe, runs)
    if run.base and run.base != resident.fingerprint:
        raise TrainingError(
            f"{run.model} no longer has the weights that {run.name} was trained on, so its rows "
            "cannot be traced."
        )
    tokenizer = chat_templates.with_chat_template(resident.tokenizer, recipe.chat_template_path)
    resident = replace(resident, tokenizer=tokenizer)
    rows = rows_for(run.recipe, run, datasets)
    origins = _origins(run, datasets) if not held_out else {}
    numbers = {part.name: at for at, part in enumerate(rows.parts)}
    rows = _held_out(rows) if held_out else rows
    given = rows.mixed(partial(_encoded, recipe, tokenizer, numbers, origins, rows.several))
    with tempfile.TemporaryDirectory() as folder:
        trainer: Any = trainers.build(
            recipe,
            resident,
            parent_adapter(run.recipe, runs),
            given.train,
            None,
            Path(folder) / "checkpoints",
            [],
            runs.workspace.cache / "references",
        )
    return _as_rows(trainer)


def _held_out(rows: RunRows) -> RunRows:
    """The held-out rows in the training rows' place, of every dataset that has some."""
    parts = tuple(
        Part(part.name, part.type, part.test, None) for part in rows.parts if part.test is not None
    )
    if not parts:
        raise DataError(
            "No rows were held out from this run's datasets; prepare them with a test split, or "
            "name other rows to ask for."
        )
    if len(parts) == 1:
        return RunRows(parts)
    sizes = [len(part.train) for part in parts]
    order = np.concatenate([np.arange(size) for size in sizes])
    return RunRows(parts, Drawn(np.repeat(np.arange(len(parts)), sizes), order))


def _origins(run: Run, datasets: DatasetStore) -> dict[int, NDArray[Any]]:
    """For each dataset of a mixture the rows that are drawn from it, in order."""
    if not run.recipe.datasets:
        return {}
    prepared = datasets_of(run.recipe, run, datasets)
    drawn = draw(run.recipe, [dataset.rows.get("train", 0) for dataset in prepared])
    return {at: np.unique(drawn.row[drawn.part == at]) for at in range(len(prepared))}


def _encoded(
    recipe: Recipe,
    tokenizer: Any,
    numbers: dict[str, int],
    origins: dict[int, NDArray[Any]],
    several: bool,
    part: Part,
    rows: Dataset,
    split: str,
) -> Tokenized:
    """Rows as the trainer takes them, with where each comes from in two further columns."""
    done = chat_rows.tokenized(recipe, rows, tokenizer, part.type if several else None)
    kept = [at for at in range(len(rows)) if at not in done.refused]
    number = numbers[part.name]
    places = [int(origins[number][at]) for at in kept] if number in origins else kept
    marked: Any = done.rows
    marked = marked.add_column(_PART, [number] * len(kept)).add_column(_ROW, places)
    return replace(done, rows=marked)


def _as_rows(trainer: Any) -> RunLoss:
    rows = trainer.train_dataset
    places = np.zeros((len(rows), 3), np.int32)
    places[:, 0], places[:, 1] = rows[_PART], rows[_ROW]
    if "label" in rows.column_names:  # KTO's: of a pair, or labeled good and bad
        places[:, 2] = [0 if good else 1 for good in rows["label"]]
    rows = rows.remove_columns([_PART, _ROW])
    collator = trainer.data_collator
    if hasattr(collator, "flat"):  # rows end to end could not be told apart
        collator.flat = collator.varlen = False
    return RunLoss(trainer, rows, places, _lengths(rows))


def _lengths(rows: Any) -> list[int]:
    """Tokens of each row, for batches of like lengths."""
    names = [name for name in rows.column_names if name.endswith("_ids")]
    columns = [[len(one or ()) for one in rows[name]] for name in names]
    return [sum(lengths) for lengths in zip(*columns, strict=True)]


def _load(model: Any, folder: Path, adapter: bool) -> None:
    """Weights from a folder into a model of the same making."""
    if not adapter:
        from safetensors.torch import load_file

        for file in sorted(folder.glob("*.safetensors")):
            model.load_state_dict(load_file(file, str(model.device)), strict=False)
        return
    from peft import PeftConfig, load_peft_weights, set_peft_model_state_dict

    kept = cast(Any, PeftConfig.from_pretrained(str(folder)))
    if getattr(kept, "rank_pattern", None):  # AdaLoRA's, as it was pruned
        model.peft_config["default"].rank_pattern = kept.rank_pattern
    weights = load_peft_weights(str(folder), device=str(model.device))
    with torch.no_grad():
        set_peft_model_state_dict(model, weights, adapter_name="default")
