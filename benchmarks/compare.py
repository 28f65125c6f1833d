"""Two columns through the studio beside stock transformers: time, first token, memory.

    python -m benchmarks.compare --repeats 9

On the CPU the pocket model and a random one of 100 million parameters; on a CUDA card random ones
of 0.5B and 7B shapes, in bfloat16 and NF4. Arms: `studio` streams base
and tuned together from one copy of the weights; `two` is two sequential `generate` calls of stock
transformers and PEFT on two loaded copies; `one` is the base alone. Answers are checked to be equal
first. Every arm has processes of its own, which take turns; times are medians over them. Memory is
the growth of the resident set over a process that has answered with a tiny model, so that
libraries and thread pools, which both have, are not taken for the model's.
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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ARMS = ("studio", "two", "one")
TOKENS = 64
ROUNDS = 2  # processes an arm
PROMPT = "Once upon a time in the hills there lived"
# Width, layers, heads, key-value heads, inner width and vocabulary of the random models.
SHAPES = {
    "tiny": (64, 1, 1, 1, 128, 2048),
    "100M": (768, 8, 12, 12, 2048, 32000),
    "0.5B": (896, 24, 14, 2, 4864, 151936),
    "7B": (4096, 32, 32, 32, 11008, 32000),
}
ON_GPU = (("0.5B", "bfloat16"), ("0.5B", "nf4"), ("7B", "bfloat16"), ("7B", "nf4"))


@dataclass(frozen=True)
class Case:
    """A model, the run on it, and how its weights are held: float32, bfloat16 or nf4."""

    model: str
    held: str = "float32"
    run: str = ""

    @property
    def dtype(self) -> str:
        return "bfloat16" if self.held == "nf4" and cuda() else self.held.replace("nf4", "float32")


def cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def make_random(folder: Path, shape: str) -> Path:
    """A Llama of random parameters with the pocket model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from studio.models.catalog import resolve

    width, layers, heads, keys, inner, vocabulary = SHAPES[shape]
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=inner,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=keys,
        max_position_embeddings=2048, tie_word_embeddings=shape == "0.5B", bos_token_id=1,
        eos_token_id=2, dtype="bfloat16" if shape in dict(ON_GPU) else "float32",
    )  # fmt: skip
    with torch.device("cuda" if shape in dict(ON_GPU) else "cpu"):
        model = LlamaForCausalLM._from_config(config, dtype=config.dtype)
    model.save_pretrained(str(folder))
    AutoTokenizer.from_pretrained(resolve("pocket").location).save_pretrained(folder)
    return folder


def load_stock(case: Case) -> Any:
    """The base through transformers alone."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    from studio.models.catalog import resolve

    dtype = getattr(torch, case.dtype)
    settings: dict[str, Any] = {"device_map": {"": "cuda" if cuda() else "cpu"}}
    if case.held == "nf4":
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )  # fmt: skip
    location = resolve(case.model).location
    return AutoModelForCausalLM.from_pretrained(location, dtype=dtype, **settings).eval()


def make_run(home: Path, case: Case) -> str:
    """A finished run whose adapter moves the base a little; its id."""
    import torch
    from peft import LoraConfig, get_peft_model

    from studio import Recipe, Studio

    studio = Studio(home)
    run = studio.runs.create(Recipe.defaults(
        "sft", "qlora" if case.held == "nf4" else "lora", model_name_or_path=case.model,
        name="tuned", dataset_name="pocket-sft", dtype=case.dtype,
    ))  # fmt: skip
    config = LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    torch.manual_seed(1)
    adapted = get_peft_model(load_stock(case), config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.01)
    adapted.save_pretrained(str(run.folder / "adapter"))
    studio.runs.update(run.id, state="finished")
    return run.id


class StudioArm:
    """Base and tuned together, as the page asks for them."""

    def __init__(self, home: Path):
        from studio import Studio

        self.studio = Studio(home)

    def load(self, case: Case) -> None:
        self.case = case  # the first answer loads it

    def __call__(self) -> dict[str, Any]:
        from studio.generation.request import Column, GenerationRequest, Sampling

        columns = (Column(self.case.model), Column(self.case.model, self.case.run))
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

    def __init__(self, home: Path, both: bool):
        self.home, self.both = home, both

    def load(self, case: Case) -> None:
        from peft import PeftModel
        from transformers import AutoTokenizer

        from studio.models.catalog import resolve

        self.tokenizer = AutoTokenizer.from_pretrained(resolve(case.model).location)
        self.models: list[Any] = [load_stock(case)]
        if self.both:
            folder = self.home / "runs" / case.run / "adapter"
            self.models.append(PeftModel.from_pretrained(load_stock(case), str(folder)).eval())

    def __call__(self) -> dict[str, Any]:
        import torch
        from transformers.generation.streamers import BaseStreamer

        stamps: list[float] = []

        class Stamps(BaseStreamer):
            def put(self, value: Any) -> None:
                stamps.append(time.perf_counter())

            def end(self) -> None:
                """Nothing to flush."""

        inputs = self.tokenizer(PROMPT, return_tensors="pt").to(self.models[0].device)
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


def arm(name: str, home: Path) -> Any:
    return StudioArm(home) if name == "studio" else StockArm(home, name == "two")


def times(name: str, home: Path, case: Case, repeats: int) -> dict[str, Any]:
    """One arm alone in its process, so that no two pools of OpenMP threads share the cores."""
    each = arm(name, home)
    each.load(case)
    ids = each()["ids"]  # unmeasured: loads, and is compared between the arms
    found = [each() for _ in range(repeats)]
    each.close()
    return {"ids": ids, "wall": [r["wall"] for r in found], "first": [r["first"] for r in found]}


def memory(name: str, home: Path, tiny: Case, case: Case) -> dict[str, Any]:
    """Peak over what the process holds after a tiny model's answers, in bytes.

    The resident set on a CPU, what torch has allocated on a card.
    """
    import torch
    from trl import SFTTrainer  # noqa: F401  (the studio's worker loads it too)

    each = arm(name, home)
    each.load(tiny)
    each()
    if cuda():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _answer_twice(each, case)
        return {"growth": torch.cuda.max_memory_allocated() - before}
    before, peak, done = resident(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    _answer_twice(each, case)
    done.set()
    watcher.join()
    return {"growth": peak[0] - before}


def resident() -> int:
    """Bytes of this process's resident set."""
    import psutil

    return psutil.Process().memory_info().rss


