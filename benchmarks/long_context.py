"""The pocket model at four times its context: losses by position, and pass keys found.

    python -m benchmarks.long_context [--steps 200] [--shifted]
    python -m benchmarks.long_context --lookups --steps 600 --digits 1

LoRA with embeddings and norms under a YaRN RoPE of factor 4, trained on rows of 2,048 tokens: the
pocket world's prose with a pass key in it that is asked for again and again. Measured on prose of
another seed, as `context` does it, before, with the scaling alone, and after. The keys are others
than those trained on, the sentences around them are the same.

The base cannot copy: it never had to look anything up in what it read. `--lookups` teaches that
alone: each row hides one key at 0 to 100 % of a text, most of them short and some as long as
`LENGTH`, asks for it at the end, and trains on the answer only.
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


_SHARES = ((40, 0.5), (96, 0.3), (512, 0.15), (LENGTH, 0.05))
"""Up to how many tokens, and the share of rows that are so long."""


def lookups(tokenizer: Tokenizer, seed: int, count: int, digits: int) -> Iterator[dict[str, str]]:
    """Prompts of many lengths with a key at any depth and the question for it, and the answer."""
    draw = random.Random(seed)
    texts = [document.text for document in write_corpus(make_world(), seed, 4000)]
    longest, shares = [top for top, _ in _SHARES], [share for _, share in _SHARES]
    for _ in range(count):
        top = draw.choices(longest, shares)[0]
        room = draw.randint(top // 4, top - 4) - 32  # what the fact and the question take
        words: list[str] = []
        size = 0
        while size < room:
            for word in draw.choice(texts).split():
                size += len(tokenizer(" " + word)["input_ids"])
                if size >= room:
                    break
                words.append(word)
        key = "".join(draw.sample("123456789", digits))
        at = draw.randint(0, len(words))
        parts = [*words[:at], f"The pass key is {key}. Remember it.", *words[at:]]
        asked = "What is the pass key? The pass key is"
        yield {"prompt": " ".join([*parts, asked]), "completion": f" {key}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--trials", type=int, default=8, help="facts a cell")
    parser.add_argument("--shifted", action="store_true", help="with shifted sparse attention")
    parser.add_argument("--lookups", action="store_true", help="rows that hide keys, no prose")
    parser.add_argument("--digits", type=int, default=4, help="of a key")
    parser.add_argument("--batch", type=int, default=0, help="rows a step: 1, of lookups 16")
    parser.add_argument("--rate", type=float, default=1e-3)
    given = parser.parse_args()
    batch = given.batch or (16 if given.lookups else 1)
    tokenizer = load_tokenizer(resolve("pocket"))
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder) / "home")
        plain = [*rows(tokenizer, 12, 8, keys=False)]
        if given.lookups:
            taught = [*lookups(tokenizer, 11, batch * given.steps, given.digits)]
            data = studio.datasets.from_rows(taught, "prompt_completion", "lookups")
        else:
            taught = [*rows(tokenizer, 11, batch * given.steps, keys=True)]
            data = studio.datasets.from_rows(taught, "language_modeling", "long")
        held_out = studio.datasets.from_rows(plain, "language_modeling", "prose")
        recipe = Recipe.defaults(
            dataset_name=data.id,
            name="tuned",
            max_length=LENGTH,
            max_steps=given.steps,
            per_device_train_batch_size=batch,
            learning_rate=given.rate,
            rope_parameters={"rope_type": "yarn", "factor": 4},
            train_embeddings_and_norms=True,
            shifted_attention=given.shifted,
            sample_steps=0,
        )
        run = studio.wait(studio.train(recipe).id)
        if run.state != "finished":
            raise SystemExit(run.error)
        found = Commands(studio).context(
            run=run.id, data=held_out.id, length=LENGTH, trials=given.trials, digits=given.digits
        )
        print(f"{given.steps} steps, {run.train_seconds:.0f} s, shifted: {given.shifted}\n")
        print(VIEWS["context"].render(found))
        studio.close()


if __name__ == "__main__":
    main()
