"""What the Models panel requests from the server, one function per request.

As on the Label tab, every function takes a JSON object, validates it, and replies with what was
asked for or with `error`, a sentence. All of them are for owners.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from components.models import card_details_html as boxes
from components.models import cards_html as views
from components.models.library_page import Shown, Visits, fitting
from components.ui.access import person
from components.ui.compat import Reply, ServerFunction
from components.ui.handlers import checked, sentence
from studio.core import hub, hub_search
from studio.core.errors import ConfigError
from studio.core.formatting import DOT, bytes_text
from studio.core.hub_backup import backup_age
from studio.core.jobs import Job
from studio.core.workspace import new_id, secret_id
from studio.engine.run_backup import is_ephemeral_disk
from studio.exports import QUANTIZED, ExportRequest, proof

if TYPE_CHECKING:
    from studio import Studio

_KEPT = 12  # jobs remembered; the oldest finished ones are forgotten first


# ---- what the page sends ------------------------------------------------------------------------


class Anything(BaseModel):
    """A request without arguments."""


class Entry(BaseModel):
    """A library entry by id."""

    id: str


class Mark(Entry):
    """A star, or tags (comma-separated) with a note."""

    star: bool | None = None
    tags: str | None = None
    note: str = ""


class Export(Entry):
    """A run to export in a format; `outtype` is GGUF's type, and `importance_matrix` its choice
    for the types that llama.cpp quantizes to."""

    to: str
    outtype: str = ""
    importance_matrix: bool = False


class Push(Entry):
    """An export to push to a Hub repository."""

    repo: str
    public: bool = False


class Pull(BaseModel):
    """A Hub model to download."""

    repo: str
    revision: str = ""


class HubSearch(BaseModel):
    """Words of a Hub model's name, and its largest size in billions of parameters."""

    words: str
    largest: float | None = None


class Cancel(BaseModel):
    """A job by id."""

    job: str


class Delete(Entry):
    """An entry to delete, or to restore."""

    undo: bool = False


Request = TypeVar("Request", bound=BaseModel)


# ---- work in progress ---------------------------------------------------------------------------


@dataclass(frozen=True)
class JobView:
    """A job on the page: its name, and how to describe its result."""

    job: Job
    name: str
    describe: Callable[[Reply], str]

    def as_dict(self, identifier: str) -> Reply:
        job = self.job
        result = job.result() if job.finished and not job.error else None
        return {
            "id": identifier,
            "name": self.name,
            "done": job.done,
            "total": job.total,
            "what": job.what,
            "error": job.error,
            "finished": job.finished,
            "outcome": self.describe(result) if result else "",
            "result": result,
        }


@dataclass
class Jobs:
    """Exports, pushes and downloads, running or recently ended, by id; shared by all browsers."""

    kept: dict[str, JobView] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, view: JobView) -> Reply:
        with self.lock:
            done = [key for key, one in self.kept.items() if one.job.finished]
            for key in done[: max(0, len(self.kept) + 1 - _KEPT)]:
                del self.kept[key]
            identifier = new_id("job")
            self.kept[identifier] = view
            return {"job": identifier}

    def shown(self) -> Reply:
        """The jobs as markup, newest first, and whether any is running."""
        with self.lock:
            all_jobs = [one.as_dict(key) for key, one in self.kept.items()]
        return {
            "jobs": "".join(views.working(job) for job in reversed(all_jobs)),
            "busy": any(not job["finished"] for job in all_jobs),
        }

    def end(self, identifier: str) -> None:
        """Stop a running job; forget one that has ended."""
        with self.lock:
            if identifier not in self.kept:
                raise ConfigError("That job is no longer running.")
            if self.kept[identifier].job.finished:
                del self.kept[identifier]
            else:
                self.kept[identifier].job.cancel()


# ---- the functions ------------------------------------------------------------------------------


def server_functions(studio: Studio) -> list[ServerFunction]:
    """The functions to hand to `gr.HTML(server_functions=...)`."""
    library = LibraryApi(studio)
    return [
        _served("models_open", "see the library", Shown, library.open),
        _served("models_jobs", "see the library", Anything, library.list_jobs),
        _served("models_mark", "change the library", Mark, library.mark),
        _served("models_export", "export a model", Export, library.export),
        _served("models_card", "read a model's card", Entry, library.card),
        _served("models_preview", "push a model", Entry, library.preview),
        _served("models_push", "push a model", Push, library.push),
        _served("models_search", "search the Hub", HubSearch, library.search),
        _served("models_pull", "download a model", Pull, library.pull),
        _served("models_cancel", "stop this", Cancel, library.cancel),
        _served("models_delete", "delete a model", Delete, library.delete),
        _served("models_clean", "clean up the workspace", Anything, library.clean),
    ]


