"""DPO beside RLHF (a reward model, then GRPO or RLOO with it) on the pocket world.

    python -m benchmarks.rlhf [--home FOLDER] [--questions 204] [--duels 60] [--small]

The rule annotator prefers the courteous and short answer; a tenth of the training votes are
flipped, none of the held-out ones. Both start from the same SFT run and learn from the same votes.
Measured on the model card's held-out questions: style and correct answers, and blind duels that the
rule decides. Runs that are in the folder are not trained again. Seconds are wall-clock time and
mean little on a shared machine; `load` is the load average at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pocket import judge
from benchmarks.rule_annotator import RuleAnnotator
from presets.pocket.maker.rules import style
from studio import Recipe, Studio
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.metrics.proportions import wilson_interval
from studio.rewards.best_of_n import gain
from studio.runs.recipe import presets, recommended_recipe
from studio.runs.store import Run
from studio.workflows.rewards import scores
from studio.workflows.rounds import Duel, duels_of, make_duel

DATA = Path(__file__).resolve().parents[1] / "presets" / "pocket" / "data"
NOISE = 0.1
TOKENS = 64
VOTES = "noisy votes"
FEW = 3


def lines(name: str) -> list[dict[str, Any]]:
    text = (DATA / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def votes(studio: Studio) -> list[dict[str, Any]]:
    """Make the training pairs, a tenth of them flipped; returns the held-out fifth, unchanged."""
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
    """The finished run of that name, trained from a shipped recipe if need be."""
    return finished(studio, name, presets()[preset].with_(**changes))


def finished(studio: Studio, name: str, recipe: Recipe) -> Run:
    """The finished run of that name, trained if need be."""
    for run in studio.runs.list():
        if run.name == name and run.state == "finished":
            return run
    recipe = recipe.with_(name=name, sample_steps=0, save_steps=1000)
    run = studio.wait(studio.train(recipe).id)
    if run.state != "finished":
        raise SystemExit(f"{name} is {run.state}: {run.error}")
    return run


def accuracy(studio: Studio, run: Run, held: list[dict[str, Any]]) -> tuple[int, int]:
    """(held-out pairs whose chosen answer the reward model scores higher, all of them)."""
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
    """Style and correct answers on held-out questions, greedy decoding, in percent."""
    tokenizer = studio.tokenizer("pocket")
    asked = [[{"role": "user", "content": row["prompt"]}] for row in rows]
    cells = answered(studio, run, asked, Sampling(max_new_tokens=112))
    tokens = [tokenizer.convert_ids_to_tokens(list(cell.ids)) for cell in cells]
    return judge(tokenizer, rows, tokens)


def best_of(
    studio: Studio, sft: Run, reward: Run, rows: list[dict[str, Any]], n: int
) -> list[float]:
    """Courteous answers in percent where the reward model picks the best of 1 to n."""
    asked = [[{"role": "user", "content": row["prompt"]}] for row in rows for _ in range(n)]
    sampling = Sampling(temperature=1.0, max_new_tokens=TOKENS, seed=7)
    texts = [cell.text for cell in answered(studio, sft, asked, sampling)]
    worth = scores(studio, reward.id, asked, texts)
    kind = [100.0 * (style(text) == "courteous") for text in texts]
    groups = range(0, len(texts), n)
    return gain([worth[at : at + n] for at in groups], [kind[at : at + n] for at in groups])


@dataclass(frozen=True)
class Cost:
    """What training took: seconds, tokens read or generated, peak memory in bytes."""

    seconds: float
    tokens: int
    memory: int

    @classmethod
    def of(cls, *runs: Run) -> Cost:
        """The sum over several runs, read from their logs; peak memory is the largest of them."""
        logs = [[event for event in run.events()[0] if event["kind"] == "log"] for run in runs]
        return cls(
            sum(run.train_seconds for run in runs),
            sum(max((int(e.get("num_tokens", 0)) for e in own), default=0) for own in logs),
            max((int(e.get("memory", 0)) for own in logs for e in own), default=0),
        )


def both(studio: Studio, sft: Run, data: str, objective: str = "grpo", **few: Any) -> list[Run]:
    """[DPO, reward model, the run that learned from it], from one start and the same pairs."""
    dpo = trained(studio, "dpo", "pocket-dpo", start_from=sft.id, dataset_name=data, **few)
    reward = trained(studio, "reward", "pocket-reward", dataset_name=data, **few)
    online, _ = recommended_recipe(objective, sft.method, sft.model)
    rewards = {"reward_funcs": (f"model:{reward.id}",), "reward_weights": None}
    online = online.with_(start_from=sft.id, dataset_name=data, **rewards, **few)
    return [dpo, reward, finished(studio, objective, online)]


def meet(
    studio: Studio, run: Run, opponent: Run, prompts: Sequence[list[dict[str, str]]]
) -> Duel | None:
    """The duel of two runs, decided by the rule; None where all their answers were identical."""
    for duel in duels_of(studio, run):
        if duel.opponent == opponent.id:
            return duel
    project, _ = make_duel(studio, run, opponent, prompts)
    studio.pairs.wait(project.id)
    RuleAnnotator("rule").label(studio, project)
    return next((each for each in duels_of(studio, run) if each.project == project.id), None)


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
    """Every stage, then the table, the duels, and which targets are met."""
    few = {"max_steps": FEW} if options.small else {}
    held = votes(studio)
    rows = lines("questions")[: options.questions]
    sft = trained(studio, "sft", "pocket-sft", **few)
    dpo, reward, grpo = both(studio, sft, VOTES, **few)
    rules = trained(studio, "rules", "pocket-grpo", start_from=sft.id, dataset_name=VOTES, **few)
    right, of = accuracy(studio, reward, held)
    curve = best_of(studio, sft, reward, rows, 8)
    table = [
        ("SFT, the start", measured(studio, sft, rows), Cost.of(sft)),
        ("DPO", measured(studio, dpo, rows), Cost.of(dpo)),
        ("Reward model, GRPO", measured(studio, grpo, rows), Cost.of(reward, grpo)),
        ("Rules, GRPO", measured(studio, rules, rows), Cost.of(rules)),
    ]
    print(
        "best of n, courteous %: "
        + ", ".join(f"{k}: {value:.0f}" for k, value in enumerate(curve, 1))
    )
    print(f"\n{'':20} {'courteous':>10} {'right':>7} {'seconds':>8} {'tokens':>9} {'memory':>9}")
    for line in table:
        print(_line(*line))
    prompts = [[{"role": "user", "content": row["prompt"]}] for row in rows[: options.duels]]
    for one, other in ((dpo, sft), (grpo, sft), (grpo, dpo)):
        duel = meet(studio, one, other, prompts)
        if duel and (at := duel.share):
            share, low, high = (100 * x for x in (at.value, at.low, at.high))
            print(f"{one.name} over {other.name}: {share:.0f} % ({low:.0f} to {high:.0f} %)")
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
    for (label, figures, _), learned in zip(table[2:], (grpo, rules), strict=True):
        aims += [
            (f"{label}: courteous 80 %", figures["courteous"], 80.0),
            (f"{label}: right at most 5 points lower", figures["exact"] - before["exact"], -5.0),
            (f"{label}: 300 s at most", -learned.train_seconds, -300.0),
        ]
    for aim, found, wanted in aims:
        print(f"{'met' if found >= wanted else 'NOT met':8} {aim}: {abs(found):.0f}")
    print(f"\nat {time.strftime('%H:%M')}, load {os.getloadavg()[0]:.1f}")


def _line(label: str, figures: dict[str, float], spent: Cost) -> str:
    return (
        f"{label:20} {figures['courteous']:8.0f} % {figures['exact']:5.0f} % "
        f"{spent.seconds:8.0f} {spent.tokens:9,} {spent.memory / 1e6:6,.0f} MB"
    )


if __name__ == "__main__":
    main()