def _answer_twice(each: Any, case: Case) -> None:
    each.load(case)
    each()
    each()
    each.close()


def child(*arguments: str) -> dict[str, Any]:
    """This script in a process of its own; its one line of JSON."""
    command = [sys.executable, "-m", "benchmarks.compare", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(label: str, case: Case, tiny: Case, home: Path, repeats: int) -> None:
    """Every arm on one model, and what its figures are as ratios."""
    case, tiny = (
        replace(each, run=child("--make-run", *told(each), "--home", str(home))["run"])
        for each in (case, tiny)
    )
    shared = ("--home", str(home), "--repeats", str(repeats), *told(case))
    wall: dict[str, Any] = {name: [] for name in ARMS}
    first: dict[str, Any] = {name: [] for name in ARMS}
    ids = {}
    for turn in range(ROUNDS):
        for name in ARMS if turn % 2 == 0 else ARMS[::-1]:
            took = child("--times", "--arm", name, *shared)
            wall[name] += took["wall"]
            first[name] += took["first"]
            ids[name] = took["ids"]
    wall = {name: statistics.median(found) for name, found in wall.items()}
    first = {name: statistics.median(found) for name, found in first.items()}
    warm = ("--memory", json.dumps(asdict(tiny)))
    grew = {name: child(*warm, "--arm", name, *shared)["growth"] for name in ARMS}
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


def told(case: Case) -> tuple[str, str]:
    """A case for a child's command line."""
    return "--case", json.dumps(asdict(case))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    for flag in ("--make-run", "--times"):
        parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)
    for hidden in ("--memory", "--case", "--arm", "--home"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.case:
        return all_of_them(given.repeats)
    home, case = Path(given.home), Case(**json.loads(given.case))
    if given.make_run:
        found: dict[str, Any] = {"run": make_run(home, case)}
    elif given.times:
        found = times(given.arm, home, case, given.repeats)
    else:
        found = memory(given.arm, home, Case(**json.loads(given.memory)), case)
    print(json.dumps(found))


def all_of_them(repeats: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny = str(make_random(folder / "tiny", "tiny"))
        cases = [("pocket", "pocket", "float32"), ("100M", "", "float32")]
        cases += [(shape, "", held) for shape, held in ON_GPU if cuda()]
        for shape, model, held in cases:
            model = model or str(folder / shape)
            if model != shape and not Path(model).exists():
                make_random(Path(model), shape)
            label = f"{shape} {held}"
            measure(label, Case(model, held), Case(tiny, held), folder / "home", repeats)
    if not cuda():
        skipped = ", ".join(f"{shape} {held}" for shape, held in ON_GPU)
        print(f"\nNo CUDA card here (24 GB needed): {skipped} are skipped.")


if __name__ == "__main__":
    main()
