"""The whole loop without people: on the pocket world a rule votes, for two rounds.

    python -m benchmarks.rounds                       in a temporary workspace, a few minutes
    python -m benchmarks.rounds --home FOLDER --pairs 96 --rounds 2

The engine does everything: SFT, then in each round pairs written by the newest model, votes, DPO
from the adapter that wrote them, and two blind duels on held-out prompts: against the previous
model, and against the one the rounds started from. The rule is the pocket world's own preference
(`presets/pocket/maker/rules.py`): courteous and short first, rambling last. Both annotators flip
one vote in ten; one also takes the left answer unread in one of four. The noise and bias that the
annotator report finds are printed beside the injected ones.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.rule_annotator import RuleAnnotator
from presets.pocket.maker.rules import style
from studio import Studio
from studio.data.readers.sources import sample_path
from studio.generation.request import Column, Sampling
from studio.labels import Project, Rule
from studio.labels.annotator_report import report
from studio.labels.pair_generation import PairPlan
from studio.metrics.proportions import sign_test, wilson_interval
from studio.runs.recipe import presets
from studio.runs.store import Run
from studio.workflows.rounds import Duel, lineages, make_duel, votes_dataset

NOISE, HURRY = 0.1, 0.25
DRAWN = {"temperature": 1.0, "top_p": 0.95, "max_new_tokens": 80}
#: Gentler than the shipped recipe, which converges in one round: round two must have room left.
STEPS, RATE = 30, 4.0e-4


@dataclass(frozen=True)
class Outcome:
    """One round: the share of courteous, short replies to held-out prompts, and both duels.

    A duel holds wins, losses, ties, identical answers, and the win rate with ties as half.
    """

    number: int
    courteous: float
    before: dict[str, Any] | None = None
    start: dict[str, Any] | None = None
    pairs: int = 0


def prompts_of(alias: str) -> list[list[dict[str, str]]]:
    """A shipped sample's prompts, each once, as messages."""
    rows = map(json.loads, sample_path(alias).read_text(encoding="utf-8").splitlines())
    texts = (
        row["prompt"] if isinstance(row["prompt"], str) else row["prompt"][-1]["content"]
        for row in rows
    )
    return [[{"role": "user", "content": text}] for text in dict.fromkeys(texts)]


def courteous_share(studio: Studio, run: Run, prompts: list[list[dict[str, str]]]) -> float:
    """Share of a run's greedy replies that the rule classifies as courteous."""
    handle = studio.compare(run.id, prompts, Sampling(max_new_tokens=80))
    handle.wait()
    replies = [cell.text for cell in handle.snapshot().answers[1]]
    return sum(style(reply) == "courteous" for reply in replies) / len(replies)


def label_round(
    studio: Studio, run: Run, prompts: list[Any], annotators: list[RuleAnnotator]
) -> Project:
    """Two answers of a run to every prompt, labeled by all annotators, with repeats."""
    columns = tuple(
        Column(run.model, run.id, f"{run.name}, seed {seed}", sampling=Sampling(**DRAWN, seed=seed))
        for seed in (1, 2)
    )
    plan = PairPlan("", (columns[0], columns[1]), prompts, Sampling(**DRAWN), ahead=10**9)
    project = studio.pairs.make_project(plan, f"pairs of {run.name}", seed=1, repeat_every=6)
    studio.pairs.wait(project.id)
    for annotator in annotators:
        annotator.label(studio, project)
    return project


def train_round(studio: Studio, run: Run, project: Project, number: int) -> Run:
    """DPO on the votes, starting from the adapter that wrote the answers."""
    dataset = votes_dataset(studio, project.id, "dpo", Rule("each"))
    recipe = presets()["pocket-dpo"].with_(
        name=f"round {number}",
        dataset_name=dataset.id,
        start_from=run.id,
        learning_rate=RATE,
        max_steps=STEPS,
    )
    tuned = studio.wait(studio.train(recipe).id)
    if tuned.state != "finished":
        raise RuntimeError(f"{tuned.name} is {tuned.state}: {tuned.error}")
    return tuned


def duel(
    studio: Studio, run: Run, opponent: Run, prompts: list[Any], annotators: list[RuleAnnotator]
) -> None:
    """A blind duel on held-out prompts, labeled by all annotators."""
    project, _ = make_duel(studio, run, opponent, prompts, Sampling(max_new_tokens=80), seed=2)
    studio.pairs.wait(project.id)
    for annotator in annotators:
        annotator.label(studio, project)


