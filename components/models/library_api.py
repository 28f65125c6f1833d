"""What the Models panel may ask of the server, one function a question.

As on the Label tab: every function takes one mapping, checks each part of it, and answers with a
mapping that holds what was asked for or `error`, a sentence. Asking takes an owner.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.models import card_details_html as boxes
from components.models import cards_html as views
from components.ui.access import person
from components.ui.handlers import sentence
from studio.core import hub
from studio.core.errors import ConfigError
from studio.core.hub_backup import backup_age
from studio.core.jobs import Job
from studio.core.workspace import new_id
from studio.engine.run_backup import is_ephemeral_disk
from studio.exports import ExportRequest

if TYPE_CHECKING:
    from studio import Studio

Request = Mapping[str, Any]
Response = dict[str, Any]
_KEPT = 12  # jobs remembered, the oldest finished ones first out


@dataclass(frozen=True)
class JobView:
    """A job on the page: its name, and what to say of its result."""

    job: Job
    name: str
    told: Callable[[dict[str, Any]], str]

    def as_dict(self, identifier: str) -> dict[str, Any]:
        job = self.job
        result = job.result() if job.finished and not job.error else None
        told = self.told(result) if result else ""
        return {
            "id": identifier,
            "name": self.name,
            "done": job.done,
            "total": job.total,
            "what": job.what,
            "error": job.error,
            "finished": job.finished,
            "told": told,
            "result": result,
        }


@dataclass
class Jobs:
    """Exports, pushes and fetches under way or lately ended, by id; the same for every browser."""

    kept: dict[str, JobView] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, shown: JobView) -> Response:
        with self.lock:
            done = [key for key, one in self.kept.items() if one.job.finished]
            for key in done[: max(0, len(self.kept) + 1 - _KEPT)]:
                del self.kept[key]
            identifier = new_id("job")
            self.kept[identifier] = shown
            return {"job": identifier}

    def shown(self) -> list[dict[str, Any]]:
        with self.lock:
            return [one.as_dict(key) for key, one in self.kept.items()]

    def end(self, identifier: str) -> None:
        """Stop what is under way; forget what has ended."""
        with self.lock:
            if identifier not in self.kept:
                raise ConfigError("That work is not under way any more.")
            if self.kept[identifier].job.finished:
                del self.kept[identifier]
            else:
                self.kept[identifier].job.cancel()


def server_functions(studio: Studio) -> list[Callable[[Any], Response]]:
    """The functions to hand to `gr.HTML(server_functions=...)`."""
    jobs = Jobs()

    def models_open(ask: Any) -> Response:
        return _answer(lambda: _open(studio, jobs, _owned(ask, "see the library")))

    def models_jobs(ask: Any) -> Response:
        return _answer(lambda: _jobs(jobs, _owned(ask, "see the library")))

    def models_mark(ask: Any) -> Response:
        return _answer(lambda: _mark(studio, _owned(ask, "change the library")))

    def models_export(ask: Any) -> Response:
        return _answer(lambda: _export(studio, jobs, _owned(ask, "export a model")))

    def models_card(ask: Any) -> Response:
        return _answer(lambda: _card(studio, _owned(ask, "read a model's card")))

    def models_preview(ask: Any) -> Response:
        return _answer(lambda: _preview(studio, _owned(ask, "push a model")))

    def models_push(ask: Any) -> Response:
        return _answer(lambda: _push(studio, jobs, _owned(ask, "push a model")))

    def models_pull(ask: Any) -> Response:
        return _answer(lambda: _pull(jobs, _owned(ask, "fetch a model")))

    def models_cancel(ask: Any) -> Response:
        return _answer(lambda: _cancel(jobs, _owned(ask, "stop this")))

    def models_delete(ask: Any) -> Response:
        return _answer(lambda: _delete(studio, _owned(ask, "delete a model")))

    def models_clean(ask: Any) -> Response:
        return _answer(lambda: _clean(studio, _owned(ask, "clean the workspace up")))

    return [
        models_open,
        models_jobs,
        models_mark,
        models_export,
        models_card,
        models_preview,
        models_push,
        models_pull,
        models_cancel,
        models_delete,
        models_clean,
    ]


def _answer(work: Callable[[], Response]) -> Response:
    try:
        return work()
    except Exception as error:  # logged by `sentence` unless it is one of ours
        return {"error": sentence(error)}


def _owned(ask: Any, what: str) -> Request:
    """The question, from somebody who may change things."""
    person().must_own(what)
    return ask if isinstance(ask, Mapping) else {}


def _text(ask: Request, name: str) -> str:
    value = ask.get(name)
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be a text.")
    return value


def _open(studio: Studio, jobs: Jobs, ask: Request) -> Response:
    items = studio.collection.items()
    return {
        "cards": views.cards(items),
        "disk": views.disk(studio.collection.usage(), studio.collection.waste(), _safety(studio)),
        "fetch": boxes.fetching(),
        "counts": views.counted(items),
        **_jobs(jobs, ask),
    }


def _safety(studio: Studio) -> dict[str, str] | None:
    """How safe runs and data are on this disk; nothing where that is their owner's own matter."""
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


