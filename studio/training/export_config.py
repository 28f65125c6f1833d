"""Export a run as TRL's YAML or as a script, each with the model and the rows.

Same rows in the same order, same seed, same settings: the loss is the studio's, step for step.
Scripts are written by `export_script`.
"""

from __future__ import annotations

import json
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
from studio.data.rows import sample_prompts
from studio.models import loading, trained_tokens
from studio.models.tokenization import prompt_text
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.runs.steps import planned_steps
from studio.runs.store import Run, RunStore
from studio.training import chat_rows, export_launch, export_script, trainers
from studio.training.run_rows import Mixed, Part, RunRows, aligned
from studio.training.train_dataset import rows_for, sample_every

if TYPE_CHECKING:
    from datasets import Dataset

FORMATS = ("trl", "script", "launch", "job")
# What `trl`'s command line can say of an adapter.
_TRL_METHODS = ("lora", "dora", "qlora", "full")
_ABOUT_MIXTURES = """\
# The rows of each dataset are those that were drawn, so no fraction is left to apply. TRL evaluates
# no held-out rows of `datasets`; with dropout, losses after the run's first evaluation differ.
"""


def export(
    run: Run,
    runs: RunStore,
    datasets: DatasetStore,
    to: str,
    out: Path,
    machines: int | None = None,
) -> list[Path]:
    """Write what is needed to repeat a run elsewhere; the files, the one to start first.

    `machines` is how many a launch export is for, the run's own number where it is None.
    """
    recipe = run.recipe
    if to not in FORMATS:
        raise ConfigError(f"--to {to!r} is not known; choose {', '.join(FORMATS)}.")
    if to == "launch":
        return _export_launch(run, export_launch.recipe_for(run, machines), datasets, out)
    if machines is not None:
        raise ConfigError(f"num_machines is for --to launch; --to {to} is for one machine.")
    if refuse := refusal(recipe, runs, to):
        raise ConfigError(f"{run.name} cannot be exported to {to}: {refuse}.")
    if recipe.trainable_token_indices:
        reference = resolve(recipe.model_name_or_path, recipe.model_revision)
        recipe = trained_tokens.by_id(recipe, loading.load_tokenizer(reference))
    mixed, names = _as_trained(recipe, rows_for(recipe, run, datasets))
    settings = trainers.settings(recipe, len(mixed.train), mixed.evaluation is not None)
    out.mkdir(parents=True, exist_ok=True)
    train, evaluation = mixed.train, _one_set(mixed)
    if to == "job":
        with tempfile.TemporaryDirectory() as held:
            folder = Path(held)
            model = _bring(recipe, train, evaluation, folder)
            _bring_samples(recipe, rows_for(recipe, run, datasets), folder)
            return [export_script.write_job(run, recipe, settings, model, folder, runs, out)]
    if to == "trl":
        if recipe.datasets:
            model, parts = _place_model(recipe, out), _bring_parts(recipe, mixed, names, out)
            settings |= parts | {"eval_strategy": "no"}
        else:
            model = _bring(recipe, train, evaluation, out)
        first = _write_trl(run, recipe, settings, model, out)
    else:
        model = _bring(recipe, train, evaluation, out)
        first = export_script.write_script(run, recipe, settings, model, out, runs)
    return [first, *_others(out, first)]


def refusal(recipe: Recipe, runs: RunStore, to: str) -> str:
    """Why a recipe cannot be written in a format, without its period; empty where it can."""
    if OBJECTIVES[recipe.objective].embeds:
        return "its trainer is sentence-transformers', and TRL's command line has none of it"
    if OBJECTIVES[recipe.objective].teacher:
        return "its teacher is loaded by the studio; TRL's own example is in its documentation"
    if OBJECTIVES[recipe.objective].rewarded:
        return (
            "its rewards are the studio's own, and neither TRL's command line nor a plain script "
            "has them"
        )
    return _refusal_trl(recipe) if to == "trl" else export_script.refusal(recipe, runs)


def _export_launch(run: Run, recipe: Recipe, datasets: DatasetStore, out: Path) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    model = _place_model(recipe, out)
    name = f"./{model}" if (out / model).is_dir() else model
    first = export_launch.write(run, recipe, name, datasets, out)
    return [first, *_others(out, first)]


def _others(out: Path, first: Path) -> list[Path]:
    return sorted(path for path in out.rglob("*") if path.is_file() and path != first)


