"""From columns to models: which weights and which adapter answer for each, and who goes together.

Columns of one base share its one resident copy. Those that PEFT can mix in one batch (the base and
plain LoRA) form one group, the others a group each. A group is made ready only when its turn comes,
so that never more models are held than the pool allows. Runs in the worker's thread.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio.core import chat_templates
from studio.core.errors import ConfigError, ModelError, StudioError
from studio.generation.request import LIVE, Column, Sampling
from studio.models.pool import LoadedModel, ModelPool, adapts_stacks
from studio.runs import checkpoints
from studio.runs.methods import METHODS
from studio.runs.recipe import Recipe
from studio.runs.store import Run, RunStore


@dataclass(frozen=True)
class ColumnPlan:
    """A column before anything is loaded: its run and recipe, and what it can share."""

    index: int
    column: Column
    sampling: Sampling
    run: Run | None
    recipe: Recipe | None
    weights: tuple[Any, ...]
    """Equal for columns that use the same copy of weights."""
    mixable: bool


@dataclass
class ColumnModel:
    """A column ready to answer: where its weights are and which adapter it uses."""

    index: int
    resident: LoadedModel
    adapter: str | None
    mixable: bool
    sampling: Sampling
    tokenizer: Any
    """The resident's, with the chat template that the column's run was trained with."""
    living: Any = None
    """The model in training, for the run in progress."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The recipe's `chat_template_kwargs`; a base takes its neighbour's, to be asked alike."""
    prompted: bool = False
    """Virtual tokens stand before the row, padding included: its rows must not be padded."""

    @property
    def module(self) -> Any:
        """The modules that answer, whichever of their adapters is in use."""
        if self.living is not None:
            return self.living
        return self.resident.adapted(self.adapter) if self.adapter else self.resident.model

    @contextlib.contextmanager
    def model(self) -> Iterator[Any]:
        """The model with this column's adapter in use, left as it was afterwards."""
        if self.living is not None:
            was_training = self.living.training
            self.living.eval()
            try:
                yield self.living
            finally:
                self.living.train(was_training)
        elif self.adapter:
            view = self.module
            view.set_adapter(self.adapter)
            yield view
        else:
            yield self.resident.model


def plans(
    columns: tuple[Column, ...], sampling: Sampling, runs: RunStore
) -> tuple[list[ColumnPlan], dict[int, str]]:
    """Every column of this machine that can be planned, and a sentence for each that cannot."""
    found: dict[int, Run] = {}
    wrong: dict[int, str] = {}
    recipes: dict[str, Recipe] = {}
    for index, column in enumerate(columns):
        if column.run:
            try:
                found[index] = runs.get(column.run)
                recipe = found[index].recipe
            except StudioError as error:
                wrong[index] = str(error)
                continue
            # A base beside a tuned neighbour is held in the neighbour's precision: one copy. It
            # reads no further than it did.
            plain = recipe.model_copy(update={"rope_parameters": {}})
            recipes.setdefault(recipe.model_name_or_path, plain)
    planned = [
        _plan(index, column, column.sampling or sampling, found.get(index), recipes)
        for index, column in enumerate(columns)
        if index not in wrong and not column.endpoint
    ]
    return planned, wrong


def _plan(
    index: int, column: Column, sampling: Sampling, run: Run | None, recipes: dict[str, Recipe]
) -> ColumnPlan:
    recipe = run.recipe if run else recipes.get(column.model)
    if recipe is None:
        return ColumnPlan(index, column, sampling, None, None, (column.model,), True)
    if run is not None and not recipe.uses_adapter:
        return ColumnPlan(
            index, column, sampling, run, recipe, ("own", run.id, column.checkpoint), False
        )
    weights = (
        recipe.model_name_or_path,
        recipe.model_revision,
        recipe.dtype,
        recipe.quantized,
        recipe.attn_implementation,
        tuple(recipe.rope_parameters.items()),
        recipe.start_from if recipe.start_from and not recipe.continues else None,
    )
    mixable = run is None or (column.checkpoint != LIVE and _mixes(run, recipe))
    return ColumnPlan(index, column, sampling, run, recipe, weights, mixable)


