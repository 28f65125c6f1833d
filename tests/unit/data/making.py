"""Made-up rows and files for the tests of the data engine."""

import json
import random

_TEXT = "river stone lamp wolf green seven quiet engine paper cloud bridge salt winter honey"
WORDS = _TEXT.split(" ")


def said(chance: random.Random, count: int = 12) -> str:
    return " ".join(chance.choices(WORDS, k=count))


def questions(count, seed=0):
    chance = random.Random(seed)
    return [
        {"question": f"{n} {said(chance)}?", "answer": f"{said(chance)} {n}.", "kind": "abc"[n % 3]}
        for n in range(count)
    ]


def write(folder, rows, name="rows.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
