"""`hub`: push an export or an adapter, fetch a model, always saying which files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.output import Json, Terminal, example, table

app = typer.Typer(
    help="The Hugging Face Hub: preview, push, pull.", no_args_is_help=True, rich_markup_mode=None
)
Folder = Annotated[Path, typer.Argument(help="An export's folder.", exists=True, file_okay=False)]


@app.callback()
def _group() -> None:
    pass


@app.command("preview", epilog=example("hub preview ./mine"))
def preview(folder: Folder, as_json: Json = False) -> None:
    """List exactly the files that a push would send; nothing is sent."""
    with Terminal(as_json) as out:
        from studio.core import hub

        files = hub.preview(folder)
        out.result(
            {"files": [{"name": name, "bytes": size} for name, size in files]},
            table(files, ("file", "bytes")),
        )


@app.command("push", epilog=example("hub push ./mine me/my-model"))
def push(
    folder: Folder,
    repo: Annotated[str, typer.Argument(help="owner/name.")],
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody see it; private otherwise.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send a folder to the Hub, private unless --public; the token is HF_TOKEN or the Hub login."""
    with Terminal(as_json) as out:
        from studio.core import hub

        files = hub.preview(folder)
        out.note(f"{len(files)} files, {sum(size for _, size in files) / 1e6:,.1f} MB")
        with out.progress(f"Sending to {repo}") as report:
            url = hub.push(folder, repo, private=not public, on_progress=report)
        out.result({"url": url, "private": not public, "files": [name for name, _ in files]}, url)


@app.command("pull", epilog=example("hub pull Qwen/Qwen2-0.5B-Instruct"))
def pull(
    repo: Annotated[str, typer.Argument(help="owner/name.")],
    revision: Annotated[str, typer.Option(help="A branch, tag or commit.")] = "main",
    as_json: Json = False,
) -> None:
    """Fetch a model, no pickles and no code, and print the revision to pin in a recipe."""
    with Terminal(as_json) as out:
        from studio.core import hub

        with out.progress(f"Fetching {repo}") as report:
            pulled = hub.pull(repo, revision, report)
        out.result(
            pulled.as_dict(), f"model_name_or_path: {repo}\nmodel_revision: {pulled.revision}"
        )
