"""Facts that lie far back: does the pocket model at four times its context still find them?

    python -m benchmarks.far_facts [--teach 150] [--steps 40] [--trials 4] [--home DIR]

The pocket model as it ships knows its valley by heart and never had to look anything up in what it
read, so no context is short enough for it to find a fact that it does not know. Two runs, then:

1. SFT in full on short texts: the world's prose, in which guests are named ("The guest by the well
   is Petra.") and named again later, at any distance. Who is a guest where is drawn anew for each
   text, so the second naming can only be copied from the first.
2. A LoRA with embeddings and norms under a YaRN RoPE of factor 4 on the same kind of text, 2,048
   tokens long. It starts from the first run, which is the base of all that is measured.

Measured by `context` on prose of another seed, with pairs of place and guest that no row of either
run ever held: base, base with the scaling alone, and tuned, with counts and 95 % intervals. What
the model as it ships finds is measured first.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from presets.pocket.maker.prose import SPOTS, write_corpus
from presets.pocket.maker.world import make_world
from studio import Recipe, Studio
from studio.cli.answers import VIEWS
from studio.commands import Commands
from studio.core.library_types import Tokenizer
from studio.core.model_names import resolve
from studio.models.loading import load_tokenizer
from studio.runs.store import Run

SHORT, NEAR, FAR = 128, 512, 2048
"""Tokens of the first run's texts, of the model's own context, and of the second run's texts."""
TEACH, STEPS = 150, 40
_NEAREST = 10
"""Tokens between two namings of one guest, at least; at most half a text. They are spread evenly by
their logarithm."""
_TOKENS = 9  # of a naming


def told(spot: str) -> str:
    """How a fact begins."""
    return f"The guest {spot} is"


def facts(held_out: bool) -> list[tuple[str, str]]:
    """(place, guest): every fifth pair is held out. All of the valley's people may be guests."""
    pairs = [(spot, person.name) for spot in SPOTS for person in make_world().people]
    random.Random(4).shuffle(pairs)
    return [pair for at, pair in enumerate(pairs) if (at % 5 == 0) == held_out]


def sentences(seed: int) -> list[str]:
    """The world's prose, sentence by sentence."""
    texts = (
        document.text.replace("\n", " ") for document in write_corpus(make_world(), seed, 4000)
    )
    found = [one.strip(' ".') for text in texts for one in text.split(". ")]
    return [f"{one}." for one in found if 0 < len(one) < 150]


