"""`models`: the library of bases, runs and exports, and the space they take on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from studio.commands.base import Json, Param, command, methods, objectives
from studio.core.errors import ModelError

if TYPE_CHECKING:
    from studio.engine.library import LibraryEntry
    from studio.engine.studio import Studio

EntryId = Annotated[str, Param("Id, as `models list` prints it.", metavar="ID")]


@command(read_only=True)
def models_list(studio: Studio) -> list[Json]:
    """List bases, runs and exports.

    With their origin, scores, size on disk, and what needs them.
    """
    return [_as_dict(entry) for entry in studio.collection.items()]


@command(read_only=True)
def models_suggest(
    studio: Studio,
    dataset: Annotated[str, Param("A prepared dataset or a shipped sample, by name or id.")],
    *,
    objective: Annotated[str, Param("One of {values}.", values=objectives)] = "sft",
    method: Annotated[str, Param("One of {values}.", values=methods)] = "lora",
) -> Json:
    """Suggest a model that trains on these rows here in reasonable time, and say why.

    Models on this machine come first; of the others only those under an open license.
    """
    from studio.runs.recipe import Recipe
    from studio.workflows.propose_model import pocket_warning, propose, unread

    studio.datasets.get(dataset)  # or says that there is none
    recipe = Recipe.defaults(objective, method, dataset_name=dataset)
    found = propose(studio, recipe)
    if found is None:
        raise ModelError("No model of the catalog fits this machine; try method qlora on a GPU.")
    chosen = {"model": found.model, "method": found.recipe.method, "why": found.why}
    return chosen | {
        "on_this_machine": found.on_this_machine,
        "warning": pocket_warning(studio, recipe),
        "assumed": unread(studio, recipe),
    }


@command(read_only=True)
def models_search(
    studio: Studio,
    words: Annotated[str, Param("Part of a model's or owner's name.")],
    *,
    min_size: Annotated[float, Param("At least this many billions of parameters.", min=0)] = 0.0,
    max_size: Annotated[float | None, Param("At most this many.", min=0)] = None,
    limit: Annotated[int, Param("How many to list, 50 at most.", min=1)] = 20,
) -> list[Json]:
    """Search the Hub for language models, the most downloaded first.

    With parameters, downloads of the last 30 days and license.
    """
    from studio.core.hub_search import search

    return [vars(one) for one in search(words, min_size, max_size, limit)]


@command()
def models_tag(
    studio: Studio,
    id: EntryId,
    *,
    star: Annotated[bool | None, Param("Star it, so that it is listed first.")] = None,
    tag: Annotated[list[str] | None, Param("Replace its tags with these; repeatable.")] = None,
    note: Annotated[str | None, Param("Replace its note.")] = None,
) -> Json:
    """Star an entry, or set its tags and its note.

    What is not given stays.
    """
    given = {"star": star, "tags": tag or None, "note": note}
    changes = {name: value for name, value in given.items() if value is not None}
    return {"id": id, **vars(studio.collection.mark(id, **changes))}


@command()
def models_delete(studio: Studio, id: EntryId) -> Json:
    """Move a run, a checkpoint or an export to the trash.

    Refused where something needs it; `models restore` restores it for a day.
    """
    found = studio.collection.get(id)
    studio.collection.delete(id)
    return {"deleted": id, "name": found.name, "made_with_it": list(found.needed_by)}


@command()
def models_restore(studio: Studio, id: EntryId) -> Json:
    """Restore what `models delete` moved to the trash."""
    studio.collection.restore(id)
    return _as_dict(studio.collection.get(id))


@command()
def models_clean(
    studio: Studio,
    *,
    yes: Annotated[bool, Param("Remove it; otherwise it is only listed.")] = False,
) -> Json:
    """List what nothing needs, or remove it.

    That is: old checkpoints, caches, and the trash.
    """
    waste = [{"what": one.what, "bytes": one.bytes} for one in studio.collection.waste()]
    freed = studio.collection.clean() if yes else 0
    return {"waste": waste, "freed": freed, "disk": studio.collection.usage()}


def _as_dict(entry: LibraryEntry) -> Json:
    names = ("id", "kind", "name", "what", "model", "created", "used", "bytes")
    names += ("lineage", "scores", "needed_by")
    return {name: getattr(entry, name) for name in names} | {"mark": vars(entry.mark)}
