"""A run without the studio: TRL's own YAML, or a short script, each with the model and the rows.

Same rows in the same order, same seed, same settings: the loss is the studio's, step for step.
"""

from __future__ import annotations

import pprint
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from studio.data import DatasetStore
from studio.errors import ConfigError
from studio.models import loading
from studio.models.catalog import ModelRef, resolve
from studio.recipe import Recipe
from studio.training import trainers
from studio.training.methods import METHODS, peft_kwargs
from studio.training.objectives import OBJECTIVES
from studio.training.rows import rows_for
from studio.training.runs import Run, RunStore

FORMATS = ("trl", "script")
_PINNED = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")
# What `trl`'s command line can say of an adapter.
_TRL_METHODS = ("lora", "dora", "qlora", "full")
# What needs more than a few plain lines.
_STUDIO_ONLY = ("loftq", "adalora", "llama_adapter")


def export(run: Run, runs: RunStore, datasets: DatasetStore, to: str, out: Path) -> list[Path]:
    """Write what is needed to repeat a run elsewhere; the files, the one to start first."""
    recipe = run.recipe
    if to not in FORMATS:
        raise ConfigError(f"--to {to!r} is not known; choose {' or '.join(FORMATS)}.")
    if OBJECTIVES[recipe.objective].rewarded:
        raise ConfigError(
            f"{run.name} cannot be exported: its rewards are the studio's own, and neither TRL's "
            "command line nor a plain script has them."
        )
    refuse = _refusal_trl(recipe) if to == "trl" else _refusal_script(recipe, runs)
    if refuse:
        raise ConfigError(f"{run.name} cannot be exported to {to}: {refuse}.")
    train, evaluation = rows_for(recipe, run, datasets)
    data = out / "data"
    data.mkdir(parents=True, exist_ok=True)
    train.to_json(data / "train.jsonl", force_ascii=False)
    if evaluation is not None:
        evaluation.to_json(data / "test.jsonl", force_ascii=False)
    model = _place_model(recipe, out)
    settings = trainers.settings(recipe, len(train), evaluation is not None)
    if to == "trl":
        first = _write_trl(run, recipe, settings, model, out)
    else:
        first = _write_script(run, recipe, settings, model, out, runs)
    return [first, *sorted(path for path in out.rglob("*") if path.is_file() and path != first)]


def _place_model(recipe: Recipe, out: Path) -> str:
    """What to load: a Hub id as it is, a local model as a copy beside the recipe."""
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
    """The tokenizer as the run used it, with the template that the studio lent it, if it did."""
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


def _write_trl(
    run: Run, recipe: Recipe, settings: dict[str, Any], model: str, out: Path
) -> Path:  # fmt: skip
    values: dict[str, Any] = {
        "model_name_or_path": model,
        "model_revision": recipe.model_revision,
        "dtype": _dtype(recipe),
        "dataset_name": "data",
        "output_dir": "result",
        "use_peft": recipe.uses_adapter,
    }
    if recipe.attn_implementation:
        values["attn_implementation"] = recipe.attn_implementation
    if recipe.uses_adapter:
        targets = recipe.lora_target_modules
        values |= {
            "lora_r": recipe.lora_r, "lora_alpha": recipe.lora_alpha,
            "lora_dropout": recipe.lora_dropout, "use_rslora": recipe.use_rslora,
            "use_dora": recipe.method == "dora",
            "lora_target_modules": list(targets) if isinstance(targets, tuple) else targets,
            "lora_modules_to_save": list(recipe.lora_modules_to_save) or None,
            "lora_task_type": "SEQ_CLS" if recipe.objective == "reward" else "CAUSAL_LM",
        }  # fmt: skip
    if recipe.quantized:
        values |= {
            "load_in_4bit": not recipe.load_in_8bit, "load_in_8bit": recipe.load_in_8bit,
            "bnb_4bit_quant_type": recipe.bnb_4bit_quant_type,
            "use_bnb_nested_quant": recipe.use_bnb_nested_quant,
        }  # fmt: skip
    values |= settings
    text = yaml.safe_dump(
        {key: value for key, value in values.items() if value is not None}, sort_keys=False
    )
    path = out / "recipe.yaml"
    command = f"trl {OBJECTIVES[recipe.objective].trl} --config recipe.yaml"
    path.write_text(
        f"# {run.name}. In this folder, with trl=={version('trl')} and peft=={version('peft')}:\n"
        f"#   {command}\n{text}",
        encoding="utf-8",
    )
    return path


def _dtype(recipe: Recipe) -> str:
    return str(loading.weights_dtype(recipe.dtype)).removeprefix("torch.")


# --- a script


def _refusal_script(recipe: Recipe, runs: RunStore) -> str:
    beyond = recipe.loraplus_lr_ratio or recipe.ephemeral_gpu_offload
    if recipe.method in _STUDIO_ONLY or beyond:
        return "its method needs more than a few plain lines"
    if recipe.start_from:
        parent = runs.get(recipe.start_from)
        if parent.adapter is None or (parent.parent and "+" in parent.base):
            return f"it starts from {parent.name}, which is no plain adapter on the base"
    return ""