def _jobs(jobs: Jobs, ask: Request) -> Response:
    shown = jobs.shown()
    return {
        "jobs": "".join(views.working(job) for job in reversed(shown)),
        "busy": any(not job["finished"] for job in shown),
    }


def _mark(studio: Studio, ask: Request) -> Response:
    changes: dict[str, Any] = {}
    if isinstance(ask.get("star"), bool):
        changes["star"] = ask["star"]
    if "tags" in ask:
        changes |= {"tags": _text(ask, "tags").split(","), "note": _text(ask, "note")}
    studio.collection.mark(_text(ask, "id"), **changes)
    return {}


def _export(studio: Studio, jobs: Jobs, ask: Request) -> Response:
    run = studio.runs.get(_text(ask, "id"))
    out = studio.workspace.exports / new_id("export")
    outtype = _text(ask, "outtype") or "q8_0"
    request = ExportRequest(run.id, _text(ask, "to"), out, outtype)
    to = f"{request.to} {outtype}" if request.to == "gguf" else request.to
    job = studio.export(request)
    return jobs.put(
        JobView(job, f"{run.name} to {to}", lambda _: "loaded back, compared, and kept")
    )


def _exported(studio: Studio, ask: Request) -> Path:
    """The folder of an export; whatever else is named is refused."""
    item = studio.collection.get(_text(ask, "id"))
    if item.kind != "export":
        raise ConfigError("An export is what can be pushed: export the run first.")
    return item.folder


def _card(studio: Studio, ask: Request) -> Response:
    return {"card": boxes.readme(_exported(studio, ask))}


def _preview(studio: Studio, ask: Request) -> Response:
    files = hub.preview(_exported(studio, ask))
    return {"files": boxes.going(files, hub.known_login())}


def _push(studio: Studio, jobs: Jobs, ask: Request) -> Response:
    repo, public = _text(ask, "repo").strip(), ask.get("public") is True
    job = hub.start_push(_exported(studio, ask), repo, private=not public)
    kind = "public" if public else "private"
    return jobs.put(JobView(job, f"Push to {repo}", lambda done: f"{kind}, at {done['url']}"))


def _pull(jobs: Jobs, ask: Request) -> Response:
    repo, revision = _text(ask, "repo").strip(), _text(ask, "revision").strip()
    job = hub.start_pull(repo, revision)
    return jobs.put(JobView(job, f"Fetch {repo}", _fetched))


def _fetched(done: dict[str, Any]) -> str:
    return f"{views.bytes_text(done['bytes'])}, here now, at revision {done['revision']}"


def _cancel(jobs: Jobs, ask: Request) -> Response:
    jobs.end(_text(ask, "job"))
    return _jobs(jobs, ask)


def _delete(studio: Studio, ask: Request) -> Response:
    identifier = _text(ask, "id")
    if ask.get("undo"):
        studio.collection.restore(identifier)
        return {}
    name = studio.collection.get(identifier).name
    studio.collection.delete(identifier)
    return {"deleted": name}


def _clean(studio: Studio, ask: Request) -> Response:
    return {"freed": views.bytes_text(studio.collection.clean())}
