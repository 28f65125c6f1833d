"""From votes to a better model by two roads, on the pocket world: DPO, and reward model and GRPO.

    python -m benchmarks.rlhf [--home FOLDER] [--steps 60] [--questions 204] [--only STAGE ...]

The rule annotator prefers the courteous and short answer; a tenth of its votes are turned round
for training, none of those held out. Every road begins at the same SFT run and sees the same
votes. Measured on the held-out questions of the card: style and right answers. A stage whose run
is in the folder already is not trained again. Seconds are the clock's and say little where other
work shares the machine; `busy` is the load beside two cores at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.pocket import judge
from presets.pocket.maker.rules import style
from studio import Recipe, Studio
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.preference.winrate import wilson_interval
from studio.recipe import presets
from studio.rewards.using import gain
from studio.training.runs import Run

DATA = Path(__file__).resolve().parents[1] / "presets" / "pocket" / "data"
NOISE = 0.1
TOKENS = 64
STAGES = ("sft", "reward", "best", "dpo", "grpo", "rules")


def lines(name: str) -> list[dict[str, Any]]:
    text = (DATA / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def votes(studio: Studio) -> list[dict[str, Any]]:
    """The pairs: a tenth of the training ones turned round, a fifth held out as they are."""
    pairs = lines("preference")
    chance = random.Random(7)
    chance.shuffle(pairs)
    prompts = sorted({row["prompt"][-1]["content"] for row in pairs})
    held = set(prompts[::5])
    train = [dict(row) for row in pairs if row["prompt"][-1]["content"] not in held]
    for row in chance.sample(train, round(NOISE * len(train))):
        row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    if not any(found.name == "noisy votes" for found in studio.datasets.list()):
        studio.datasets.from_rows(train, "preference", "noisy votes")
    return [row for row in pairs if row["prompt"][-1]["content"] in held]


def trained(studio: Studio, name: str, preset: str, **changes: Any) -> Run:
    """The finished run of that name, trained if need be."""
    for run in studio.runs.list():
        if run.name == name and run.state == "finished":
            return run
    recipe: Recipe = presets()[preset].with_(name=name, sample_steps=0, save_steps=1000, **changes)
    run = studio.wait(studio.train(recipe).id)
    if run.state != "finished":
        raise SystemExit(f"{name} is {run.state}: {run.error}")
    return run


def accuracy(studio: Studio, run: Run, held: list[dict[str, Any]]) -> tuple[int, int]:
    """Held-out pairs whose chosen answer the reward model puts first, of how many."""
    prompts = [row["prompt"] for row in held for _ in range(2)]
    answers = [row[side][-1]["content"] for row in held for side in ("chosen", "rejected")]
    scores = [g.total for g in studio.reward([f"model:{run.id}"], None, prompts, answers).result()]
    right = sum(a > b for a, b in zip(scores[::2], scores[1::2], strict=True))
    return right, len(held)


def answered(studio: Studio, run: Run | None, asked: list[Any], sampling: Sampling) -> list[Any]:
    column = Column("pocket", run.id if run else None)
    generation = studio.generate(
        GenerationRequest(tuple(asked), (column,), sampling, batch_size=64)
    )
    generation.wait()
    snapshot = generation.snapshot()
    if snapshot.error or any(cell.error for cell in snapshot.answers[0]):
        raise SystemExit(snapshot.error or snapshot.answers[0][0].error)
    return snapshot.answers[0]


def measured(studio: Studio, run: Run | None, rows: list[dict[str, Any]]) -> dict[str, float]:
    """Style and right answers on held-out questions, greedy, in percent."""
    tokenizer = studio.tokenizer("pocket")
    asked = [[{"role": "user", "content": row["prompt"]}] for row in rows]
    cells = answered(studio, run, asked, Sampling(max_new_tokens=112))
    tokens = [tokenizer.convert_ids_to_tokens(list(cell.ids)) for cell in cells]
    return judge(tokenizer, rows, tokens)


def best_of(
    studio: Studio, sft: Run, reward: Run, rows: list[dict[str, Any]], n: int
) -> list[float]:
    """Courteous answers in percent, when the reward model picks the best of 1 to n."""
    asked = [[{"role": "user", "content": row["prompt"]}] for row in rows for _ in range(n)]
    sampling = Sampling(temperature=1.0, max_new_tokens=TOKENS, seed=7)
    texts = [cell.text for cell in answered(studio, sft, asked, sampling)]
    scores = [g.total for g in studio.reward([f"model:{reward.id}"], None, asked, texts).result()]
    kind = [100.0 * (style(text) == "courteous") for text in texts]
    groups = range(0, len(texts), n)
    return gain([scores[at : at + n] for at in groups], [kind[at : at + n] for at in groups])


def cost(run: Run) -> dict[str, float]:
    """Seconds, tokens read or written while training, and peak memory in MB."""
    events = [event for event in run.events()[0] if event["kind"] == "log"]
    return {
        "seconds": run.train_seconds,
        "tokens": max((e["num_tokens"] for e in events if "num_tokens" in e), default=0),
        "memory": max((e["memory"] for e in events if "memory" in e), default=0) / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--steps", type=int, default=None, help="of GRPO")
    parser.add_argument("--small", action="store_true", help="a few steps, to try the script")
    parser.add_argument("--questions", type=int, default=204)
    parser.add_argument("--only", nargs="+", choices=STAGES, default=STAGES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(options.home or Path(folder))
        try:
            run(studio, options)
        finally:
            studio.close()


def run(studio: Studio, options: argparse.Namespace) -> None:
    """All stages, then the table."""
    few = {"max_steps": 3} if options.small else {}
    held = votes(studio)
    rows = lines("questions")[: options.questions]
    sft = trained(studio, "sft", "pocket-sft", **few)
    before = measured(studio, sft, rows)
    table = [("SFT, the start", before, cost(sft))]
    data = {"dataset_name": "noisy votes"}
    reward = None
    if {"reward", "best", "grpo"} & set(options.only):
        reward = trained(studio, "reward", "pocket-reward", **data, **few)
        right, of = accuracy(studio, reward, held)
        low, high = wilson_interval(right, of)
        print(f"reward model: {100 * right / of:.1f} % of {of} held-out pairs "
              f"({100 * low:.0f} to {100 * high:.0f} %), aim 90 %", flush=True)  # fmt: skip
    if "best" in options.only and reward:
        curve = best_of(studio, sft, reward, rows, 8)
        print("best of n, courteous %: " + ", ".join(
            f"{k}: {value:.0f}" for k, value in enumerate(curve, 1)
        ) + f"; gain {curve[-1] - curve[0]:.0f} points, aim 20", flush=True)  # fmt: skip
    steps = {"max_steps": options.steps} if options.steps else few
    roads: list[tuple[str, str, str, dict[str, Any]]] = [
        ("dpo", "DPO", "pocket-dpo", few),
        ("grpo", "GRPO, reward model", "pocket-grpo", steps),
        ("rules", "GRPO, rules", "pocket-grpo", steps),
    ]
    for stage, label, preset, changes in roads:
        if stage not in options.only:
            continue
        if stage == "grpo" and reward:
            changes = {**changes, "reward_funcs": (f"model:{reward.id}",)}
        made = trained(studio, stage, preset, start_from=sft.id, **data, **changes)
        table.append((label, measured(studio, made, rows), cost(made)))
        print(_line(*table[-1]), flush=True)
    print(f"\n{'':20} {'courteous':>10} {'right':>7} {'seconds':>8} {'tokens':>9} {'memory':>9}")
    for line in table:
        print(_line(*line))
    print(f"\nat {time.strftime('%H:%M')}, busy {os.getloadavg()[0]:.1f}")


def _line(label: str, figures: dict[str, float], spent: dict[str, float]) -> str:
    return (
        f"{label:20} {figures['courteous']:8.0f} % {figures['exact']:5.0f} % "
        f"{spent['seconds']:8.0f} {spent['tokens']:9,.0f} {spent['memory']:6,.0f} MB"
    )


if __name__ == "__main__":
    main()
