"""A run as one Python script of plain TRL, its files beside it or inside it for a hosted job.

The job's script carries what lies beside the other one as a zip in base64, looks at the machine it
finds itself on, and can push its result, for a hosted machine is gone afterwards.
"""

from __future__ import annotations

import base64
import io
import pprint
import shutil
import textwrap
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from studio.core.errors import ConfigError
from studio.core.formatting import bytes_text, one_line
from studio.core.model_names import resolve
from studio.models import loading
from studio.runs import whole_modules
from studio.runs.defaults import AUTO_OPTIM, optimizer
from studio.runs.methods import METHODS, peft_kwargs
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.runs.store import Run, RunStore

_PINNED = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")
# What needs more than a few plain lines.
_STUDIO_ONLY = ("loftq", "adalora", "llama_adapter")
_MOST_INSIDE = 24_000_000  # bytes of a job's script; beyond that, rows and models belong on the Hub
# What of TRL's settings is this machine's, in the words of a script that looks at its own.
_LOOKED_UP = {
    "use_cpu": "not gpu",
    "bf16": 'dtype == "bfloat16"',
    "fp16": 'dtype == "float16"',
    "tf32": "is_torch_tf32_available() or None",
    "dataloader_pin_memory": "gpu",
}


def refusal(recipe: Recipe, runs: RunStore) -> str:
    beyond = recipe.loraplus_lr_ratio or recipe.ephemeral_gpu_offload
    if recipe.method in _STUDIO_ONLY or beyond:
        return "its method needs more than a few plain lines"
    if recipe.shifted_attention:
        return "shifted_attention is the studio's own; set it to false and train anew"
    if recipe.trainable_token_indices and recipe.continues:
        return "TRL's reference would lack the tokens that its start trained"
    if recipe.start_from:
        parent = runs.get(recipe.start_from)
        if parent.adapter is None or (parent.parent and "+" in parent.base):
            return f"it starts from {parent.name}, which is no plain adapter on the base"
    return ""


def write_script(
    run: Run, recipe: Recipe, settings: dict[str, Any], model: str, out: Path, runs: RunStore
) -> Path:
    """`train.py` in a folder that holds the rows (and the model, where it is a local one)."""
    _bring_start(recipe, out, runs)
    parts = _parts(run, recipe, model, repr(loading.dtype_name(recipe.dtype)))
    path = out / "train.py"
    text = _SCRIPT.format(**parts, settings=_pretty(settings), watch="")
    path.write_text(text, encoding="utf-8")
    return path


def write_job(
    run: Run,
    recipe: Recipe,
    settings: dict[str, Any],
    model: str,
    folder: Path,
    runs: RunStore,
    out: Path,
) -> Path:
    """`job.py`: the script with everything inside that `write_script` has beside it in `folder`."""
    _bring_start(recipe, folder, runs)
    files = _packed(folder)
    if len(files) > _MOST_INSIDE:
        raise ConfigError(
            f"The job's rows and model come to {bytes_text(len(files))}, too much for one script; "
            "put the model on the Hub and name it as model_name_or_path, or choose --to script."
        )
    parts = _parts(run, recipe, model, "dtype")
    looked_up = dict(_LOOKED_UP)
    if recipe.optim == AUTO_OPTIM:
        ways = [repr(optimizer(recipe, device)) for device in ("cuda", "cpu")]
        looked_up["optim"] = f"{ways[0]} if gpu else {ways[1]}" if len({*ways}) > 1 else ways[0]
    own = {key: value for key, value in settings.items() if key not in looked_up}
    known = "".join(f"    {key}={looked_up[key]},\n" for key in settings if key in looked_up)
    watch = "trainer.add_callback(Events())\n"
    steps = _STEPS.format(**parts, settings=_pretty(own) + known, watch=watch)
    parts["imports"] = parts["imports"].replace(", set_seed", ", TrainerCallback, set_seed")
    looked = _AUTO if recipe.dtype == "auto" else f"dtype = {recipe.dtype!r}"
    text = _JOB.format(
        **parts,
        dtype=looked,
        steps=textwrap.indent(steps, "    "),
        files="\n".join(files[at : at + 120] for at in range(0, len(files), 120)),
    )
    path = out / "job.py"
    path.write_text(text, encoding="utf-8")
    return path


def _bring_start(recipe: Recipe, out: Path, runs: RunStore) -> None:
    if recipe.start_from:
        parent = runs.get(recipe.start_from)
        shutil.copytree(parent.adapter or parent.folder, out / "start", dirs_exist_ok=True)


