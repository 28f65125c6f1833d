"""`runs export`, `runs import` and `hub`: results and adapters, out and in."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from studio.commands.base import Json, OnProgress, Param, RunName, command, silent, wait_for
from studio.commands.runs import run_as_dict
from studio.core.errors import ConfigError, StudioError
from studio.core.model_names import resolve

if TYPE_CHECKING:
    from studio.engine.studio import Studio

Folder = Annotated[Path, Param("Folder of an export.")]
Repo = Annotated[str, Param("Repository on the Hub.", metavar="OWNER/NAME")]


@command()
def runs_export(
    studio: Studio,
    run: RunName,
    *,
    to: Annotated[
        Literal["adapter", "merged", "gguf", "gguf-lora", "trl", "script", "launch", "job"],
        Param("What to write."),
    ],
    out: Annotated[Path | None, Param("New or empty folder; without it, a job is printed.")] = None,
    outtype: Annotated[
        Literal["q8_0", "f16", "bf16", "f32", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "iq4_xs"],
        Param("Type of the weights in a GGUF file; those from q6_k on need llama-cpp-python."),
    ] = "q8_0",
    importance_matrix: Annotated[
        bool, Param("Round those weights least that the training rows use most (q6_k to iq4_xs).")
    ] = False,
    num_machines: Annotated[
        int | None, Param("Machines that a launch export is for; without it, the run's own number.")
    ] = None,
    on_progress: OnProgress = silent,
) -> Json:
    """Export a run's result, or what reproduces it.

    A result (adapter, merged, gguf, gguf-lora) is loaded back with the stock libraries and must
    answer as the run does. What reproduces a run (trl, script, job) is plain TRL with its rows; a
    job is a single script to run elsewhere. A launch is a folder that several machines with the
    studio train together.
    """
    found = studio.runs.get(run)
    if out is None and to != "job":
        raise ConfigError(f"Name a folder (out) to write the {to} export into.")
    if to in ("adapter", "merged", "gguf", "gguf-lora"):
        if num_machines is not None:
            raise ConfigError("num_machines is for --to launch.")
        from studio.exports import ExportRequest

        asked = ExportRequest(found.id, to, out or Path(), outtype, importance_matrix)
        job = studio.export(asked)
        return wait_for(job, on_progress, "Loading the run")
    from studio.training.export_config import export

    if out is not None:
        files = export(found, studio.runs, studio.datasets, to, out, num_machines)
        return {"files": [str(path) for path in files]}
    with tempfile.TemporaryDirectory() as folder:
        [script] = export(found, studio.runs, studio.datasets, to, Path(folder), num_machines)
        return {"script": script.read_text(encoding="utf-8")}


@command()
def runs_import(
    studio: Studio,
    folder: Annotated[Path, Param("Folder that PEFT saved an adapter to.")],
    *,
    base: Annotated[
        str | None, Param("The base model, if the adapter's config names none that is here.")
    ] = None,
    name: Annotated[str | None, Param("Name of the run.")] = None,
) -> Json:
    """Import an adapter made elsewhere as a finished run.

    Only safetensors are read; pickles are refused.
    """
    from studio.exports.import_adapter import adopt

    run = adopt(studio.runs, _existing(folder), base, name)
    if resolve(run.model).kind != "hub":  # which the first question may have to download
        try:
            trial = studio.worker.submit(lambda pool: pool.try_adapter(run, studio.runs))
            wait_for(trial, silent, f"Loading {run.name}")
        except StudioError:
            studio.runs.delete(run.id)
            raise
    return run_as_dict(run)


@command(read_only=True)
def hub_preview(folder: Folder) -> Json:
    """List exactly the files that `hub push` would upload."""
    from studio.core import hub

    files = hub.preview(_existing(folder))
    return {"files": [{"name": name, "bytes": size} for name, size in files]}


@command()
def hub_push(
    folder: Folder,
    repo: Repo,
    *,
    public: Annotated[bool, Param("Make the repository public.")] = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Upload a folder to the Hub, private by default.

    The token is HF_TOKEN or the Hub login.
    """
    from studio.core import hub

    files = hub.preview(_existing(folder))
    on_progress(0, None, f"Uploading to {repo}")
    url = hub.push(folder, repo, private=not public, on_progress=on_progress)
    size = sum(bytes for _, bytes in files)
    return {"url": url, "private": not public, "files": [n for n, _ in files], "bytes": size}


@command()
def hub_pull(
    repo: Repo,
    *,
    revision: Annotated[str, Param("A branch, tag or commit.")] = "main",
    on_progress: OnProgress = silent,
) -> Json:
    """Download a model, without pickles or code.

    Prints the revision to pin in a recipe.
    """
    from studio.core import hub

    on_progress(0, None, f"Downloading {repo}")
    return hub.pull(repo, revision, on_progress).as_dict()


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder}.")
    return folder
