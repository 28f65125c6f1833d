"""The pocket model at four times its context: losses by position, and pass keys found.

    python -m benchmarks.long_context [--steps 200] [--shifted]

LoRA with embeddings and norms under a YaRN RoPE of factor 4, trained on rows of 2,048 tokens: the
pocket world's prose with a pass key in it that is asked for again and again. Measured on prose of
another seed, as `context` does it, before, with the scaling alone, and after. The keys are others
than those trained on, the sentences around them are the same.

The base cannot copy: it never had to look anything up in what it read, and no digit occurs in what
it learned from. `benchmarks.far_facts` teaches it that first, with facts of its own words.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from presets.pocket.maker.prose import write_corpus
from presets.pocket.maker.world import make_world
from studio import Recipe, Studio
from studio.cli.answers import VIEWS
from studio.commands import Commands
from studio.core.library_types import Tokenizer
from studio.core.model_names import resolve
from studio.models.loading import load_tokenizer

LENGTH = 2048
_ASKED = 6


def rows(tokenizer: Tokenizer, seed: int, count: int, keys: bool) -> Iterator[dict[str, str]]:
    """Texts of a little under `LENGTH` tokens, with or without a key and its questions."""
    draw = random.Random(seed)
    texts = [document.text for document in write_corpus(make_world(), seed, 4000)]
    for _ in range(count):
        key = "".join(draw.choice("123456789") for _ in range(4))
        added = 40 + (_ASKED * 24 if keys else 0)
        parts: list[str] = []
        size = 0
        while True:
            text = draw.choice(texts)
            size += len(tokenizer(text + " ")["input_ids"])
            if size + added > LENGTH:
                break
            parts.append(text)
        if keys:
            at = draw.randrange(len(parts) // 2)
            places = sorted(draw.randrange(at + 1, len(parts) + 1) for _ in range(_ASKED - 1))
            for place in (len(parts), *reversed(places)):
                parts.insert(place, f"What is the pass key? The pass key is {key}.")
            parts.insert(at, f"The pass key is {key}. Remember it.")
        yield {"text": " ".join(parts)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--trials", type=int, default=8, help="facts a cell")
    parser.add_argument("--shifted", action="store_true", help="with shifted sparse attention")
    given = parser.parse_args()
    tokenizer = load_tokenizer(resolve("pocket"))
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder) / "home")
        plain = [*rows(tokenizer, 12, 8, keys=False)]
        taught = [*rows(tokenizer, 11, given.steps, keys=True)]
        data = studio.datasets.from_rows(taught, "language_modeling", "long")
        held_out = studio.datasets.from_rows(plain, "language_modeling", "prose")
        recipe = Recipe.defaults(
            dataset_name=data.id,
            name="tuned",
            max_length=LENGTH,
            max_steps=given.steps,
            per_device_train_batch_size=1,
            learning_rate=1e-3,
            rope_parameters={"rope_type": "yarn", "factor": 4},
            train_embeddings_and_norms=True,
            shifted_attention=given.shifted,
            sample_steps=0,
        )
        run = studio.wait(studio.train(recipe).id)
        if run.state != "finished":
            raise SystemExit(run.error)
        found = Commands(studio).context(
            run=run.id, data=held_out.id, length=LENGTH, trials=given.trials
        )
        print(f"{given.steps} steps, {run.train_seconds:.0f} s, shifted: {given.shifted}\n")
        print(VIEWS["context"].render(found))
        studio.close()


if __name__ == "__main__":
    main()
