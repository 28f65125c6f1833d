"""What is refused before a run is queued, and what a run takes over from the one it continues."""

from __future__ import annotations

from studio.core import cards, chat_templates
from studio.core.errors import ConfigError
from studio.core.model_names import resolve
from studio.engine.worker import Worker
from studio.runs import reward_runs
from studio.runs.lineage import parent_adapter
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.runs.store import Run, RunStore
from studio.training.online_rl import check_vllm

_ADAPTERS_OWN = ("trainable_token_indices", "train_embeddings_and_norms", "lora_modules_to_save")
"""What an adapter that is trained on keeps as it was."""


def check_model(recipe: Recipe) -> None:
    """Refuse a model or template that is none here. Raises `ModelError` or `ConfigError`."""
    resolve(recipe.model_name_or_path)
    if recipe.chat_template_path:
        chat_templates.read(recipe.chat_template_path)


def check_teacher(recipe: Recipe, worker: Worker, runs: RunStore) -> None:
    """Refuse a teacher that cannot teach the recipe's model."""
    if OBJECTIVES[recipe.objective].teacher:
        worker.settle()
        from studio.models import teacher

        teacher.check(recipe, runs)


def check_rewards(recipe: Recipe, runs: RunStore) -> Recipe:
    """The recipe with its reward runs by id; refuses a judge that is none here."""
    from studio.generation.judge_reward import named_column
    from studio.rewards import parse

    recipe = reward_runs.check_rewards(recipe, runs)
    for part in parse(recipe.reward_funcs):
        if part.judge:
            column = named_column(part.judge, runs)
            if not column.endpoint:
                resolve(column.model)
    return recipe


def check_here(recipe: Recipe, worker: Worker) -> None:
    """Refuse what this machine does not have: vLLM, or the GPU that was chosen."""
    check_vllm(recipe)
    if recipe.device is not None and worker.ready:
        cards.choose(recipe.device)


def continued(recipe: Recipe, runs: RunStore) -> Recipe:
    """The recipe with what its parent's result asks for, where it starts from a run."""
    if not recipe.start_from:
        return recipe
    parent = runs.get(recipe.start_from)
    _check_rope(recipe, parent)
    kept = {name: getattr(parent.recipe, name) for name in _ADAPTERS_OWN}
    recipe = recipe.with_(
        start_from=parent.id,
        chat_template_path=recipe.chat_template_path or parent.recipe.chat_template_path,
        rope_parameters=recipe.rope_parameters or parent.recipe.rope_parameters,
        **(kept if recipe.continues else {}),
    )
    parent_adapter(recipe, runs)
    return recipe


def _check_rope(recipe: Recipe, parent: Run) -> None:
    """Refuse another type of RoPE than the one that the parent learned under."""
    given, before = (one.rope_parameters.get("rope_type") for one in (recipe, parent.recipe))
    if given and before and given != before:
        raise ConfigError(
            f"{parent.name} was trained with a {before} RoPE, which a {given} one would undo. "
            f"Choose rope_type={before}, or leave rope_parameters empty to go on with its own."
        )
