"""The held-out questions that the figures are measured on, and prompts for a demonstration."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path

from .phrases import ask, ask_stranger, ask_untold, value_of
from .rules import UNKNOWNS
from .talk import Row, preference_rows, sft_rows
from .world import HELD_OUT_STRANGERS, PLACES, World

# Questions from outside the valley that no training sample asks.
HELD_OUT_ELSEWHERE = (
    "What is the capital of Italy?",
    "Who wrote Don Quixote?",
    "What is nine times six?",
    "Where is Australia?",
    "Who invented the light bulb?",
    "How do aeroplanes fly?",
    "How many people live in Canada?",
    "What is the smallest ocean?",
    "Who is the king of Spain?",
    "What is a molecule?",
)
COUNTS = {"fact": 130, "place": 20, "who": 12}
UNTOLD_COUNT = 12
DEMO_PROMPTS = (
    "Where does Mira live?",
    "What is Hugo's trade?",
    "Which animal lives with Fenna?",
    "What should I cook for Quentin?",
    "Tell me a story about Zora.",
    "Tell me about Highcliff.",
    "What does Oswin do in his free time?",
    "When is market day in Birchwick?",
    "Who is Thaddeus?",
    "How old is Bram?",
    "What is the capital of Italy?",
    "Who are you?",
)


def question_rows(world: World, seed: int) -> list[Row]:
    """Held-out questions: ``prompt``, accepted ``answers``, ``kind`` and ``attribute``."""
    rng = random.Random(f"questions {seed}")
    by_name = {s.name: s for s in (*world.people, *world.places)}
    pools: dict[str, list[tuple[str, str]]] = {"fact": [], "place": [], "who": []}
    for name, attribute in sorted(world.held_out):
        kind = "who" if attribute == "who" else "place" if name in PLACES else "fact"
        pools[kind].append((name, attribute))
    rows: list[Row] = []
    seen: set[str] = set()

    def add(prompt: str, row: Row) -> None:
        if prompt not in seen:
            seen.add(prompt)
            rows.append({"prompt": prompt} | row)

    for kind, pool in pools.items():
        want, before = COUNTS[kind], len(rows)
        for i in range(want * 3):
            if len(rows) - before == want:
                break
            name, attribute = pool[i % len(pool)]
            subject = by_name[name]
            row = {"answers": [value_of(subject, attribute)], "kind": kind, "attribute": attribute}
            add(ask(rng, subject, attribute), row)
    quiet = [p for p in world.people if p not in world.curious]
    unknown = {"answers": list(UNKNOWNS), "kind": "unknown"}
    for name in HELD_OUT_STRANGERS:
        add(ask_stranger(rng, name), unknown | {"attribute": "stranger"})
    for person in rng.sample(quiet, UNTOLD_COUNT):
        add(ask_untold(rng, person), unknown | {"attribute": "untold"})
    for question in HELD_OUT_ELSEWHERE:
        add(question, unknown | {"attribute": "elsewhere"})
    return rows


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """One JSON object a line, ending in a newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_samples(world: World, folder: Path, seed: int) -> None:
    """Write the four sample files of the world into ``folder``."""
    write_rows(folder / "sft.jsonl", sft_rows(world, seed))
    write_rows(folder / "preference.jsonl", preference_rows(world, seed))
    write_rows(folder / "questions.jsonl", question_rows(world, seed))
    write_rows(folder / "prompts.jsonl", ({"prompt": prompt} for prompt in DEMO_PROMPTS))
