"""Made-up rows and files for the tests of the data engine."""

import json
import random

from studio.core.workspace import PRESETS
from studio.data import inspect
from studio.data.readers.files import read_file

POCKET = PRESETS / "pocket"
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


def numbered(count, same=1):
    """Question and answer rows; each question comes `same` times."""
    return [
        {"question": f"Question {n // same}?", "answer": f"Answer {n} it is"} for n in range(count)
    ]


def put(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def inspected(folder, rows, **options):
    return inspect(write(folder, rows), **options)


def read_raw(path):
    """(rows, notes) of a file, before any format is detected."""
    notes = []
    return list(read_file(path, notes.append)), notes


def raw_data(path):
    return [raw.data for raw in read_raw(path)[0]]


GERMAN = [{"question": f"Wie heißt {n}?", "answer": f"Größe {n}\nzwei"} for n in range(5)]
"""Rows with letters beyond ASCII and line feeds in cells."""

ODD = [{"prompt": f"Question {n}\u2028 é\u0085?", "completion": f"Answer {n}."} for n in range(30)]
"""Rows with characters that `str.splitlines` takes for line ends."""


def as_turns(rows):
    """Texts of prompts and completions as they are read: one turn each."""
    return [
        {
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "completion": [{"role": "assistant", "content": row["completion"]}],
        }
        for row in rows
    ]


def as_csv(delimiter=","):
    cells = [["question", "answer"]] + [[r["question"], f'"{r["answer"]}"'] for r in GERMAN]
    return "".join(delimiter.join(line) + "\r\n" for line in cells)


USER = [{"role": "user", "content": "Where does  Mira live?"}]
TWO = [
    *USER,
    {"role": "assistant", "content": "In Alderford."},
    {"role": "user", "content": "And é你?"},
    {"role": "assistant", "content": "I do not know."},
]
"""A conversation of two turns each, with text that tokenizers split in odd places."""


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}
