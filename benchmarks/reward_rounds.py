"""Rounds without people on the built-in model; the judge is a rule with 10 % noise.

    python -m benchmarks.reward_rounds [--rounds 3] [--prompts 64] [--steps 20]

The rule prefers courteous, short answers (see `benchmarks.rounds`) and gives the opposite of what
it means in a tenth of its decisions. Prints each round's win rate against the last and, without the
noise, the share of courteous answers to held-out prompts.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.rounds import NOISE, RATE, courteous_share, prompts_of
from presets.pocket.maker.rules import style
from studio import Studio
from studio.rewards import WeightedReward
from studio.runs.recipe import find_recipe
from studio.workflows.reward_rounds import Rounds, RoundsPlan


def noisy_rule(seed: int) -> WeightedReward:
    draw = random.Random(seed)

    def scores(prompts: Sequence[Any], answers: Sequence[str]) -> list[float]:
        return [
            float((style(answer) == "courteous") != (draw.random() < NOISE)) for answer in answers
        ]

    return WeightedReward(["model:rule"], scorers={"rule": scores})


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--prompts", type=int, default=64)
    asked.add_argument("--steps", type=int, default=20)
    asked.add_argument("--seed", type=int, default=0)
    given = asked.parse_args()
    began = time.monotonic()
    studio = Studio(Path(tempfile.mkdtemp()) / "home")
    first = studio.wait(studio.train(find_recipe("pocket-sft")).id)
    plan = RoundsPlan(
        first.id,
        rounds=given.rounds,
        prompts=given.prompts,
        held_out=0.2,
        max_new_tokens=60,
        seed=given.seed,
        changes={"learning_rate": RATE, "max_steps": given.steps},
    )
    work = Rounds(studio, plan, prompts_of("pocket-preference"), noisy_rule(given.seed))
    test = work.held_out[:60]
    print(json.dumps({"round": 0, "courteous": courteous_share(studio, first, test)}), flush=True)
    for one in work.run():
        run = studio.runs.get(one.run)
        found = {
            "round": one.number,
            "pairs": one.pairs,
            "win": round(one.win, 3),
            "interval": [round(one.low, 3), round(one.high, 3)],
            "prompts": one.prompts,
            "courteous": round(courteous_share(studio, run, test), 3),
            "seconds": round(time.monotonic() - began),
        }
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
