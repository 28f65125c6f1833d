"""The teacher of a distillation: a finished run or a model, beside the student in memory.

Imports torch; for the worker's thread, but for `check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from studio.core.errors import ConfigError, StudioError, TrainingError
from studio.core.model_names import resolve
from studio.runs.methods import METHODS
from studio.runs.objectives import GENERATING
from studio.runs.recipe import Recipe

if TYPE_CHECKING:
    from studio.core.library_types import LanguageModel
    from studio.models.pool import ModelPool
    from studio.runs.store import Run, RunStore


def named(recipe: Recipe, runs: RunStore) -> tuple[Run | None, str]:
    """The run that a recipe's teacher is (None for a plain model), and its model's name."""
    name = recipe.teacher_model_name_or_path or ""
    try:
        run = runs.get(name)
    except StudioError:
        return None, name
    return run, run.model


def check(recipe: Recipe, runs: RunStore) -> None:
    """Refuse a teacher that cannot teach this student, before any weights are read.

    The loss compares whole distributions over the next token, so both must have the same tokens
    under the same ids. Reads both tokenizers; raises `ConfigError`.
    """
    from studio.models.loading import config_of, load_tokenizer

    run, model = named(recipe, runs)
    if run is not None:
        if run.objective not in GENERATING:
            what = "a reward model" if run.objective == "reward" else "a text encoder"
            raise ConfigError(f"{run.name} is {what}; a teacher writes answers.")
        if run.adapter is None and run.weights is None:
            raise ConfigError(f"The teacher {run.name} has no weights yet; it is {run.state}.")
        if METHODS[run.method].prompted or run.method == "llama_adapter":
            label = METHODS[run.method].label
            raise ConfigError(
                f"The teacher {run.name} is a {label} run, and TRL's loss reads a model without "
                "its virtual tokens; choose a teacher trained with LoRA or in full."
            )
    pair = resolve(model), resolve(recipe.model_name_or_path, recipe.model_revision)
    one, other = (load_tokenizer(reference).get_vocab() for reference in pair)
    sizes = [config_of(reference).get_text_config().vocab_size for reference in pair]
    differ = _conflicts(one, other)
    if differ or sizes[0] != sizes[1]:
        raise ConfigError(
            f"The teacher {recipe.teacher_model_name_or_path} and the student "
            f"{recipe.model_name_or_path} have other vocabularies: {sizes[0]:,} and {sizes[1]:,} "
            f"rows, and {differ:,} tokens under other ids. Distillation compares token by token; "
            "choose two models of one family."
        )


def _conflicts(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    """Tokens whose id is another token's on the other side; a mark that one side alone has, such
    as a padding token added on loading, is none."""
    taken = {at: token for token, at in other.items()}
    return sum(
        other.get(token, at) != at or taken.get(at, token) != token for token, at in one.items()
    )


def load(recipe: Recipe, pool: ModelPool, runs: RunStore) -> LanguageModel:
    """The teacher, frozen. In 4 bits where the recipe says so, by default on CUDA."""
    from studio.models import loading

    run, model = named(recipe, runs)
    if run is not None and run.weights is not None:
        resident = pool.of_folder(run.weights, run.name)
        found = loading.clone_sharing_weights(resident.model)
    else:
        own = run.recipe if run else Recipe.defaults(model_name_or_path=model, dtype=recipe.dtype)
        four = recipe.teacher_load_in_4bit
        if loading.device().type == "cuda" if four is None else four:
            own = own.with_(load_in_4bit=True, load_in_8bit=False)
        resident = pool.base_of(own, runs)
        if run is not None and run.base not in ("", resident.fingerprint) and "+" not in run.base:
            raise TrainingError(
                f"The teacher {run.name} was trained on other weights than {run.model} holds now."
            )
        found = loading.clone_sharing_weights(resident.model)
        if run is not None and run.adapter is not None:
            # TRL's loss runs the model inside PEFT's wrapper, where the adapter's layers are.
            found = loading.load_adapter(found, run.adapter).get_base_model()
    pool.pin(resident)
    return found.eval().requires_grad_(False)