def _write_script(
    run: Run, recipe: Recipe, settings: dict[str, Any], model: str, out: Path, runs: RunStore
) -> Path:
    objective = OBJECTIVES[recipe.objective]
    if recipe.start_from:
        parent = runs.get(recipe.start_from)
        shutil.copytree(parent.adapter or parent.folder, out / "start", dirs_exist_ok=True)
    pins = [f"{name}=={version(name).partition('+')[0]}" for name in (*_PINNED, *_extra(recipe))]
    needed = "\n".join(f'#     "{pin}",' for pin in pins)
    body = _SCRIPT.format(
        needed=needed, name=run.name, label=objective.label, method=METHODS[recipe.method].label,
        imports="\n".join(_imports(recipe)), model=_model_lines(recipe, model),
        test='data.get("test")', config=objective.config, trainer=objective.trainer,
        settings=_pretty(settings), adapter=_adapter_lines(recipe),
        extra=_reference_line(recipe, model),
    )  # fmt: skip
    path = out / "train.py"
    path.write_text(body, encoding="utf-8")
    return path


_SCRIPT = '''\
# /// script
# requires-python = ">=3.11"
# dependencies = [
{needed}
# ]
# ///
"""{label} with {method}: what the run "{name}" did. In this folder: `uv run train.py`."""

{imports}

{model}
data = load_dataset("data")
config = {config}(
    output_dir="result",
{settings})
{adapter}
trainer = {trainer}(
    model=model,
    args=config,
    train_dataset=data["train"],
    eval_dataset={test},
    processing_class=tokenizer,
    peft_config=adapter,{extra}
)
trainer.train()
trainer.save_model("result")
'''


def _extra(recipe: Recipe) -> tuple[str, ...]:
    return ("bitsandbytes",) if recipe.quantized or "8bit" in recipe.optim else ()


def _imports(recipe: Recipe) -> list[str]:
    objective = OBJECTIVES[recipe.objective]
    auto = "AutoModelForSequenceClassification" if recipe.objective == "reward" else (
        "AutoModelForCausalLM")  # fmt: skip
    more = ", BitsAndBytesConfig" if recipe.quantized else ""
    lines = ["from datasets import load_dataset"]
    peft = [METHODS[recipe.method].config] if recipe.uses_adapter and not recipe.continues else []
    peft += ["PeftModel"] if recipe.start_from else []
    lines += [f"from peft import {', '.join(sorted(peft))}"] if peft else []
    lines.append(f"from transformers import {auto}, AutoTokenizer{more}, set_seed")
    lines.append(f"from {objective.module} import {objective.config}, {objective.trainer}")
    return lines


def _model_lines(recipe: Recipe, model: str) -> str:
    reward = recipe.objective == "reward"
    auto = "AutoModelForSequenceClassification" if reward else "AutoModelForCausalLM"
    given = [repr(model), f'revision="{recipe.model_revision}"', f'dtype="{_dtype(recipe)}"']
    given += ["num_labels=1"] if reward else []
    if recipe.attn_implementation:
        given.append(f"attn_implementation={recipe.attn_implementation!r}")
    if recipe.quantized:
        from studio.models.pool import quantization

        bits = {**(quantization(recipe) or {}), "bnb_4bit_compute_dtype": _dtype(recipe)}
        plain = ", ".join(f"{key}={value!r}" for key, value in bits.items())
        given.append(f"quantization_config=BitsAndBytesConfig({plain})")
    lines = [
        f"set_seed({recipe.seed})",
        f'tokenizer = AutoTokenizer.from_pretrained({model!r}, revision="{recipe.model_revision}")',
        "tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token",
        f"model = {auto}.from_pretrained(\n    " + ",\n    ".join(given) + ",\n)",
    ]
    if recipe.start_from:
        lines.append(
            'model = PeftModel.from_pretrained(model, "start", is_trainable=True)'
            if recipe.continues
            else 'model = PeftModel.from_pretrained(model, "start").merge_and_unload()'
        )
    if recipe.method == "last_layers":
        lines += [
            "model.requires_grad_(False)",
            f"model.base_model.layers[-{recipe.num_trainable_layers}:].requires_grad_(True)",
        ]
    return "\n".join(lines)


def _adapter_lines(recipe: Recipe) -> str:
    if not recipe.uses_adapter or recipe.continues:
        return "adapter = None"
    # The tokenizer is the model's own, wherever that lies.
    kwargs = peft_kwargs(recipe, tokenizer="model")
    return f"adapter = {METHODS[recipe.method].config}(\n{_pretty(kwargs)})"


def _reference_line(recipe: Recipe, model: str) -> str:
    """A reference of its own where the trainer could not recover it from the model it trains."""
    method = METHODS[recipe.method]
    if not OBJECTIVES[recipe.objective].reference or (method.adapter and not method.moves_base):
        return ""
    loaded = f'AutoModelForCausalLM.from_pretrained({model!r}, dtype="{_dtype(recipe)}")'
    return f"\n    ref_model={loaded},"


def _pretty(values: dict[str, Any]) -> str:
    return "".join(
        f"    {key}={pprint.pformat(value, width=88)},\n"
        for key, value in values.items()
        if value is not None
    )