def _served(
    name: str, permission: str, model: type[Request], answer: Callable[[Request], Reply]
) -> ServerFunction:
    """A function under the name that the page calls it by, for owners, with its request checked."""

    def function(sent: object = None) -> Reply:
        try:
            person().must_own(permission)
            return answer(checked(model, {} if sent is None else sent))
        except Exception as error:  # `sentence` logs whatever is not a StudioError
            return {"error": sentence(error)}

    function.__name__ = name
    return function


class LibraryApi:
    """The answers, over one studio."""

    def __init__(self, studio: Studio):
        self.studio, self.jobs, self.visits = studio, Jobs(), Visits()

    def open(self, wanted: Shown) -> Reply:
        library = self.studio.collection
        items = self.visits.ordered(wanted.visit, library.items())
        found = fitting(items, wanted)
        reply = {
            "cards": views.cards(items, found[: wanted.most], len(found)),
            "counts": views.counted(items),
            **self.jobs.shown(),
        }
        if wanted.brief:
            return reply
        return reply | {
            "disk": views.disk(library.usage(), library.waste(), _safety(self.studio)),
            "fetch": boxes.fetching(),
        }

    def list_jobs(self, _: Anything) -> Reply:
        return self.jobs.shown()

    def mark(self, request: Mark) -> Reply:
        changes: Reply = {}
        if request.star is not None:
            changes["star"] = request.star
        if request.tags is not None:
            changes |= {"tags": request.tags.split(","), "note": request.note}
        self.studio.collection.mark(request.id, **changes)
        return {}

    def export(self, request: Export) -> Reply:
        run = self.studio.runs.get(request.id)
        out = self.studio.workspace.exports / secret_id("export")
        outtype = request.outtype or "q8_0"
        matrix = request.importance_matrix and outtype in QUANTIZED
        job = self.studio.export(ExportRequest(run.id, request.to, out, outtype, matrix))
        to = f"{request.to} {outtype}" if request.to == "gguf" else request.to
        return self.jobs.put(JobView(job, f"{run.name} to {to}", _exported))

    def card(self, request: Entry) -> Reply:
        return {"card": boxes.readme(self._exported(request))}

    def preview(self, request: Entry) -> Reply:
        files = hub.preview(self._exported(request))
        return {"files": boxes.going(files, hub.known_login())}

    def push(self, request: Push) -> Reply:
        repo = request.repo.strip()
        job = hub.start_push(self._exported(request), repo, private=not request.public)
        kind = "public" if request.public else "private"
        return self.jobs.put(
            JobView(job, f"Push to {repo}", lambda result: f"{kind}, at {result['url']}")
        )

    def pull(self, request: Pull) -> Reply:
        repo = request.repo.strip()
        job = hub.start_pull(repo, request.revision.strip())
        return self.jobs.put(JobView(job, f"Download {repo}", _downloaded))

    def search(self, request: HubSearch) -> Reply:
        found = hub_search.search(request.words[:200], largest=request.largest)
        return {"found": boxes.found_on_the_hub(found)}

    def cancel(self, request: Cancel) -> Reply:
        self.jobs.end(request.job)
        return self.jobs.shown()

    def delete(self, request: Delete) -> Reply:
        library = self.studio.collection
        if request.undo:
            library.restore(request.id)
            return {}
        name = library.get(request.id).name
        library.delete(request.id)
        return {"deleted": name}

    def clean(self, _: Anything) -> Reply:
        return {"freed": bytes_text(self.studio.collection.clean())}

    def _exported(self, request: Entry) -> Path:
        """The folder of an export; anything else is refused."""
        item = self.studio.collection.get(request.id)
        if item.kind != "export":
            raise ConfigError("Only exports can be pushed: export the run first.")
        return item.folder


def _exported(record: Reply) -> str:
    return f"exported and verified: {DOT.join(proof(record))}"


def _downloaded(result: Reply) -> str:
    return f"{bytes_text(result['bytes'])} downloaded, at revision {result['revision']}"


def _safety(studio: Studio) -> dict[str, str] | None:
    """How safe runs and data are on this disk; None where the disk is persistent."""
    if studio.run_backup is not None:
        told = backup_age(studio.run_backup)
        return {**told, "text": f"Runs and data: {told['text']} to {studio.run_backup.repo}."}
    if not is_ephemeral_disk(studio.workspace.home):
        return None
    return {
        "kind": "warn",
        "text": "Runs and data are not backed up, and this disk is not persistent.",
        "more": "Set STUDIO_RUNS_REPO to a repository of yours, or use storage under /data.",
    }
