"""Labeling projects and their items: the part of the vote store that owners use."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from studio.core.errors import DataError, did_you_mean
from studio.core.messages import plain
from studio.core.workspace import new_id
from studio.labels import assignments, vote_writes
from studio.labels.database import Database
from studio.labels.pair_filter import ORDERS, filter_pairs, order_pairs
from studio.labels.schema import items, projects
from studio.labels.types import DEFAULT_QUESTION, Added, Pair, Project, as_messages, clean_text

_CHUNK = 500  # digests looked up in one query: below every database's limit on parameters
_MAX_OVERLAP, _MAX_REPEAT, _MAX_WORDS = 100, 10_000, 20
MAX_GUIDELINES = 20_000  # characters


class ProjectStore:
    """Projects and items in one database; `LabelStore` adds the votes."""

    def __init__(self, url: str):
        self._db = Database(url)

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """A transaction for imports; on disk when it has ended."""
        return self._db.writing()

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that sees one state of the database, for a backup."""
        return self._db.reading()

    def close(self) -> None:
        """Close the database's connections."""
        self._db.close()

    def damage(self) -> list[str]:
        """What is wrong with the database, a sentence each; empty where nothing is."""
        return self._db.damage()

    def copy_to(self, path: Path) -> bool:
        """Copy the votes as they are now into a SQLite file; False where a server has them."""
        return self._db.copy_to(path)

    def projects(self) -> list[Project]:
        """All projects, newest first."""
        query = sa.select(projects).order_by(projects.c.created.desc(), projects.c.id.desc())
        with self._db.reading() as db:
            return [Project(**row) for row in db.execute(query).mappings()]

    def get(self, id_or_name: str) -> Project:
        """A project by id or by name; `DataError` with the nearest name when there is none."""
        either = sa.or_(projects.c.id == id_or_name, projects.c.name == id_or_name)
        with self._db.reading() as db:
            row = db.execute(sa.select(projects).where(either)).mappings().first()
            if row:
                return Project(**row)
            names = list(db.scalars(sa.select(projects.c.name)))
        raise DataError(
            f"There is no labeling project {id_or_name!r}.{did_you_mean(str(id_or_name), names)}"
        )

    def create_project(
        self,
        name: str,
        question: str = DEFAULT_QUESTION,
        guidelines: str = "",
        provenance: Mapping[str, Any] | None = None,
        order: str = "random",
        seed: int | None = None,
        overlap: int = 0,
        repeat_every: int = 0,
        aspects: Sequence[str] = (),
        reasons: Sequence[str] = (),
        show_reasoning: bool = False,
    ) -> Project:
        """A new, empty project; its name must be free (`free_name` finds one).

        `order` "random" shuffles items as they arrive, so that stopping early leaves a fair sample;
        "given" keeps their order; "uncertain" is `pair_filter.order_pairs`'s. `seed` decides every
        shuffle; drawn if None. `overlap` annotators label an item (0: everyone), and once in
        `repeat_every` votes an earlier item is shown again (0: never). `aspects` and `reasons` may
        be given with a vote. `show_reasoning` lets annotators unfold what a model thought.
        """
        name = clean_text(name).strip()
        if not 1 <= len(name) <= 120:
            raise DataError("A labeling project needs a name of 1 to 120 characters.")
        if order not in ORDERS:
            raise DataError(f"Order must be {', '.join(ORDERS)}, not {order!r}.")
        row: dict[str, Any] = {
            "id": new_id("labels"),
            "name": name,
            "question": clean_text(question).strip() or DEFAULT_QUESTION,
            "guidelines": clean_text(guidelines),
            "guideline_version": 1,
            "order": order,
            "seed": secrets.randbelow(2**31) if seed is None else seed,
            "items": 0,
            "created": time.time(),
            "provenance": dict(provenance or {}),
            "overlap": _whole(overlap, _MAX_OVERLAP, "Annotators per item"),
            "repeat_every": _whole(repeat_every, _MAX_REPEAT, "Repeat every N"),
            "aspects": _words(aspects, "aspects"),
            "reasons": _words(reasons, "reasons"),
            "done": 0,
            "show_reasoning": show_reasoning,
        }
        try:
            with self._db.writing() as db:
                db.execute(projects.insert().values(**row))
        except IntegrityError as error:
            raise DataError(
                f"A labeling project named {name!r} exists already; choose another name."
            ) from error
        return Project(**row)

    def free_name(self, wanted: str) -> str:
        """`wanted`, or `wanted 2`, `wanted 3` ... whichever no project has yet."""
        wanted = (wanted.strip() or "labels")[:110]
        taken = {project.name for project in self.projects()}
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted} {number}", number + 1
        return name

    def revise_guidelines(self, project_id: str, guidelines: str) -> Project:
        """Replace the guidelines; votes from now on carry the next guideline version.

        Raises `DataError` where they are empty or longer than 20,000 characters.
        """
        guidelines = clean_text(guidelines).strip()
        if not guidelines:
            raise DataError("The guidelines are empty; say what makes an answer better.")
        if len(guidelines) > MAX_GUIDELINES:
            raise DataError(
                f"The guidelines have {len(guidelines):,} characters; the most is "
                f"{MAX_GUIDELINES:,}."
            )
        with self._db.writing() as db:
            db.execute(
                projects.update()
                .where(projects.c.id == project_id)
                .values(guidelines=guidelines, guideline_version=projects.c.guideline_version + 1)
            )
        return self.get(project_id)

    def add_items(self, project_id: str, new: Iterable[Pair]) -> Added:
        """Add pairs at the end; identical, empty and duplicate ones are set aside, counted."""
        kept, aside = filter_pairs(new)
        with self._db.writing() as db:
            project = assignments.lock_project(db, project_id)
            known = _known_digests(db, project.id, list(kept))
            if known:
                aside["duplicate"] = aside.get("duplicate", 0) + len(known)
            fresh = [(digest, item) for digest, item in kept.items() if digest not in known]
            if fresh:
                last = db.scalar(
                    sa.select(sa.func.max(items.c.position)).where(items.c.project_id == project.id)
                )
                start = 0 if last is None else last + 1
                db.execute(items.insert(), item_rows(project, fresh, start))
                total = project.items + len(fresh)
                db.execute(projects.update().where(projects.c.id == project.id).values(items=total))
        return Added(len(fresh), aside)

    def retire(self, project_id: str, item_id: int) -> None:
        """Remove an item: it is not shown again, and its votes count nowhere."""
        with self._db.writing() as db:
            project = assignments.lock_project(db, project_id)
            assignments.retire(db, project, vote_writes.find_item(db, project_id, item_id))


