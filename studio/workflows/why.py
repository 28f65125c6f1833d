"""From an answer back to rows, and from rows to a run without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.attribution.index_files import opened
from studio.attribution.request import (
    FINAL,
    MOST_TARGETS,
    Asked,
    IndexSpec,
    Why,
    check,
    default_spec,
    refusal,
)
from studio.core.errors import ConfigError, DataError
from studio.core.formatting import bytes_text, duration_text, plural, thousands
from studio.core.messages import prompt_and_references
from studio.data.prepared.left_out import without
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.runs.store import Run

if TYPE_CHECKING:
    from studio.core.messages import Message
    from studio.engine.studio import Studio
    from studio.models.pool import ModelPool

MOST_ROWS = 32
"""Questions at once, such as the rows of a set: each is one backward pass."""


def ask(
    studio: Studio, run: Run, asked: Sequence[Asked], spec: IndexSpec | None = None, count: int = 10
) -> Why:
    """Start to look for the rows behind answers of a run; `result()` is the report.

    An index that is missing is built first, in the worker's thread; `cancel()` keeps what is done.
    """
    spec = spec or default_spec(run)
    if not asked:
        raise ConfigError("There is nothing to ask about; give a prompt and an answer.")
    if refusal(run) is None:
        check(run, spec)
    elif run.recipe.start_from is None or run.live:
        raise ConfigError(refusal(run) or "")
    why = Why(asked=tuple(asked))

    def work(pool: ModelPool) -> dict[str, Any]:
        from studio.attribution.ask import ask

        serve = studio.worker.serve
        return ask(why, run, spec, count, pool, studio.runs, studio.datasets, serve)

    studio.worker.submit(work, why)
    return why


def influence(
    studio: Studio, run: Run, spec: IndexSpec | None = None, target: Sequence[Asked] = ()
) -> Why:
    """Start to weigh every training row of a run: `result()` as `attribution.ask.influence`.

    Args:
        target: weigh by these answers (`target`) instead of the run's held-out rows.
    """
    spec = spec or default_spec(run)
    check(run, spec)
    why = Why(asked=tuple(target))

    def work(pool: ModelPool) -> dict[str, Any]:
        from studio.attribution.ask import influence

        serve = studio.worker.serve
        return influence(why, run, spec, pool, studio.runs, studio.datasets, serve)

    studio.worker.submit(work, why)
    return why


def cost(run: Run, spec: IndexSpec | None = None) -> str:
    """What the first question to a run costs, in a sentence; empty where its index is there."""
    spec = spec or default_spec(run)
    folders = [run.folder / "attribution" / spec.name(point) for point in spec.points]
    found = [opened(folder) for folder in folders]
    if all(index is not None and index.complete for index in found):
        return ""
    rows = int((run.data.get("rows") or {}).get("train", 0))
    size = bytes_text(rows * len(spec.points) * (2 * spec.dims + 16))
    epochs = max(1.0, float(run.recipe.num_train_epochs)) if run.recipe.max_steps < 0 else 1.0
    seconds = run.train_seconds / epochs * len(spec.points)
    time = f", about {duration_text(seconds)} (one epoch)" if seconds else ""
    return (
        f"The first question reads all {thousands(rows)} rows once{time} in the memory that "
        f"training took, and keeps {size} in the run's folder."
    )


def answers(studio: Studio, run: Run, prompts: Sequence[list[Message]], size: int) -> list[str]:
    """A run's greedy answers."""
    request = GenerationRequest(
        tuple(prompts), (Column(run.model, run.id, label=run.name),), Sampling(max_new_tokens=size)
    )
    seen = studio.generate(request).watch(lambda _: None)
    if seen.failure:
        raise ConfigError(seen.failure)
    return [cell.text for cell in seen.answers[0]]


def of_rows(rows: Sequence[Mapping[str, Any]], name: str, most: int = MOST_ROWS) -> list[Asked]:
    """Rows with known answers as questions; a pair asks why its chosen answer is preferred."""
    found = []
    for row in rows:
        asked = prompt_and_references(row)
        if asked is None or not asked[1]:
            continue
        rejected = row.get("rejected")
        against = None
        if rejected:
            against = rejected if isinstance(rejected, str) else str(rejected[-1]["content"])
        found.append(Asked(asked[0], asked[1][0], against=against))
    if not found:
        raise DataError(f"{name} holds no answers to ask about.")
    return found[:most]


def of_wrong(wrong: Mapping[str, Any]) -> list[Asked]:
    """The wrong answers of a scored column (`columns[i]["wrong"]`) as questions."""
    return [
        Asked(row["prompt"], row["answer"], against=row.get("against"))
        for row in wrong["rows"][:MOST_ROWS]
    ]