def _parts(run: Run, recipe: Recipe, model: str, dtype: str) -> dict[str, str]:
    """The pieces of either script; `dtype` is code."""
    objective = OBJECTIVES[recipe.objective]
    pins = [f"{name}=={version(name).partition('+')[0]}" for name in (*_PINNED, *_extra(recipe))]
    return {
        "needed": "\n".join(f'#     "{pin}",' for pin in pins),
        "name": _in_docstring(run.name),
        "label": objective.label,
        "method": METHODS[recipe.method].label,
        "imports": "\n".join(_imports(recipe)),
        "model": _model_lines(recipe, model, dtype),
        "config": objective.config,
        "trainer": objective.trainer,
        "adapter": _adapter_lines(recipe),
        "head": _HEAD_LINES if recipe.trainable_token_indices else "",
        "extra": _reference_line(recipe, model, dtype),
    }


def _in_docstring(name: str) -> str:
    """A name as it can stand inside a docstring in double quotes."""
    return one_line(name).replace("\\", "\\\\").replace('"', '\\"')


def _packed(folder: Path) -> str:
    """All files of a folder as a zip in base64."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return base64.b64encode(held.getvalue()).decode()


_HEAD = """\
# /// script
# requires-python = ">=3.11"
# dependencies = [
{needed}
# ]
# ///
"""
_STEPS = """\
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
    eval_dataset=data.get("test"),
    processing_class=tokenizer,
    peft_config=adapter,{extra}
)
{head}# Trained tensors in float32: in 16 bits most updates would be rounded away.
for tensor in trainer.model.parameters():
    if tensor.requires_grad:
        tensor.data = tensor.data.float()
{watch}trainer.train()
trainer.save_model("result")
"""
_HEAD_LINES = """\
# TRL's fused loss head reads a bias, which PEFT's wrapper of a tied head lacks.
head = trainer.model.get_output_embeddings()
if hasattr(head, "token_adapter"):
    head.bias = None
"""
_SCRIPT = f'''\
{_HEAD}"""{{label}} with {{method}}: what the run "{{name}}" did.

In this folder: `uv run train.py`.
"""

{{imports}}

{_STEPS}'''
_AUTO = '''dtype = "float32"
    if gpu:
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        dtype = "bfloat16" if bf16 else "float16"'''
_JOB = f'''\
{_HEAD}"""{{label}} with {{method}}: what the run "{{name}}" did, with its rows inside.

Anywhere with uv: `uv run job.py`. On one of the Hub's machines, say:
    hf jobs uv run --flavor t4-small --secrets HF_TOKEN job.py --push-to YOU/NAME