def _mixes(run: Run, recipe: Recipe) -> bool:
    """Whether PEFT can run its rows beside the base's in one batch."""
    lora = METHODS[recipe.method].config == "LoraConfig" and recipe.method != "dora"
    beside = recipe.lora_modules_to_save or recipe.train_embeddings_and_norms
    alone = (beside, recipe.trainable_token_indices, adapts_stacks(run))
    return lora and not any(alone)


def groups(planned: list[ColumnPlan]) -> list[list[ColumnPlan]]:
    """Plans of one copy of weights, one way of sampling and mixable adapters go together."""
    found: dict[Any, list[ColumnPlan]] = {}
    for plan in planned:
        key = (plan.weights, plan.sampling) if plan.mixable else ("alone", plan.index)
        found.setdefault(key, []).append(plan)
    return list(found.values())


def ready(plan: ColumnPlan, pool: ModelPool, runs: RunStore) -> ColumnModel:
    """Load what a column needs; a StudioError says why it cannot answer."""
    run, recipe = plan.run, plan.recipe
    if recipe is None:
        resident = pool.base(plan.column.model)
        return _column_model(plan, resident, None)
    if run is None:
        return _column_model(plan, pool.base_of(recipe, runs), None)
    if plan.column.checkpoint == LIVE:
        return _living(plan, run, pool, runs)
    folder = None
    if plan.column.checkpoint is not None:
        folder = checkpoint_folder(run, plan.column.checkpoint)
    os.utime(folder or run.folder)  # the library says when something was last used
    if not recipe.uses_adapter:
        weights = folder or run.weights
        if weights is None:
            raise ModelError(f"{run.name} has no weights: it is {run.state}. Finish the run first.")
        return _column_model(plan, pool.of_folder(weights, run.name), None)
    resident = pool.base_of(recipe, runs)
    return _column_model(plan, resident, pool.with_adapter(resident, run, folder))


def _column_model(
    plan: ColumnPlan, resident: LoadedModel, adapter: str | None, living: Any = None
) -> ColumnModel:
    prompted, tokenizer = False, resident.tokenizer
    if plan.run is not None:
        prompted = METHODS[plan.run.method].prompted
        tokenizer = chat_templates.with_chat_template(tokenizer, plan.run.recipe.chat_template_path)
    defaults = plan.recipe.chat_template_kwargs if plan.recipe else {}
    return ColumnModel(
        plan.index,
        resident,
        adapter,
        plan.mixable,
        plan.sampling,
        tokenizer,
        living,
        defaults,
        prompted,
    )


def _living(plan: ColumnPlan, run: Run, pool: ModelPool, runs: RunStore) -> ColumnModel:
    """The run in progress, as of its last step; once it has ended, its result."""
    if pool.training is not None and pool.training[0] == run.id:
        resident = pool.base_of(run.recipe, runs)
        return _column_model(plan, resident, None, pool.training[1])
    if run.live:
        raise ModelError(
            f"{run.name} is not training here right now: it waits, loads, or belongs to another "
            "process. Ask again once its first step is done."
        )
    return ready(replace(plan, column=replace(plan.column, checkpoint=None)), pool, runs)


def checkpoint_folder(run: Run, step: int | str) -> Any:
    """A complete checkpoint of a run by its step; a sentence names the ones there are."""
    steps = checkpoints.steps(run.checkpoints)
    if step not in steps:
        kept = ", ".join(f"{each:,}" for each in steps) or "none"
        raise ConfigError(f"{run.name} has no checkpoint at step {step}; it keeps {kept}.")
    if METHODS[run.method].moves_base:
        raise ConfigError(
            f"A checkpoint of {run.name} cannot stand beside its base: {run.method} moves the "
            "base's weights while it trains. Compare the finished run."
        )
    return run.checkpoints / f"checkpoint-{step}"
