"""Export a run as TRL's YAML or as a script, each with the model and the rows.

Same rows in the same order, same seed, same settings: the loss is the studio's, step for step.
Scripts are written by `export_script`.
"""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from studio.core import chat_templates
from studio.core.errors import ConfigError
from studio.core.formatting import one_line
from studio.core.model_names import ModelRef, resolve
from studio.data import DatasetStore
from studio.models import loading
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.runs.store import Run, RunStore
from studio.training import chat_rows, export_script, trainers
from studio.training.train_dataset import rows_for

if TYPE_CHECKING:
    from datasets import Dataset

FORMATS = ("trl", "script", "job")
# What `trl`'s command line can say of an adapter.
_TRL_METHODS = ("lora", "dora", "qlora", "full")


def export(run: Run, runs: RunStore, datasets: DatasetStore, to: str, out: Path) -> list[Path]:
    """Write what is needed to repeat a run elsewhere; the files, the one to start first."""
    recipe = run.recipe
    if to not in FORMATS:
        raise ConfigError(f"--to {to!r} is not known; choose {', '.join(FORMATS)}.")
    if refuse := refusal(recipe, runs, to):
        raise ConfigError(f"{run.name} cannot be exported to {to}: {refuse}.")
    train, evaluation = _as_trained(recipe, *rows_for(recipe, run, datasets))
    settings = trainers.settings(recipe, len(train), evaluation is not None)
    out.mkdir(parents=True, exist_ok=True)
    if to == "job":
        with tempfile.TemporaryDirectory() as held:
            folder = Path(held)
            model = _bring(recipe, train, evaluation, folder)
            return [export_script.write_job(run, recipe, settings, model, folder, runs, out)]
    model = _bring(recipe, train, evaluation, out)
    if to == "trl":
        first = _write_trl(run, recipe, settings, model, out)
    else:
        first = export_script.write_script(run, recipe, settings, model, out, runs)
    return [first, *sorted(path for path in out.rglob("*") if path.is_file() and path != first)]


def refusal(recipe: Recipe, runs: RunStore, to: str) -> str:
    """Why a recipe cannot be written in a format, without its period; empty where it can."""
    if OBJECTIVES[recipe.objective].rewarded:
        return (
            "its rewards are the studio's own, and neither TRL's command line nor a plain script "
            "has them"
        )
    return _refusal_trl(recipe) if to == "trl" else export_script.refusal(recipe, runs)


def _as_trained(
    recipe: Recipe, train: Dataset, evaluation: Dataset | None
) -> tuple[Dataset, Dataset | None]:
    """The rows as the run's trainer took them: chats with their tokens and labels."""
    if not chat_rows.applies(recipe, train):
        return train, evaluation
    own = loading.load_tokenizer(resolve(recipe.model_name_or_path, recipe.model_revision))
    tokenizer = chat_templates.with_chat_template(own, recipe.chat_template_path)
    train = chat_rows.tokenized(recipe, train, tokenizer).rows
    if evaluation is not None:
        evaluation = chat_rows.tokenized(recipe, evaluation, tokenizer).rows
    return train, evaluation


def _bring(recipe: Recipe, train: Dataset, evaluation: Dataset | None, out: Path) -> str:
    """Write the rows as files and a local model beside them; what to load it from."""
    data = out / "data"
    data.mkdir(exist_ok=True)
    train.to_json(data / "train.jsonl", force_ascii=False)
    if evaluation is not None:
        evaluation.to_json(data / "test.jsonl", force_ascii=False)
    return _place_model(recipe, out)


def _place_model(recipe: Recipe, out: Path) -> str:
    """What to load the model from: a Hub id, or a copy of a local model beside the recipe."""
    reference = resolve(recipe.model_name_or_path, recipe.model_revision)
    if reference.kind == "hub":
        return reference.name
    kept = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
    target = out / "model"
    target.mkdir(exist_ok=True)
    for pattern in kept:
        for path in Path(reference.location).glob(pattern):
            shutil.copyfile(path, target / path.name)
    _lend_template(reference, target)
    return "model"


def _lend_template(reference: ModelRef, target: Path) -> None:
    """The tokenizer as the run used it, with the chat template that the studio added, if any."""
    loading.load_tokenizer(reference).save_pretrained(target)


# --- TRL's own YAML


def _refusal_trl(recipe: Recipe) -> str:
    objective = OBJECTIVES[recipe.objective]
    if objective.trl is None:
        return f"TRL's command line has no {objective.label}; choose --to script"
    if recipe.start_from:
        return "TRL's command line cannot start from an adapter; choose --to script"
    if recipe.method not in _TRL_METHODS:
        label = METHODS[recipe.method].label
        return f"TRL's command line knows no {label}; choose --to script"
    if recipe.rank_pattern or recipe.alpha_pattern or recipe.layers_to_transform:
        return "TRL's command line has no ranks or layers by name; choose --to script"
    if recipe.loraplus_lr_ratio:
        return "TRL's command line knows no LoRA+"
    return ""


def _write_trl(run: Run, recipe: Recipe, settings: dict[str, Any], model: str, out: Path) -> Path:
    values: dict[str, Any] = {
        "model_name_or_path": model,
        "model_revision": recipe.model_revision,
        "dtype": loading.dtype_name(recipe.dtype),
        "dataset_name": "data",
        "output_dir": "result",
        "use_peft": recipe.uses_adapter,
    }
    if recipe.attn_implementation:
        values["attn_implementation"] = recipe.attn_implementation
    if recipe.uses_adapter:
        targets = recipe.lora_target_modules
        values |= {
            "lora_r": recipe.lora_r,
            "lora_alpha": recipe.lora_alpha,
            "lora_dropout": recipe.lora_dropout,
            "use_rslora": recipe.use_rslora,
            "use_dora": recipe.method == "dora",
            "lora_target_modules": list(targets) if isinstance(targets, tuple) else targets,
            "lora_modules_to_save": list(recipe.lora_modules_to_save) or None,
            "lora_task_type": "SEQ_CLS" if recipe.objective == "reward" else "CAUSAL_LM",
        }
    if recipe.quantized:
        values |= {
            "load_in_4bit": not recipe.load_in_8bit,
            "load_in_8bit": recipe.load_in_8bit,
            "bnb_4bit_quant_type": recipe.bnb_4bit_quant_type,
            "use_bnb_nested_quant": recipe.use_bnb_nested_quant,
        }
    values |= settings
    text = yaml.safe_dump(
        {key: value for key, value in values.items() if value is not None}, sort_keys=False
    )
    path = out / "recipe.yaml"
    command = f"trl {OBJECTIVES[recipe.objective].trl} --config recipe.yaml"
    path.write_text(
        f"# {one_line(run.name)}. In this folder, with trl=={version('trl')} and "
        f"peft=={version('peft')}:\n"
        f"#   {command}\n{text}",
        encoding="utf-8",
    )
    return path