def loop(
    studio: Studio, first: Run, rounds: int, pairs: int, held_out: int, seed: int
) -> tuple[list[Outcome], dict[str, Any]]:
    """All rounds from an existing run, and the noise and bias that the report finds."""
    draw = random.Random(seed)
    train = prompts_of("pocket-preference")
    test = prompts_of("pocket-questions")
    draw.shuffle(train)
    draw.shuffle(test)
    test = test[:held_out]
    run, made, projects = first, [Outcome(0, courteous_share(studio, first, test))], []
    careful = RuleAnnotator("careful", NOISE, draw=random.Random(seed + 1))
    hasty = RuleAnnotator("hasty", NOISE, HURRY, draw=random.Random(seed + 2))
    for number in range(1, rounds + 1):
        asked = train[(number - 1) * pairs : number * pairs]
        project = label_round(studio, run, asked, [careful, hasty])
        projects.append(project)
        tuned = train_round(studio, run, project, number)
        judge = RuleAnnotator("judge", NOISE, draw=random.Random(seed + 10 + number))
        for opponent in dict.fromkeys((run.id, first.id)):
            duel(studio, tuned, studio.runs.get(opponent), test, [judge])
        courteous = courteous_share(studio, tuned, test)
        made.append(_outcome(studio, number, courteous, tuned, run, first, project))
        run = tuned
    injected = {each.name: dict(each.errors) for each in (careful, hasty)}
    return made, {"injected": injected, **found_out(studio, projects, hasty)}


def _outcome(
    studio: Studio,
    number: int,
    courteous: float,
    tuned: Run,
    before: Run,
    first: Run,
    project: Project,
) -> Outcome:
    chain = next(line for line in lineages(studio) if line.rounds[-1].run.id == tuned.id)
    last = chain.rounds[-1]
    met = [_met(last.against(other.id)) for other in (before, first)]
    return Outcome(number, courteous, met[0], met[1], studio.labels.get(project.id).items)


def _met(met: Duel | None) -> dict[str, Any] | None:
    if met is None or met.rate is None or met.share is None:
        return None
    rate = met.rate
    counts = {"won": rate.wins, "lost": rate.losses, "even": rate.ties, "alike": met.even}
    return {"rate": met.share.value, "low": met.share.low, "high": met.share.high, **counts}


def _left_by_hurry(annotator: RuleAnnotator) -> float:
    """Expected share of left answers: all of the hurried votes, half of the others."""
    others = annotator.errors["kept"] + annotator.errors["flipped"]
    return (annotator.errors["hurried"] + others / 2) / (annotator.errors["hurried"] + others)


def found_out(studio: Studio, projects: list[Project], hasty: RuleAnnotator) -> dict[str, Any]:
    """The annotator report's figures over all projects, beside the injected rates.

    Two votes of the careful annotator on a pair that the rule decides agree with probability
    (1 - noise)^2 + noise^2. The hasty one takes the left of a decided pair with probability 1/2,
    of a hurried one always.
    """
    reports = [
        report(list(studio.labels.labelled_pairs(p.id)), studio.labels.repeat_votes(p.id))
        for p in projects
    ]
    repeats = [
        pair
        for p in projects
        for pair in studio.labels.repeat_votes(p.id)
        if pair[0].annotator == "careful" and "tie" not in (pair[0].choice, pair[1].choice)
    ]
    same = sum(first.choice == second.choice for first, second in repeats)
    people = {
        name: [next(r for r in part["people"] if r["name"] == name) for part in reports]
        for name in ("careful", "hasty")
    }
    injected = {"careful": 0.5, "hasty": _left_by_hurry(hasty)}
    left = {
        name: _pooled([(row["left"]["share"], row["left"]["count"]) for row in rows])
        | {"injected": injected[name]}
        for name, rows in people.items()
    }
    return {
        "self_agreement": {
            "found": same / len(repeats) if repeats else None,
            "count": len(repeats),
            "interval": wilson_interval(same, len(repeats)),
            "injected": (1 - NOISE) ** 2 + NOISE**2,
        },
        "left": left,
        "report_self_agreement": [row["self_agreement"] for row in people["careful"]],
    }


def _pooled(parts: list[tuple[float | None, int]]) -> dict[str, Any]:
    count = sum(n for _, n in parts)
    yes = round(sum((share or 0) * n for share, n in parts))
    interval, p_value = wilson_interval(yes, count), sign_test(yes, count - yes)
    return {"found": yes / count, "count": count, "interval": interval, "p_value": p_value}


def first_run(studio: Studio) -> Run:
    """The oldest SFT run of the workspace, trained if there is none."""
    finished = [run for run in studio.runs.list() if run.objective == "sft" and run.adapter]
    if finished:
        return finished[-1]
    run = studio.wait(studio.train(presets()["pocket-sft"].with_(name="first")).id)
    if run.state != "finished":
        raise RuntimeError(f"{run.name} is {run.state}: {run.error}")
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=160)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    began = time.monotonic()
    warnings.filterwarnings("ignore", category=FutureWarning)
    with tempfile.TemporaryDirectory(prefix="studio-rounds-") as folder:
        studio = Studio(chosen.home or Path(folder))
        try:
            made, found = loop(
                studio, first_run(studio), chosen.rounds, chosen.pairs, chosen.held_out, chosen.seed
            )
        finally:
            studio.close()
    for outcome in made:
        print(json.dumps(asdict(outcome)))
    print(json.dumps(found | {"seconds": round(time.monotonic() - began)}))


if __name__ == "__main__":
    main()