"""

import argparse
import base64
import io
import json
import os
import time
import zipfile

import torch
{{imports}}


def say(kind: str, **values: object) -> None:
    """A line of the log for whoever follows it."""
    event = {{{{"kind": kind, "time": time.time(), **values}}}}
    print("studio-event " + json.dumps(event), flush=True)


class Events(TrainerCallback):
    def __init__(self):
        self.samples = {{{{"asked": []}}}}
        if os.path.exists("samples.json"):
            with open("samples.json", encoding="utf-8") as file:
                self.samples = json.load(file)

    def ask(self, step, model, tokenizer):
        training, ends = model.training, tokenizer.eos_token_id
        model.eval()
        for number, one in enumerate(self.samples["asked"]):
            given = tokenizer(one["text"], add_special_tokens=False, return_tensors="pt")
            given = given.to(model.device)
            with torch.no_grad():
                out = model.generate(
                    **given, max_new_tokens=48, do_sample=False, pad_token_id=ends
                )
            written = out[0, given["input_ids"].shape[1] :]
            answer = tokenizer.decode(written, skip_special_tokens=True)
            say("sample", step=step, number=number, prompt=one["prompt"], answer=answer)
        model.train(training)

    def on_train_begin(self, args, state, control, model, processing_class, **kwargs):
        say("start", step=state.global_step, total_steps=state.max_steps)
        self.ask(state.global_step, model, processing_class)

    def on_step_end(self, args, state, control, model, processing_class, **kwargs):
        every = self.samples.get("every")
        if every and (state.global_step % every == 0 or state.global_step == state.max_steps):
            self.ask(state.global_step, model, processing_class)

    def on_log(self, args, state, control, logs=None, **kwargs):
        numbers = {{{{k: v for k, v in (logs or {{{{}}}}).items() if isinstance(v, int | float)}}}}
        say("log", step=state.global_step, **numbers)

    def on_save(self, args, state, control, **kwargs):
        say("checkpoint", step=state.global_step)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--push-to", help="a Hub repository for the result, as YOU/NAME")
    push_to = parser.parse_args().push_to
    zipfile.ZipFile(io.BytesIO(base64.b64decode(FILES))).extractall("job")
    os.chdir("job")
    gpu = torch.cuda.is_available()
    {{dtype}}
    say("phase", text="loading on " + (torch.cuda.get_device_name() if gpu else "a CPU"))
{{steps}}    if push_to:
        say("phase", text="pushing the result")
        trainer.model.push_to_hub(push_to, private=True)
        tokenizer.push_to_hub(push_to, private=True)


FILES = """
{{files}}
"""

if __name__ == "__main__":
    main()
'''


def _extra(recipe: Recipe) -> tuple[str, ...]:
    eight = "8bit" in optimizer(recipe, "cuda")
    return ("bitsandbytes",) if recipe.quantized or eight else ()


def _imports(recipe: Recipe) -> list[str]:
    objective = OBJECTIVES[recipe.objective]
    auto = (
        "AutoModelForSequenceClassification"
        if recipe.objective == "reward"
        else ("AutoModelForCausalLM")
    )
    more = ", BitsAndBytesConfig" if recipe.quantized else ""
    lines = ["from datasets import load_dataset"]
    peft = [METHODS[recipe.method].config] if recipe.uses_adapter and not recipe.continues else []
    peft += ["PeftModel"] if recipe.start_from else []
    lines += [f"from peft import {', '.join(sorted(peft))}"] if peft else []
    config = "AutoConfig, " if recipe.rope_parameters else ""
    lines.append(f"from transformers import {config}{auto}, AutoTokenizer{more}, set_seed")
    lines.append("from transformers.utils import is_torch_tf32_available")
    lines.append(f"from {objective.module} import {objective.config}, {objective.trainer}")
    return lines


def _model_lines(recipe: Recipe, model: str, dtype: str) -> str:
    reward = recipe.objective == "reward"
    auto = "AutoModelForSequenceClassification" if reward else "AutoModelForCausalLM"
    given = [repr(model), f"revision={recipe.model_revision!r}", f"dtype={dtype}"]
    given += ["num_labels=1"] if reward and not recipe.rope_parameters else []
    if recipe.attn_implementation:
        given.append(f"attn_implementation={recipe.attn_implementation!r}")
    if recipe.quantized:
        from studio.models.pool import quantization

        bits = quantization(recipe) or {}
        plain = ", ".join(f"{key}={value!r}" for key, value in bits.items())
        plain += f", bnb_4bit_compute_dtype={dtype}"
        given.append(f"quantization_config=BitsAndBytesConfig({plain})")
    scaled: list[str] = []
    if recipe.rope_parameters:
        given.append("config=base_config")
        said = _scaled_config(recipe)
        scaled = [
            f"base_config = AutoConfig.from_pretrained({model!r}, "
            f"revision={recipe.model_revision!r}{', num_labels=1' if reward else ''})",
            f"base_config.get_text_config().update({pprint.pformat(said, width=88)})",
        ]
    lines = [
        f"set_seed({recipe.seed})",
        f"tokenizer = AutoTokenizer.from_pretrained({model!r}, revision={recipe.model_revision!r})",
        "tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token",
        *scaled,
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


def _scaled_config(recipe: Recipe) -> dict[str, Any]:
    """What the base's text config says with the recipe's `rope_parameters`."""
    said = loading.scaled_config(
        resolve(recipe.model_name_or_path, recipe.model_revision), recipe.rope_parameters
    )
    return said.get("text_config", said)


def _adapter_lines(recipe: Recipe) -> str:
    if not recipe.uses_adapter or recipe.continues:
        return "adapter = None"
    if recipe.train_embeddings_and_norms:
        reference = resolve(recipe.model_name_or_path, recipe.model_revision)
        recipe = whole_modules.by_name(recipe, loading.shapes_of(reference))
    # The tokenizer is the model's own, wherever that lies.
    kwargs = peft_kwargs(recipe, tokenizer="model")
    return f"adapter = {METHODS[recipe.method].config}(\n{_pretty(kwargs)})"


def _reference_line(recipe: Recipe, model: str, dtype: str) -> str:
    """A reference of its own where the trainer could not recover it from the model it trains."""
    method = METHODS[recipe.method]
    if not OBJECTIVES[recipe.objective].reference or (method.adapter and not method.moves_base):
        return ""
    config = ", config=base_config" if recipe.rope_parameters else ""
    loaded = f"AutoModelForCausalLM.from_pretrained({model!r}, dtype={dtype}{config})"
    return f"\n    ref_model={loaded},"


def _pretty(values: dict[str, Any]) -> str:
    return "".join(
        f"    {key}={pprint.pformat(value, width=88)},\n"
        for key, value in values.items()
        if value is not None
    )