def _known_digests(db: sa.Connection, project_id: str, digests: list[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(digests), _CHUNK):
        query = sa.select(items.c.digest).where(
            items.c.project_id == project_id, items.c.digest.in_(digests[start : start + _CHUNK])
        )
        known.update(db.scalars(query))
    return known


def item_rows(project: Project, fresh: list[tuple[str, Pair]], start: int) -> list[dict[str, Any]]:
    """Rows of `items`, in the order in which they are shown from position `start` on."""
    now = time.time()
    arranged = order_pairs(fresh, project.order, f"{project.seed}:{start}")
    return [
        {
            "project_id": project.id,
            "position": position,
            "digest": digest,
            "prompt": plain(as_messages(item.prompt)),
            "answer_a": item.answer_a,
            "answer_b": item.answer_b,
            "source_a": dict(item.source_a),
            "source_b": dict(item.source_b),
            "provenance": dict(item.provenance),
            "created": now,
            "sampled": sampled,
        }
        for position, (digest, item, sampled) in enumerate(arranged, start)
    ]


def _whole(number: object, most: int, what: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
        raise DataError(f"{what} must be a whole number from 0 to {most:,}, not {number!r}.")
    return number


def _words(words: Sequence[str], what: str) -> list[str]:
    """Short names without blanks and duplicates, in the order given."""
    named = list(dict.fromkeys(clean_text(str(word)).strip() for word in words))
    named = [word for word in named if word]
    if len(named) > _MAX_WORDS or any(len(word) > 40 for word in named):
        raise DataError(f"The {what} are at most {_MAX_WORDS} names of at most 40 characters.")
    return named
