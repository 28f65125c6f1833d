"""Two columns through the studio beside stock transformers: time, first token, memory.

    python -m benchmarks.compare --repeats 9

On the CPU the pocket model and a random one of 100 million parameters. Arms: `studio` streams base
and tuned together from one copy of the weights; `two` is two sequential `generate` calls of stock
transformers and PEFT on two loaded copies; `one` is the base alone. Answers are checked to be equal
first. Every arm has processes of its own, which take turns; times are medians over them, memory the
growth of the resident set over the imports.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ARMS = ("studio", "two", "one")
TOKENS = 64
ROUNDS = 2  # processes an arm
PROMPT = "Once upon a time in the hills there lived"
GPU_SHAPES = ("0.5B bf16", "0.5B NF4", "7B bf16", "7B NF4")


def make_random(folder: Path) -> Path:
    """A Llama of about 100 million random parameters with the pocket model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from studio.models.catalog import resolve

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32000, hidden_size=768, intermediate_size=2048, num_hidden_layers=8,
        num_attention_heads=12, num_key_value_heads=12, max_position_embeddings=2048,
        tie_word_embeddings=False, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(resolve("pocket").location).save_pretrained(folder)
    return folder


def make_run(home: Path, model: str) -> str:
    """A finished run whose adapter moves the base a little; its id."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from studio import Recipe, Studio
    from studio.models.catalog import resolve

    studio = Studio(home)
    run = studio.runs.create(Recipe.defaults("sft", model_name_or_path=model, name="tuned",
                                             dataset_name="pocket-sft"))  # fmt: skip
    base = AutoModelForCausalLM.from_pretrained(resolve(model).location, dtype=torch.float32)
    config = LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    torch.manual_seed(1)
    adapted = get_peft_model(base, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.01)
    adapted.save_pretrained(run.folder / "adapter")
    studio.runs.update(run.id, state="finished")
    return run.id


class StudioArm:
    """Base and tuned together, as the page asks for them."""

    def __init__(self, home: Path, model: str, run: str):
        from studio import Studio

        self.studio, self.model, self.run = Studio(home), model, run

    def __call__(self) -> dict[str, Any]:
        from studio.generation.request import Column, GenerationRequest, Sampling

        columns = (Column(self.model), Column(self.model, self.run))
        request = GenerationRequest((PROMPT,), columns, Sampling(max_new_tokens=TOKENS), raw=True)
        begun = time.perf_counter()
        generation = self.studio.generate(request)
        first = None
        while first is None and not generation.wait(0.0005):
            if any(column[0].tokens for column in generation.snapshot().answers):
                first = time.perf_counter() - begun
        generation.wait()
        wall = time.perf_counter() - begun
        snapshot = generation.snapshot()
        if snapshot.error or any(column[0].error for column in snapshot.answers):
            raise SystemExit(snapshot.error or str([c[0].error for c in snapshot.answers]))
        return {"wall": wall, "first": first or wall,
                "ids": [list(column[0].ids) for column in snapshot.answers]}  # fmt: skip

    def close(self) -> None:
        self.studio.close()


class StockArm:
    """`generate` of stock transformers, one model after the other, each its own copy."""

    def __init__(self, home: Path, model: str, run: str | None):
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from studio.models.catalog import resolve

        location = resolve(model).location
        self.tokenizer = AutoTokenizer.from_pretrained(location)
        load = AutoModelForCausalLM.from_pretrained
        self.models: list[Any] = [load(location, dtype=torch.float32).eval()]
        if run is not None:
            tuned = load(location, dtype=torch.float32)
            folder = home / "runs" / run / "adapter"
            self.models.append(PeftModel.from_pretrained(tuned, str(folder)).eval())

    def __call__(self) -> dict[str, Any]:
        import torch
        from transformers.generation.streamers import BaseStreamer

        stamps: list[float] = []

        class Stamps(BaseStreamer):
            def put(self, value: Any) -> None:
                stamps.append(time.perf_counter())

            def end(self) -> None:
                """Nothing to flush."""

        inputs = self.tokenizer(PROMPT, return_tensors="pt")
        begun, ids = time.perf_counter(), []
        with torch.inference_mode():
            for model in self.models:
                out = model.generate(
                    **inputs,
                    max_new_tokens=TOKENS,
                    do_sample=False,
                    streamer=Stamps(),
                    pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
                    eos_token_id=self.tokenizer.eos_token_id,
                )
                ids.append(out[0, inputs["input_ids"].shape[1] :].tolist())
        end = self.tokenizer.eos_token_id
        return {
            "wall": time.perf_counter() - begun,
            "first": stamps[1] - begun,
            "ids": [[token for token in each if token != end] for each in ids],
        }

    def close(self) -> None:
        """Nothing to end."""


def arm(name: str, home: Path, model: str, run: str) -> Any:
    if name == "studio":
        return StudioArm(home, model, run)
    return StockArm(home, model, run if name == "two" else None)


def times(name: str, home: Path, model: str, run: str, repeats: int) -> dict[str, Any]:
    """One arm alone in its process, so that no two pools of OpenMP threads share the cores."""
    each = arm(name, home, model, run)
    ids = each()["ids"]  # unmeasured: loads, and is compared between the arms
    found = [each() for _ in range(repeats)]
    each.close()
    return {"ids": ids, "wall": [r["wall"] for r in found], "first": [r["first"] for r in found]}


def memory(name: str, home: Path, model: str, run: str) -> dict[str, Any]:
    """Peak of the resident set over what the imports take, in bytes."""
    import psutil
    import torch  # noqa: F401
    from trl import DPOTrainer, SFTTrainer  # noqa: F401  (the studio's worker loads them too)

    from studio.generation import engine  # noqa: F401

    before, peak, done = psutil.Process().memory_info().rss, [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], psutil.Process().memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    each = arm(name, home, model, run)
    for _ in range(2):
        each()
    done.set()
    watcher.join()
    each.close()
    return {"growth": peak[0] - before}


def child(*arguments: str) -> dict[str, Any]:
    """This script in a process of its own; its one line of JSON."""
    command = [sys.executable, "-m", "benchmarks.compare", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(label: str, model: str, folder: Path, repeats: int) -> None:
    home = folder / f"home-{label}"
    run = child("--make-run", model, "--home", str(home))["run"]
    shared = ("--home", str(home), "--run", run, "--repeats", str(repeats))
    wall: dict[str, Any] = {name: [] for name in ARMS}
    first: dict[str, Any] = {name: [] for name in ARMS}
    ids = {}
    for turn in range(ROUNDS):
        for name in ARMS if turn % 2 == 0 else ARMS[::-1]:
            took = child("--times", model, "--arm", name, *shared)
            wall[name] += took["wall"]
            first[name] += took["first"]
            ids[name] = took["ids"]
    wall = {name: statistics.median(found) for name, found in wall.items()}
    first = {name: statistics.median(found) for name, found in first.items()}
    grew = {name: child("--memory", model, "--arm", name, *shared)["growth"] for name in ARMS}
    equal = ids["studio"] == ids["two"] and ids["one"] == ids["two"][:1]
    lengths = [len(each) for each in ids["two"]]
    print(f"\n{label}: answers of {lengths} tokens, equal to stock: {equal}")
    for name in ARMS:
        print(f"  {name:<7} wall {wall[name] * 1000:8.0f} ms   first token "
              f"{first[name] * 1000:6.0f} ms   memory {grew[name] / 1e6:8.0f} MB")  # fmt: skip
    rows = (
        ("wall / one alone", wall["studio"] / wall["one"], 1.25),
        ("wall / two sequential", wall["studio"] / wall["two"], 0.65),
        ("first token / stock", first["studio"] / first["one"], 1.2),
        ("memory / one model", grew["studio"] / grew["one"], 1.1),
        ("memory / two models", grew["studio"] / grew["two"], None),
    )
    for what, ratio, aim in rows:
        said = f"aim {aim}, {'met' if ratio <= aim else 'missed'}" if aim else ""
        print(f"  {what:<24} {ratio:5.2f}   {said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    for hidden in ("--make-run", "--times", "--memory", "--arm", "--home", "--run"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    home = Path(given.home or ".")
    if given.make_run:
        print(json.dumps({"run": make_run(home, given.make_run)}))
    elif given.times:
        print(json.dumps(times(given.arm, home, given.times, given.run, given.repeats)))
    elif given.memory:
        print(json.dumps(memory(given.arm, home, given.memory, given.run)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure("pocket", "pocket", Path(folder), given.repeats)
            random = make_random(Path(folder) / "random-100m")
            measure("100 M random", str(random), Path(folder), given.repeats)
        import torch

        if not torch.cuda.is_available():
            print(f"\nNo CUDA device here: the GPU arms ({', '.join(GPU_SHAPES)}) are skipped.")


if __name__ == "__main__":
    main()