def rows(tokenizer: Tokenizer, seed: int, count: int, length: int) -> Iterator[dict[str, str]]:
    """Texts of about `length` tokens in which two guests or more, one a place, are named again and
    again."""
    draw, known = random.Random(seed), facts(held_out=False)
    prose = [(text, len(tokenizer(" " + text)["input_ids"])) for text in sentences(seed)]
    for _ in range(count):
        guests = dict(draw.sample(known, 40))
        chosen = draw.sample(sorted(guests), min(len(guests), max(2, length // 200)))
        due = [(draw.random() * length / 4, spot) for spot in chosen]
        heapq.heapify(due)
        size, parts = 0, []
        while size < length:
            if due and due[0][0] <= size:
                _, spot = heapq.heappop(due)
                parts.append(f"{told(spot)} {guests[spot]}.")
                size += _TOKENS
                gap = math.exp(draw.uniform(math.log(_NEAREST), math.log(length / 2)))
                heapq.heappush(due, (size + gap, spot))
            else:
                text, tokens = draw.choice(prose)
                parts.append(text)
                size += tokens
        yield {"text": " ".join(parts)}


def asked() -> Iterator[dict[str, str]]:
    """The held-out facts as rows to hide and ask for."""
    for spot, name in facts(held_out=True):
        yield {"prompt": told(spot), "completion": f" {name}."}


class Experiment:
    """The runs and what is measured of them, in one workspace."""

    def __init__(self, studio: Studio, trials: int):
        self.studio, self.trials = studio, trials
        self.tokenizer = load_tokenizer(resolve("pocket"))

    def data(self, name: str, kind: str, made: Iterator[dict[str, str]]) -> str:
        known = [each.id for each in self.studio.datasets.list() if each.name == name]
        return known[0] if known else self.studio.datasets.from_rows([*made], kind, name).id

    def run(self, name: str, length: int, batch: int, steps: int, **changes: Any) -> Run:
        """A finished run of that name, trained where there is none."""
        known = [run for run in self.studio.runs.list() if (run.name, run.state) == _done(name)]
        if known:
            return known[0]
        texts = rows(self.tokenizer, 11 + length, batch * steps, length)
        recipe = Recipe.defaults(
            dataset_name=self.data(f"guests-{length}", "language_modeling", texts),
            name=name,
            max_length=length,
            max_steps=steps,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=1,
            lr_scheduler_type="linear",
            save_steps=steps,
            sample_steps=0,
            **changes,
        )
        run = self.studio.wait(self.studio.train(recipe).id)
        if run.state != "finished":
            raise SystemExit(run.error)
        print(f"{name}: {steps} steps, {run.train_seconds:.0f} s\n", flush=True)
        return run

    def first(self, steps: int = TEACH) -> Run:
        """The run that teaches looking up."""
        return self.run(
            "looks-up", SHORT, 8, steps, method="full", learning_rate=1.5e-3, warmup_steps=10
        )

    def second(self, first: Run, steps: int = STEPS, shifted: bool = False) -> Run:
        """The run that reads further."""
        return self.run(
            "reads-further",
            FAR,
            1,
            steps,
            start_from=first.id,
            start_as="merge",
            learning_rate=1e-3,
            warmup_steps=5,
            rope_parameters={"rope_type": "yarn", "factor": 4},
            train_embeddings_and_norms=True,
            shifted_attention=shifted,
        )

    def sets(self) -> tuple[str, str]:
        """(rows of prose, held-out facts) that runs are measured on."""
        prose = self.data("prose", "language_modeling", self.long_prose())
        return prose, self.data("guests-held-out", "prompt_completion", asked())

    def measure(self, run: Run, length: int) -> None:
        prose, hidden = self.sets()
        found = Commands(self.studio).context(
            run=run.id, data=prose, facts=hidden, length=length, trials=self.trials, limit=8
        )
        print(VIEWS["context"].render(found), "\n", flush=True)

    def long_prose(self) -> Iterator[dict[str, str]]:
        """Rows of at least `FAR` tokens that name no guest."""
        draw, texts = random.Random(12), sentences(12)
        for _ in range(8):
            yield {"text": " ".join(draw.sample(texts, FAR // 8))}


def _done(name: str) -> tuple[str, str]:
    return name, "finished"


@contextmanager
def workspace(kept: Path | None) -> Iterator[Studio]:
    """A kept workspace, or one for the time being."""
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(kept or Path(folder) / "home")
        try:
            yield studio
        finally:
            studio.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--teach", type=int, default=TEACH, help="steps of the first run")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of the second run")
    parser.add_argument("--trials", type=int, default=4, help="facts a cell")
    parser.add_argument("--shifted", action="store_true", help="with shifted sparse attention")
    parser.add_argument("--only", choices=("first", "second"), help="measure one of the runs")
    parser.add_argument("--home", type=Path, help="a workspace to keep; its finished runs are used")
    given = parser.parse_args()
    with workspace(given.home) as studio:
        experiment = Experiment(studio, given.trials)
        first = experiment.first(given.teach)
        if given.only != "second":
            print("The model as it ships, and after the first run:\n", flush=True)
            experiment.measure(first, NEAR)
        if given.only != "first":
            second = experiment.second(first, given.steps, given.shifted)
            print("The first run, with the scaling alone, and after the second:\n", flush=True)
            experiment.measure(second, FAR)


if __name__ == "__main__":
    main()
