"""From votes to a better model by two roads, on the pocket world: DPO, and reward model and GRPO.

    python -m benchmarks.rlhf [--home FOLDER] [--questions 204] [--duels 60] [--small]

The rule annotator prefers the courteous and short answer; a tenth of its votes are turned round
for training, none of those held out. Every road begins at the same SFT run and sees the same
votes. Measured on the held-out questions of the card: style and right answers, and blind duels that
the rule judges. What is in the folder already is not trained again. Seconds are the clock's and
say little where other work shares the machine; `busy` is the load beside two cores at the end.
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
from studio.metrics.proportions import wilson_interval
from studio.rewards.best_of_n import gain
from studio.runs.recipe import presets
from studio.runs.store import Run
from studio.workflows import dpo_vs_rlhf
from studio.workflows.dpo_vs_rlhf import Journey
from studio.workflows.rewards import scores

DATA = Path(__file__).resolve().parents[1] / "presets" / "pocket" / "data"
NOISE = 0.1
TOKENS = 64
VOTES = "noisy votes"
FEW = 3


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
    if not any(found.name == VOTES for found in studio.datasets.list()):
        studio.datasets.from_rows(train, "preference", VOTES)
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
    found = scores(studio, run.id, prompts, answers)
    right = sum(a > b for a, b in zip(found[::2], found[1::2], strict=True))
    return right, len(held)


def answered(studio: Studio, run: Run, asked: list[Any], sampling: Sampling) -> list[Any]:
    column = Column("pocket", run.id)
    generation = studio.generate(
        GenerationRequest(tuple(asked), (column,), sampling, batch_size=64)
    )
    generation.wait()
    snapshot = generation.snapshot()
    if snapshot.error or any(cell.error for cell in snapshot.answers[0]):
        raise SystemExit(snapshot.error or snapshot.answers[0][0].error)
    return snapshot.answers[0]


def measured(studio: Studio, run: Run, rows: list[dict[str, Any]]) -> dict[str, float]:
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
    worth = scores(studio, reward.id, asked, texts)
    kind = [100.0 * (style(text) == "courteous") for text in texts]
    groups = range(0, len(texts), n)
    return gain([worth[at : at + n] for at in groups], [kind[at : at + n] for at in groups])


def walked(studio: Studio, sft: Run, data: str, small: bool) -> Journey:
    """Both roads from the SFT run, walked if need be."""
    for journey in dpo_vs_rlhf.journeys(studio):
        if journey.finished and journey.start and journey.start.id == sft.id:
            return journey
    plan = dpo_vs_rlhf.Plan(data, sft.id, max_steps=FEW if small else None)
    return dpo_vs_rlhf.wait(studio, dpo_vs_rlhf.begin(studio, plan))


def met(studio: Studio, journey: Journey, rows: list[dict[str, Any]]) -> Journey:
    """The three duels, judged by the rule."""
    dpo_vs_rlhf.meet(
        studio, journey, [[{"role": "user", "content": row["prompt"]}] for row in rows]
    )
    return dpo_vs_rlhf.judge_by_rule(studio, journey)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--small", action="store_true", help="a few steps, to try the script")
    parser.add_argument("--questions", type=int, default=204)
    parser.add_argument("--duels", type=int, default=60, help="prompts of each duel")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(options.home or Path(folder))
        try:
            run(studio, options)
        finally:
            studio.close()


def run(studio: Studio, options: argparse.Namespace) -> None:
    """All stages, the table, the duels, and which aims are met."""
    few = {"max_steps": FEW} if options.small else {}
    held = votes(studio)
    rows = lines("questions")[: options.questions]
    sft = trained(studio, "sft", "pocket-sft", **few)
    journey = walked(studio, sft, VOTES, options.small)
    (_, long) = journey.roads
    reward = long.runs[0]
    rules = trained(studio, "rules", "pocket-grpo", start_from=sft.id, dataset_name=VOTES, **few)
    right, of = accuracy(studio, reward, held)
    curve = best_of(studio, sft, reward, rows, 8)
    table = [
        ("SFT, the start", measured(studio, sft, rows), dpo_vs_rlhf.cost(sft)),
        *((road.label, measured(studio, road.run, rows), road.cost) for road in journey.roads),
        ("Rules, GRPO", measured(studio, rules, rows), dpo_vs_rlhf.cost(rules)),
    ]
    print(
        "best of n, courteous %: "
        + ", ".join(f"{k}: {value:.0f}" for k, value in enumerate(curve, 1))
    )
    print(f"\n{'':20} {'courteous':>10} {'right':>7} {'seconds':>8} {'tokens':>9} {'memory':>9}")
    for line in table:
        print(_line(*line))
    for each in met(studio, journey, rows[: options.duels]).meetings:
        if at := each.share:
            share, low, high = (100 * x for x in (at.value, at.low, at.high))
            print(f"{each.one} over {each.other}: {share:.0f} % ({low:.0f} to {high:.0f} %)")
    low, high = wilson_interval(right, of)
    print(
        f"\nreward model: {100 * right / of:.1f} % of {of} held-out pairs "
        f"({100 * low:.0f} to {100 * high:.0f} %)"
    )
    before = table[0][1]
    aims = [
        ("reward model right on 90 %", 100 * right / of, 90.0),
        ("best of 8 gains 20 points", curve[-1] - curve[0], 20.0),
    ]
    for (label, figures, _), learned in zip(table[2:], (long.run, rules), strict=True):
        aims += [
            (f"{label}: courteous 80 %", figures["courteous"], 80.0),
            (f"{label}: right at most 5 points lower", figures["exact"] - before["exact"], -5.0),
            (f"{label}: 300 s at most", -learned.train_seconds, -300.0),
        ]
    for aim, found, wanted in aims:
        print(f"{'met' if found >= wanted else 'NOT met':8} {aim}: {abs(found):.0f}")
    print(f"\nat {time.strftime('%H:%M')}, busy {os.getloadavg()[0]:.1f}")


def _line(label: str, figures: dict[str, float], spent: dpo_vs_rlhf.Cost) -> str:
    return (
        f"{label:20} {figures['courteous']:8.0f} % {figures['exact']:5.0f} % "
        f"{spent.seconds:8.0f} {spent.tokens:9,} {spent.memory / 1e6:6,.0f} MB"
    )


if __name__ == "__main__":
    main()
