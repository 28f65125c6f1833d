"""Pairs that come with votes: a published test set becomes a project that is judged already.

Three shapes are read, told by their columns:

    a table      two answers a row, and a column a rater (`annotator1`, `rater_2` ...) that says
                 1, 2 or 0 (tie); PandaLM's test set is one
    AlpacaEval   instruction, output_1, output_2, generator_1, generator_2, annotator, preference
    a folder     `question.jsonl`, two `answer_*.jsonl` and `review_*.jsonl` with a judge's two
                 scores, joined on `question_id`; Vicuna's blog evaluation is one

Every row is kept, also one that nobody would be asked about (equal answers, an empty one), so that
figures are over what was published.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from studio.core.errors import DataError
from studio.labels.alpaca_eval import Given, Scale, is_alpaca_eval, read_rows
from studio.labels.pair_filter import pair_digest
from studio.labels.projects import item_rows
from studio.labels.recount import rebuild
from studio.labels.schema import items, votes
from studio.labels.store import LabelStore
from studio.labels.types import DEFAULT_STRENGTH, Pair, Project, as_messages, clean_text

_ANSWERS = (
    ("response1", "response2"),
    ("answer1", "answer2"),
    ("output1", "output2"),
    ("response_a", "response_b"),
    ("answer_a", "answer_b"),
)
_MODELS = (("model1", "model2"), ("model_1", "model_2"), ("model_a", "model_b"))
_RATER = re.compile(r"(annotator|rater|judge|vote)[_ ]?\w{1,20}", re.IGNORECASE)
_SAID = {"1": "a", "2": "b", "0": "tie", "a": "a", "b": "b", "tie": "tie"}


@dataclass(frozen=True)
class Published:
    """Items in their order, and beside each what every rater said of it.

    `rates` are win rates by the file's own weights, where its votes have any (AlpacaEval).
    """

    name: str
    items: list[Pair]
    votes: list[Given]
    rates: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def raters(self) -> list[str]:
        return sorted({rater for given in self.votes for rater in given})


def read_published(paths: Sequence[str | Path], scale: Scale = "") -> Published:
    """Read a table with raters' columns, or a folder (or its files) with questions and reviews.

    `scale` is that of AlpacaEval's `preference`, where the file leaves it open. Raises `DataError`
    naming the file and row for what is neither.
    """
    files = [Path(path).expanduser() for path in paths]
    if len(files) == 1 and files[0].is_dir():
        name, files = files[0].name, sorted(files[0].glob("*.json*"))
    else:
        name = files[0].stem if files else "published"
    if not files:
        raise DataError("There is no file to read votes from.")
    if any(path.name.startswith("review") for path in files):
        return _reviewed(name, files)
    if len(files) > 1:
        raise DataError(
            "Several files are read together only as question.jsonl, two answer_*.jsonl and "
            "review_*.jsonl; give one table at a time."
        )
    return _table(name, files[0], scale)


def bring_in(store: LabelStore, published: Published, name: str = "", **more: Any) -> Project:
    """A finished project with the published items and votes, in one transaction each."""
    project = store.create_project(
        store.free_name(name or published.name),
        order="given",
        overlap=max(map(len, published.votes)),
        provenance={"published": published.name, "raters": published.raters}
        | ({"rates": published.rates} if published.rates else {}),
        **more,
    )
    digests = [
        hashlib.sha256(f"{row}\x1f{pair_digest(item)}".encode()).hexdigest()
        for row, item in enumerate(published.items)
    ]
    rows = item_rows(project, list(zip(digests, published.items, strict=True)), 0)
    with store.writing() as db:
        db.execute(items.insert(), rows)
        ids = list(
            db.scalars(
                sa.select(items.c.id)
                .where(items.c.project_id == project.id)
                .order_by(items.c.position)
            )
        )
        now = time.time()
        cast = [
            _vote_row(project, item_id, rater, *said, now)
            for item_id, given in zip(ids, published.votes, strict=True)
            for rater, said in given.items()
        ]
        db.execute(votes.insert(), cast)
        rebuild(db, project.id)
    return store.get(project.id)


def _vote_row(
    project: Project, item_id: int, rater: str, choice: str, strength: int, now: float
) -> dict[str, Any]:
    return {
        "project_id": project.id,
        "item_id": item_id,
        "annotator": rater,
        "version": 1,
        "action": "vote",
        "choice": choice,
        "strength": strength if choice in ("a", "b") else 0,
        "order": "ab",
        "seconds": 0.0,
        "note": "",
        "edited": "",
        "created": now,
        "guideline_version": project.guideline_version,
        "idempotency_key": f"published-{item_id}",
        "turn": 0,
        "reasons": [],
        "aspects": {},
    }


# ---- a table -------------------------------------------------------------------------------------


def _table(name: str, path: Path, scale: Scale) -> Published:
    rows = _rows(path)
    columns = list(rows[0])
    if all(is_alpaca_eval(list(row)) for row in rows):
        return Published(name, *read_rows(rows, path.name, scale))
    sides = next((pair for pair in _ANSWERS if all(side in columns for side in pair)), None)
    raters = [column for column in columns if _RATER.fullmatch(column)]
    if sides is None or not raters:
        raise DataError(
            f"{path.name} has no two answers with raters' votes: it needs columns such as "
            "response1, response2, annotator1, annotator2, or AlpacaEval's instruction, output_1, "
            f"output_2, preference; it has {', '.join(columns[:12])}."
        )
    made: list[Pair] = []
    given: list[Given] = []
    for number, row in enumerate(rows, 1):
        where = f"{path.name}, row {number}"
        first, second = (_text(row.get(side)) for side in sides)
        one, two = _models(row)
        prompt = as_messages(_asked(row, where), where)
        made.append(Pair(prompt, first, second, {"label": one}, {"label": two}, {"row": number}))
        given.append(
            {
                rater: (_said(row.get(rater), rater, where), DEFAULT_STRENGTH)
                for rater in raters
                if row.get(rater) is not None
            }
        )
    if not any(given):
        raise DataError(f"{path.name} holds no vote: nothing stands in {', '.join(raters[:12])}.")
    return Published(name, made, given)


def _asked(row: Mapping[str, Any], where: str) -> Any:
    for key in ("prompt", "instruction", "question", "messages"):
        if row.get(key):
            more = row.get("input")
            return f"{row[key]}\n\n{more}" if key == "instruction" and more else row[key]
    raise DataError(f"{where}: there is no prompt, instruction or question.")


def _models(row: Mapping[str, Any]) -> tuple[str, str]:
    for pair in _MODELS:
        if all(row.get(side) for side in pair):
            return str(row[pair[0]]), str(row[pair[1]])
    named = str(row.get("cmp_key") or "").split("_")
    return (named[0], named[1]) if len(named) == 2 else ("answer 1", "answer 2")


def _said(value: Any, rater: str, where: str) -> str:
    choice = _SAID.get(str(value).strip().lower())
    if choice is None or isinstance(value, bool):
        raise DataError(f"{where}: {rater} is 1, 2 or 0 (tie), not {value!r}.")
    return choice


def _text(value: Any) -> str:
    """An answer as it was published; what is no text is shown as it stands in the file."""
    return clean_text(value if isinstance(value, str) else json.dumps(value))


# ---- questions, answers, reviews -----------------------------------------------------------------


def _reviewed(name: str, files: Sequence[Path]) -> Published:
    def named(start: str) -> list[Path]:
        return [path for path in files if path.name.startswith(start)]

    questions, answers, reviews = named("question"), named("answer"), named("review")
    if (len(questions), len(answers), len(reviews)) != (1, 2, 1):
        raise DataError(
            f"{name} needs one question file, two answer files and one review file; it has "
            f"{len(questions)}, {len(answers)} and {len(reviews)}."
        )
    asked = {row["question_id"]: row["text"] for row in _rows(questions[0])}
    written = {row["answer_id"]: row for path in answers for row in _rows(path)}
    made: list[Pair] = []
    given: list[Given] = []
    for number, row in enumerate(_rows(reviews[0]), 1):
        where = f"{reviews[0].name}, row {number}"
        try:
            question = asked[row["question_id"]]
            one, two = written[row["answer1_id"]], written[row["answer2_id"]]
            first, second = (float(score) for score in row["score"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{where}: {error} is missing or has no partner.") from None
        by, other = ({"label": str(each.get("model_id", "unnamed"))} for each in (one, two))
        texts = _text(one["text"]), _text(two["text"])
        made.append(Pair(as_messages(question, where), *texts, by, other, {"row": number}))
        choice = "a" if first > second else "b" if second > first else "tie"
        strength = min(4, max(1, round(abs(first - second))))
        given.append({str(row.get("reviewer_id", "judge")): (choice, strength)})
    return Published(name, made, given)


def _rows(path: Path) -> list[dict[str, Any]]:
    """JSON's list of objects, or an object a line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} cannot be read: {error}.") from None
    try:
        found = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(line) for line in text.split("\n") if line.strip()]
        )
    except ValueError as error:
        raise DataError(f"{path.name} is not JSON: {error}.") from None
    if not found or not all(isinstance(row, dict) for row in found):
        raise DataError(f"{path.name} is not a list of rows.")
    return found
