"""The sampling phase of GRPO here beside TRL's default, on SmolLM2-135M with a LoRA.

    python -m benchmarks.rollouts [--repeats 5] [--groups 2] [--tokens 48] [--prompt-words 0]

TRL's default is the model's `generate` on whole groups; `here` is `studio.training.rollouts`. Both
sample the same prompts, in turns, at temperature 1; greedy completions are compared first. Medians
of seconds a token of a row, by the clock and by the processor, which other programs on the machine
disturb less. Set OMP_NUM_THREADS to 1 where they do.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.beside import machine
from benchmarks.checkable import rows

GROUP = 8
FILLER = "The hills are green and the river runs to the sea."


def adapted() -> tuple[Any, Any]:
    """SmolLM2 with a LoRA that moves it a little, as GRPO trains it, and its tokenizer."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from studio.core.gguf_models import SMOLLM2
    from studio.core.model_names import resolve

    location = resolve(SMOLLM2).location
    models: Any = AutoModelForCausalLM
    torch.manual_seed(0)
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(models.from_pretrained(location, dtype="float32"), config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.002)
    return model.train(), AutoTokenizer.from_pretrained(location)


def batch(tokenizer: Any, groups: int, words: int) -> dict[str, Any]:
    """Prompts, each once for every completion of its group, padded at the left."""
    more = (FILLER + " ") * (words // len(FILLER.split()))
    chats = [
        [{"role": "user", "content": more + row["prompt"][0]["content"]}]
        for row in rows(groups, 1)
        for _ in range(GROUP)
    ]
    texts = tokenizer.apply_chat_template(chats, add_generation_prompt=True, tokenize=False)
    tokenizer.padding_side = "left"
    made = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    return {name: made[name] for name in ("input_ids", "attention_mask")}


def arms(model: Any, tokenizer: Any, cache: Path) -> dict[str, Callable[..., Any]]:
    """Each samples completions of a batch with a config; padded rows of ids."""
    from studio import Recipe
    from studio.training import rollouts

    recipe = Recipe.defaults("grpo", reward_funcs=("length:1-5",))

    def here(given: dict[str, Any], config: Any) -> Any:
        with rollouts.quick(model, recipe, cache):
            return model.generate(**given, generation_config=config)

    def stock(given: dict[str, Any], config: Any) -> Any:
        return model.generate(**given, generation_config=config)

    return {"stock": stock, "here": here}


def written(ids: Any, start: int, ends: set[int]) -> int:
    """Tokens of completions up to their end."""
    total = 0
    for row in ids[:, start:].tolist():
        stop = next((at + 1 for at, token in enumerate(row) if token in ends), len(row))
        total += stop
    return total


def measured(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """(seconds by the clock, by the processor, what it gave)."""
    began, used = time.perf_counter(), time.process_time()
    found = work()
    return time.perf_counter() - began, time.process_time() - used, found


def main(arguments: Sequence[str] | None = None) -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--repeats", type=int, default=5)
    asked.add_argument("--groups", type=int, default=2)
    asked.add_argument("--tokens", type=int, default=48)
    asked.add_argument("--prompt-words", type=int, default=0)
    given = asked.parse_args(arguments)
    import torch
    from transformers import GenerationConfig

    model, tokenizer = adapted()
    prompts = batch(tokenizer, given.groups, given.prompt_words)
    length, pad = prompts["input_ids"].shape[1], tokenizer.pad_token_id
    common = {"max_new_tokens": given.tokens, "pad_token_id": pad, "disable_compile": True,
              "eos_token_id": [tokenizer.eos_token_id]}  # fmt: skip
    greedy = GenerationConfig(**common, do_sample=False)
    drawn = GenerationConfig(**common, do_sample=True, temperature=1.0, top_k=0, top_p=1.0)
    times: dict[str, list[tuple[float, float]]] = {}
    with TemporaryDirectory() as folder, torch.no_grad():
        each = arms(model, tokenizer, Path(folder))
        first = {name: sample(prompts, greedy) for name, sample in each.items()}
        equal = torch.equal(first["stock"], first["here"])
        for turn in range(given.repeats):
            for name, sample in each.items():
                torch.manual_seed(turn)
                clock, used, found = measured(lambda sample=sample: sample(prompts, drawn))
                tokens = written(found, length, {tokenizer.eos_token_id})
                times.setdefault(name, []).append((clock / tokens, used / tokens))
    middle = {
        name: tuple(statistics.median(column) for column in zip(*found, strict=True))
        for name, found in times.items()
    }
    print(
        json.dumps(
            {
                "machine": machine(),
                "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", ""),
                "load": round(os.getloadavg()[0], 1),
                "completions": given.groups * GROUP,
                "prompt_tokens": length,
                "greedy_equal": equal,
                "ms_a_token": {name: round(1000 * one[0], 2) for name, one in middle.items()},
                "speedup_by_clock": round(middle["stock"][0] / middle["here"][0], 2),
                "speedup_by_processor": round(middle["stock"][1] / middle["here"][1], 2),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
