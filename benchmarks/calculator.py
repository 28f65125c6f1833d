"""How fast a 70B model is counted, beside building and wrapping it with PEFT on the meta device.

    python -m benchmarks.calculator [--repeat 5]

Each measurement runs in a process of its own, so that "cold" is cold and a peak is its own.
Both sides give the same figure, or the benchmark fails.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys

MODEL = "meta-llama/Llama-3.1-70B-Instruct"

COMMON = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import torch, transformers, peft
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def report(**values):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(values | {"peak_mb": peak / 1024, "libraries_mb": base / 1024}))
"""
OURS = """
from studio.calculator.parameters import count, model_of
from studio.runs.recipe import Recipe
recipe = Recipe.defaults(model_name_or_path=MODEL, lora_r=8)
started = time.perf_counter()
model_of(recipe)
found = count(recipe)
cold = time.perf_counter() - started
warm = []
for rank in range(9, 9 + REPEAT):
    changed = recipe.with_(lora_r=rank)
    started = time.perf_counter()
    count(changed)
    warm.append(time.perf_counter() - started)
report(trainable=found.trainable, cold=cold, warm=sorted(warm)[len(warm) // 2])
"""
STOCK = """
from transformers import AutoModelForCausalLM, LlamaConfig
from studio.core.model_catalog import config_of
values = {key: value for key, value in config_of(MODEL).items() if key != "model_type"}
def wrap(rank, model):
    config = peft.LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.device("meta"):
        wrapped = peft.get_peft_model(model, config)
    return wrapped, wrapped.get_nb_trainable_parameters()[0]
started = time.perf_counter()
with torch.device("meta"):
    model = AutoModelForCausalLM.from_config(LlamaConfig.from_dict(values))
wrapped, trainable = wrap(8, model)
cold = time.perf_counter() - started
warm = []
for rank in range(9, 9 + REPEAT):
    model = wrapped.unload()
    started = time.perf_counter()
    wrapped, _ = wrap(rank, model)
    warm.append(time.perf_counter() - started)
report(trainable=trainable, cold=cold, warm=sorted(warm)[len(warm) // 2])
"""


def measure(body: str, repeat: int) -> dict[str, float]:
    """Run one side in a fresh process; its last line is the result."""
    code = f"MODEL, REPEAT = {MODEL!r}, {repeat}\n{COMMON}{body}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5, help="new ranks counted (median reported)")
    repeat = parser.parse_args().repeat
    ours, stock = measure(OURS, repeat), measure(STOCK, repeat)
    if ours["trainable"] != stock["trainable"]:
        raise SystemExit(f"The figures differ: {ours['trainable']} and {stock['trainable']}.")
    print(f"{MODEL}, LoRA on all linear layers: {ours['trainable']:,.0f} trainable at r 8")
    print(f"{platform.machine()}, Python {platform.python_version()}; libraries already imported\n")
    print(f"{'':34}{'studio':>10}{'PEFT, meta':>12}{'ratio':>8}")
    rows = (
        ("from config to first count, s", "cold", 1, "{:.3f}"),
        ("a new rank, ms", "warm", 1000, "{:.1f}"),
        ("peak memory of the process, MB", "peak_mb", 1, "{:.0f}"),
        ("  of it the imported libraries, MB", "libraries_mb", 1, "{:.0f}"),
    )
    for label, key, scale, form in rows:
        left, right = ours[key] * scale, stock[key] * scale
        print(f"{label:34}{form.format(left):>10}{form.format(right):>12}{right / left:>7.1f}x")


if __name__ == "__main__":
    main()
