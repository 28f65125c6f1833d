"""A fact hidden in a long text and asked for at its end: a pass key, or a row's own answer."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.errors import DataError
from studio.evaluation import forward
from studio.evaluation.eval_rows import ScoreRows
from studio.evaluation.forward import Given
from studio.generation.column_models import ColumnModel
from studio.metrics.proportions import wilson_interval

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
DIGITS = "123456789"


@dataclass(frozen=True)
class Needle:
    """What is hidden, what is asked at the end, and the answer, which the fact holds."""

    fact: str
    asked: str
    answer: str


@dataclass(frozen=True)
class Cell:
    """Facts hidden at `depth` (0 to 1, None for all depths together) of `length` tokens: the share
    found, with a 95 % interval (Wilson), and the answers' mean log-probability a token.

    A fact is found where each token of its answer was the model's first choice.
    """

    length: int
    depth: float | None
    found: float
    low: float
    high: float
    hits: int
    trials: int
    logp: float


def pass_key(draw: random.Random, digits: int) -> Needle:
    """A key whose digits are all different."""
    key = "".join(draw.sample(DIGITS, digits))
    return Needle(
        f" The pass key is {key}. Remember it.", " What is the pass key? The pass key is", f" {key}"
    )


def facts_of(rows: ScoreRows) -> list[Needle]:
    """A row's prompt and answer as a fact, asked for by its prompt.

    Raises `DataError` where no row has both.
    """
    found: list[Needle] = []
    for row in rows.asked():
        if row is None or not row[1]:
            continue
        prompt, answer = str(row[0][-1]["content"] or "").strip(), row[1][0].strip()
        if prompt and answer:
            found.append(Needle(f" {prompt} {answer}", f" {prompt}", f" {answer}"))
    if not found:
        raise DataError(f"{rows.name} has no row with a prompt and an answer to hide.")
    return found


def grid(
    loaded: ColumnModel,
    texts: Sequence[list[int]],
    lengths: Sequence[int],
    trials: int,
    digits: int = 4,
    facts: Sequence[Needle] = (),
    step: Callable[[], None] = lambda: None,
) -> list[Cell]:
    """`trials` facts, or pass keys where none are given, hidden among texts at every depth of every
    length.

    Facts and texts are drawn with a fixed seed, the same for every column. `step` is called before
    each cell, and may raise `Cancelled`.
    """
    cells: list[Cell] = []
    for length in lengths:
        for depth in DEPTHS:
            step()
            cells.append(_cell(loaded, texts, length, depth, trials, digits, facts))
    return cells


def by_length(cells: Sequence[Cell]) -> list[Cell]:
    """All depths of a length together."""
    found: list[Cell] = []
    for length in dict.fromkeys(cell.length for cell in cells):
        part = [cell for cell in cells if cell.length == length]
        hits, trials = sum(cell.hits for cell in part), sum(cell.trials for cell in part)
        logp = sum(cell.logp for cell in part) / len(part)
        found.append(_counted(length, None, hits, trials, logp))
    return found


def _counted(length: int, depth: float | None, hits: int, trials: int, logp: float) -> Cell:
    low, high = wilson_interval(hits, trials)
    return Cell(length, depth, hits / trials, low, high, hits, trials, logp)


def _cell(
    loaded: ColumnModel,
    texts: Sequence[list[int]],
    length: int,
    depth: float,
    trials: int,
    digits: int,
    facts: Sequence[Needle],
) -> Cell:
    draw = random.Random(f"{length} {depth}")
    needles = _drawn(draw, trials, digits, facts)
    given = [hidden(loaded.tokenizer, texts, length, depth, draw, each) for each in needles]
    read = forward.read(loaded, given)
    hits = sum(all(each.first) for each in read)
    logps = [logp for each in read for logp in each.logps]
    return _counted(length, depth, hits, trials, sum(logps) / len(logps))


def _drawn(
    draw: random.Random, trials: int, digits: int, facts: Sequence[Needle]
) -> Iterator[Needle]:
    """Every fact once before one comes again."""
    left: list[Needle] = []
    for _ in range(trials):
        if not facts:
            yield pass_key(draw, digits)
            continue
        if not left:
            left = draw.sample(facts, len(facts))
        yield left.pop()


def hidden(
    tokenizer: Any,
    texts: Sequence[list[int]],
    length: int,
    depth: float,
    draw: random.Random,
    needle: Needle,
) -> Given:
    """One trial: filler, the fact at its depth, more filler, the question, the answer scored.

    Raises `DataError` for a fact that a text of this length has no room for.
    """

    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    fact, asked, answer = ids(needle.fact), ids(needle.asked), ids(needle.answer)
    room = length - len(fact) - len(asked) - len(answer)
    if room < 0:
        raise DataError(
            f"A fact, its question and its answer take {length - room:,} tokens, and the shortest "
            f"texts of the grid {length:,}. Choose shorter facts, or a greater length."
        )
    filler: list[int] = []
    while len(filler) < room:
        filler += draw.choice(texts)
    at = round(depth * room)
    before = [*filler[:at], *fact, *filler[at:room], *asked]
    return Given([*before, *answer], [False] * len(before) + [True] * len(answer))