def of_votes(studio: Studio, project: str, most: int = MOST_ROWS) -> list[Asked]:
    """A project's preferred answers over the others, as questions."""
    known = studio.labels.get(project)
    return of_rows(studio.labels.export(known.id, "dpo").rows, f"The votes of {known.name}", most)


def target(
    studio: Studio, data: str | None = None, project: str | None = None
) -> tuple[str, list[Asked]]:
    """What rows are weighed by, and its name: rows of a file or a dataset (the held-out ones,
    where it has some) with known answers, or a project's votes; the first `MOST_TARGETS`.

    Raises a `ConfigError` where both or neither is given, a `DataError` without any answer.
    """
    if (data is None) == (project is None):
        raise ConfigError("Name a target: rows with known answers, or a labeling project.")
    if project is not None:
        known = studio.labels.get(project)
        return f"the votes of {known.name}", of_votes(studio, known.id, MOST_TARGETS)
    from studio.evaluation import load_rows

    rows = load_rows(studio.datasets, data or "", MOST_TARGETS)
    return rows.name, of_rows(rows.rows, rows.name, MOST_TARGETS)


def listed(studio: Studio, run: Run, weighed: Mapping[str, Any], count: int) -> dict[str, Any]:
    """What `influence` found as JSON: the `count` rows that harm held-out rows most, or with the
    largest self-influence where none were held out; the row's texts with each."""
    from studio.attribution.report import shown
    from studio.training.train_dataset import datasets_of

    sources = datasets_of(run.recipe, run, studio.datasets)
    by = "help" if "help" in weighed else "own"
    order = weighed["help"].argsort(kind="stable") if by == "help" else (-weighed["own"]).argsort()
    rows = []
    for at in order[:count]:
        part, place, side = (int(one) for one in weighed["places"][at])
        own = {"own": float(weighed["own"][at]), "help": None}
        if by == "help":
            own["help"] = round(float(weighed["help"][at]), 4)
        texts = shown(sources[part].page(place, 1)[0], bool(side))
        dataset = {"dataset": sources[part].name, "dataset_id": sources[part].id, "row": place}
        rows.append(dataset | texts | own)
    return {"run": run.id, "name": run.name, "by": by, "rows": rows}


def span_of(answer: str, words: str) -> tuple[int, int]:
    """Where words stand in an answer, as characters; a `ConfigError` where they do not."""
    at = answer.find(words)
    if at < 0 or not words:
        raise ConfigError(f"The answer does not hold {words!r}; it is {answer!r}.")
    return at, at + len(words)


def train_without(
    studio: Studio,
    run: Run,
    rows: Sequence[tuple[str, int]],
    why: str = "",
    provenance: Mapping[str, Any] | None = None,
) -> Run:
    """Queue the same recipe without some of its rows, each a dataset's id and a place in it.

    The new run is as the old one in all else, its seed included, and knows what it was compared to
    (`provenance`).
    """
    chosen: dict[str, list[int]] = {}
    for dataset, row in rows:
        chosen.setdefault(dataset, []).append(row)
    if not chosen:
        raise ConfigError("Choose the rows to train without.")
    made = {
        dataset: without(studio.datasets, studio.datasets.get(dataset), places, why)
        for dataset, places in chosen.items()
    }
    recipe = run.recipe.with_(name=f"{run.name} without {plural(len(rows), 'row')}")
    recorded = run.data.get("datasets") or []
    if recipe.datasets:
        entries = tuple(
            entry.model_copy(update={"path": made[kept["id"]].id, "name": None, "split": None})
            if kept["id"] in made
            else entry
            for entry, kept in zip(recipe.datasets, recorded, strict=True)
        )
        recipe = recipe.with_(datasets=entries)
    else:
        if run.data.get("id") not in made:
            raise ConfigError(f"These rows are not those of {run.name}; it was trained on others.")
        recipe = recipe.with_(dataset_name=made[run.data["id"]].id)
    without_rows = {"run": run.id, "rows": len(rows), "why": why}
    return studio.train(recipe, {**(provenance or {}), "without": without_rows})


def losses(studio: Studio, asked: Asked, runs: Sequence[Run]) -> list[float]:
    """Mean loss of an answer's token (of those asked about) under each run, in nats."""

    def work(pool: ModelPool) -> list[float]:
        from studio.attribution import question

        loaded_columns = [question.column_of(run, FINAL, pool, studio.runs) for run in runs]
        return [-question.likelihoods(asked, loaded)[0] for loaded in loaded_columns]

    return studio.worker.submit(work).result()
