"""Batched, streamed, cancellable generation: base and tuned rows of one base in one batch.

Columns that share a base and can be mixed (plain LoRA) go through `PeftModel.generate` together,
`adapter_names` saying which row is whose; the others run one after another on the same weights.
A column that fails says so in its own cells, and the others go on. Runs in the worker's thread.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

from studio.core import rope
from studio.core.device_errors import is_out_of_memory, needs_restart
from studio.core.errors import ConfigError, StudioError
from studio.generation import batch, column_models
from studio.generation.column_models import ColumnModel, ColumnPlan
from studio.generation.request import Generation, MemoryUse
from studio.models.pool import ModelPool, release_memory
from studio.models.tokenization import encode, end_ids, refusal
from studio.runs.store import RunStore

logger = logging.getLogger(__name__)
NO_MEMORY = "The device ran out of memory here; ask for fewer or shorter answers."
NO_ROOM = "The device has no memory left for this model; choose a smaller one, or fewer columns."


def generate(generation: Generation, pool: ModelPool, runs: RunStore) -> None:
    """Fill a generation to its end; errors become sentences in their own cells."""
    generation.begin()
    request = generation.request
    planned, wrong = column_models.plans(request.columns, request.sampling, runs)
    for index, sentence in wrong.items():
        generation.fail_column(index, sentence)
    weights = [plan.weights for plan in planned]
    generation.shared = len(set(weights)) == 1 if planned else None
    for group in column_models.groups(planned):
        if generation.cancelled:
            break
        ready = _ready(generation, group, pool, runs)
        if ready:
            _answer(generation, ready, runs.workspace.cache)


def _ready(
    generation: Generation, group: list[ColumnPlan], pool: ModelPool, runs: RunStore
) -> list[ColumnModel]:
    """The group's columns that can answer; the others get their sentence."""
    ready = []
    for plan in group:
        try:
            loaded = column_models.ready(plan, pool, runs)
            generation.held[plan.index] = _held(generation, loaded)
            ready.append(loaded)
        except StudioError as error:
            generation.fail_column(plan.index, str(error))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            generation.fail_column(plan.index, NO_ROOM)
            release_memory()
    return ready


def _held(generation: Generation, loaded: ColumnModel) -> MemoryUse:
    """What a column holds; columns on one resident share its copy."""
    resident = loaded.resident
    copies = generation.copies
    if resident.key not in copies:
        copies.append(resident.key)
    adapter = resident.adapters[loaded.adapter].bytes if loaded.adapter else 0
    return MemoryUse(copies.index(resident.key), resident.bytes, adapter)


def _answer(generation: Generation, group: list[ColumnModel], cache: Path) -> None:
    """All prompts for these columns, in batches; columns of one prompt sit in the same batch."""
    rows = _rows(generation, group)
    ends = end_ids(group[0].resident)
    size = max(generation.request.batch_size, len(group))
    for part in _parts(rows, size, alike=group[0].prompted):
        if generation.cancelled:
            return
        _batch(generation, part, ends, cache)


def _parts(rows: list[batch.Row], size: int, alike: bool) -> Iterator[list[batch.Row]]:
    """Batches of at most `size` rows; of one length each where rows cannot be padded."""
    if alike:
        rows = sorted(rows, key=lambda row: len(row.ids))
        for _, same in itertools.groupby(rows, key=lambda row: len(row.ids)):
            yield from _parts(list(same), size, alike=False)
        return
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _batch(generation: Generation, rows: list[batch.Row], ends: list[int], cache: Path) -> None:
    """One batch; where memory runs out its halves, so that only rows that cannot fit fail."""
    try:
        batch.run(generation, rows, ends, cache)
        return
    except Exception as error:
        full, said = is_out_of_memory(error), isinstance(error, StudioError)
        broke = str(error) if said else f"This column broke off with {_named(error)}"
        sentence = NO_MEMORY if full else broke
        if needs_restart(error):
            raise  # nothing will work from now on: the worker says so
        if not (full or said):
            logger.exception("a batch broke off")
    release_memory()
    if full and len(rows) > 1:
        middle = len(rows) // 2
        _batch(generation, rows[:middle], ends, cache)
        _batch(generation, rows[middle:], ends, cache)
        return
    for row in rows:
        generation.put(row.column.index, row.prompt, ended="error", error=sentence)


def _named(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"


def _rows(generation: Generation, group: list[ColumnModel]) -> list[batch.Row]:
    """Every row that fits the model's context, as token ids."""
    request = generation.request
    context = rope.context(group[0].resident.model.config)
    rows = []
    for index, prompt in enumerate(request.prompts):
        for loaded in group:
            own = request.columns[loaded.index].prompts
            text, ids, error = "", [], None
            try:
                asked = own[index] if own else prompt
                text, ids = encode(loaded.tokenizer, asked, request.raw, context, loaded.defaults)
                error = refusal(ids, context)
            except ConfigError as problem:
                error = str(problem)
            except Exception as problem:  # a template that takes no system turn, say
                error = f"The chat template refuses this prompt: {_named(problem)}"
            if error:
                generation.put(loaded.index, index, ended="error", error=error, prompt_text=text)
                continue
            generation.put(loaded.index, index, prompt_text=text)
            rows.append(batch.Row(loaded, index, ids, text))
    return rows