def _as_trained(recipe: Recipe, rows: RunRows) -> tuple[Mixed, list[str]]:
    """The rows as the run's trainer took them, chats with their tokens and labels; the names of
    the datasets."""
    names = [part.name for part in rows.parts]
    several = rows.several and recipe.objective == "sft"
    if not several and not chat_rows.applies(recipe, rows.parts[0].train):
        return rows.mixed(lambda part, data, split: chat_rows.Tokenized(data, {}, {})), names
    own = loading.load_tokenizer(resolve(recipe.model_name_or_path, recipe.model_revision))
    tokenizer = chat_templates.with_chat_template(own, recipe.chat_template_path)

    def encode(part: Part, data: Dataset, split: str) -> chat_rows.Tokenized:
        return chat_rows.tokenized(recipe, data, tokenizer, part.type if several else None)

    return rows.mixed(encode), names


def _one_set(mixed: Mixed) -> Dataset | None:
    """The held-out rows of all datasets together: plain TRL then reports the `eval_loss` that a
    best checkpoint is chosen by."""
    from datasets import DatasetDict, concatenate_datasets

    held_out = mixed.evaluation
    if not isinstance(held_out, DatasetDict):
        return held_out
    return concatenate_datasets(aligned(list(held_out.values()), [str(name) for name in held_out]))


def _bring_parts(recipe: Recipe, mixed: Mixed, names: list[str], out: Path) -> dict[str, Any]:
    """Write a mixture's rows, a folder per dataset where they stand one after the other; TRL's
    `datasets` for its YAML."""
    interleaved = recipe.mixture == "interleave"
    counts = (len(mixed.train),) if interleaved else mixed.counts
    start, found = 0, []
    for name, count in zip(["mixture"] if interleaved else names, counts, strict=True):
        folder = out / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        rows = mixed.train.select(range(start, start + count))
        rows.to_json(folder / "train.jsonl", force_ascii=False)
        found.append({"path": f"data/{name}", "split": "train"})
        start += count
    return {"datasets": found}


def _bring(recipe: Recipe, train: Dataset, evaluation: Dataset | None, out: Path) -> str:
    """Write the rows as files and a local model beside them; what to load it from."""
    data = out / "data"
    data.mkdir(exist_ok=True)
    train.to_json(data / "train.jsonl", force_ascii=False)
    if evaluation is not None:
        evaluation.to_json(data / "test.jsonl", force_ascii=False)
    return _place_model(recipe, out)


def _bring_samples(recipe: Recipe, rows: RunRows, out: Path) -> None:
    """The prompts that a job asks the model in training, as the model is given them."""
    every = sample_every(recipe, planned_steps(recipe, sum(len(part.train) for part in rows.parts)))
    if not every or not OBJECTIVES[recipe.objective].answers:
        return
    own = loading.load_tokenizer(resolve(recipe.model_name_or_path, recipe.model_revision))
    tokenizer = chat_templates.with_chat_template(own, recipe.chat_template_path)
    prompts = sample_prompts(rows.samples())
    asked = [
        {
            "prompt": one if isinstance(one, str) else one[-1]["content"],
            "text": prompt_text(tokenizer, one, isinstance(one, str), recipe.chat_template_kwargs),
        }
        for one in prompts
    ]
    (out / "samples.json").write_text(
        json.dumps({"every": every, "asked": asked}), encoding="utf-8"
    )


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
    if recipe.datasets and recipe.load_best_model_at_end:
        return (
            "TRL's command line has no held-out rows for several datasets, which "
            "load_best_model_at_end needs; choose --to script"
        )
    if recipe.trainable_token_indices:
        return "TRL's command line trains no single tokens; choose --to script"
    if recipe.shifted_attention:
        return "shifted_attention is the studio's own, which TRL's command line lacks"
    if recipe.train_embeddings_and_norms:
        return "TRL's command line ties no head to a trained embedding; choose --to script"
    if recipe.loraplus_lr_ratio:
        return "TRL's command line knows no LoRA+"
    return ""


def _write_trl(run: Run, recipe: Recipe, settings: dict[str, Any], model: str, out: Path) -> Path:
    values: dict[str, Any] = {
        "model_name_or_path": model,
        "model_revision": recipe.model_revision,
        "dtype": loading.dtype_name(recipe.dtype),
        "dataset_name": None if recipe.datasets else "data",
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
            "lora_target_parameters": list(recipe.lora_target_parameters) or None,
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
    if recipe.rope_parameters:
        reference = resolve(recipe.model_name_or_path, recipe.model_revision)
        values["model_init_kwargs"] = loading.scaled_config(reference, recipe.rope_parameters)
    text = yaml.safe_dump(
        {key: value for key, value in values.items() if value is not None}, sort_keys=False
    )
    path = out / "recipe.yaml"
    command = f"trl {OBJECTIVES[recipe.objective].trl} --config recipe.yaml"
    path.write_text(
        f"# {one_line(run.name)}. In this folder, with trl=={version('trl')} and "
        f"peft=={version('peft')}:\n"
        f"#   {command}\n{_ABOUT_MIXTURES if recipe.datasets else ''}{text}",
        encoding="utf-8",
    )
    return path
