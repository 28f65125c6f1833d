"""`models`: the library: bases, runs and exports, what they hold on disk and what needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.output import Json, Terminal, example, table

if TYPE_CHECKING:
    from studio.engine.library import LibraryEntry

app = typer.Typer(
    help="The library: list, mark, delete, restore, clean.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
ItemId = Annotated[str, typer.Argument(metavar="ID", help="As `models list` prints it.")]


@app.callback()
def _group() -> None:
    pass


@app.command("list", epilog=example("models list --json"))
def list_items(as_json: Json = False) -> None:
    """List bases, runs and exports: what they came from, scored and hold, and what needs them."""
    with Terminal(as_json) as out:
        items = out.studio.collection.items()
        rows = [(one.id, one.kind, one.name, one.what, one.bytes) for one in items]
        text = table(rows, ("id", "kind", "name", "what", "bytes"))
        out.result([_as_dict(one) for one in items], text)


@app.command("mark", epilog=example('models mark run-20260131-142501-9f3c --tag keep --note "ok"'))
def mark(
    item: ItemId,
    star: Annotated[bool | None, typer.Option(help="Put it first.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="All its tags; repeatable.")] = None,
    note: Annotated[str | None, typer.Option(help="What to remember of it.")] = None,
    as_json: Json = False,
) -> None:
    """Star something, or give it tags and a note; what is not given stays."""
    given = {"star": star, "tags": tag or None, "note": note}
    with Terminal(as_json) as out:
        changes = {name: value for name, value in given.items() if value is not None}
        marked = out.studio.collection.mark(item, **changes)
        out.result(vars(marked), f"{item} is marked.")


@app.command("delete", epilog=example("models delete export-20260131-142501-9f3c"))
def delete(item: ItemId, as_json: Json = False) -> None:
    """Put a run, a checkpoint or an export in the trash; refused where something needs it."""
    with Terminal(as_json) as out:
        found = out.studio.collection.get(item)
        out.studio.collection.delete(item)
        kept = ", ".join(found.needed_by)
        text = f"{found.name} is in the trash for a day: models restore {item}"
        out.result({"deleted": item, "made_with_it": list(found.needed_by)}, text)
        if kept:
            out.note(f"Made with it, and kept: {kept}")


@app.command("restore", epilog=example("models restore export-20260131-142501-9f3c"))
def restore(item: ItemId, as_json: Json = False) -> None:
    """Bring back what `models delete` put in the trash."""
    with Terminal(as_json) as out:
        out.studio.collection.restore(item)
        out.result(_as_dict(out.studio.collection.get(item)), f"{item} is back.")


@app.command("clean", epilog=example("models clean --really"))
def clean(
    really: Annotated[
        bool, typer.Option("--really", help="Remove it; without, it is only listed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List what nothing needs (old checkpoints, caches, the trash), or remove it."""
    with Terminal(as_json) as out:
        waste = out.studio.collection.waste()
        listed = [{"what": one.what, "bytes": one.bytes} for one in waste]
        freed = out.studio.collection.clean() if really else 0
        rows = [(one.what, one.bytes) for one in waste]
        text = table(rows, ("what", "bytes")) if rows else "Nothing to clean up."
        out.result({"waste": listed, "freed": freed, "disk": out.studio.collection.usage()}, text)


def _as_dict(item: LibraryEntry) -> dict[str, Any]:
    """An item as `--json` prints it."""
    names = (
        "id",
        "kind",
        "name",
        "what",
        "model",
        "created",
        "used",
        "bytes",
        "lineage",
        "scores",
        "needed_by",
    )
    return {name: getattr(item, name) for name in names} | {"mark": vars(item.mark)}
