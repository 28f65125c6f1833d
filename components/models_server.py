"""What the Models panel may ask of the server, one function a question.

As on the Label tab: every function takes one mapping, checks each part of it, and answers with a
mapping that holds what was asked for or `error`, a sentence. Changing anything takes an owner.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components import models_views as views
from components.common import sentence
from components.label_people import person
from studio.errors import ConfigError
from studio.exports import Exporting, ExportRequest
from studio.workspace import new_id

if TYPE_CHECKING:
    from studio import Studio

Ask = Mapping[str, Any]
Reply = dict[str, Any]
_KEPT = 12  # exports remembered, the oldest finished ones first out


@dataclass
class Jobs:
    """Exports under way or lately ended, by id; the same for every browser."""

    kept: dict[str, tuple[Exporting, str]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, job: Exporting, name: str) -> str:
        with self.lock:
            done = [key for key, (one, _) in self.kept.items() if one.finished]
            for key in done[: max(0, len(self.kept) + 1 - _KEPT)]:
                del self.kept[key]
            identifier = new_id("job")
            self.kept[identifier] = (job, name)
            return identifier

    def shown(self) -> list[dict[str, Any]]:
        with self.lock:
            kept = list(self.kept.items())
        return [
            {"id": key, "name": name, "to": f"{job.request.to} {_stored(job)}".strip(),
             "done": job.done, "total": job.total, "what": job.what, "error": job.error,
             "finished": job.finished}
            for key, (job, name) in kept
        ]  # fmt: skip

    def get(self, identifier: str) -> Exporting:
        with self.lock:
            if identifier not in self.kept:
                raise ConfigError("That export is not under way any more.")
            return self.kept[identifier][0]


def _stored(job: Exporting) -> str:
    return job.request.outtype if job.request.to == "gguf" else ""


def questions(studio: Studio) -> list[Callable[[Any], Reply]]:
    """The functions to hand to `gr.HTML(server_functions=...)`."""
    jobs = Jobs()

    def models_open(ask: Any) -> Reply:
        return _answer(lambda: _open(studio, jobs))

    def models_jobs(ask: Any) -> Reply:
        return _answer(lambda: _jobs(jobs))

    def models_mark(ask: Any) -> Reply:
        return _answer(lambda: _mark(studio, _owned(ask, "change the library")))

    def models_export(ask: Any) -> Reply:
        return _answer(lambda: _export(studio, jobs, _owned(ask, "export a model")))

    def models_cancel(ask: Any) -> Reply:
        return _answer(lambda: _cancel(jobs, _owned(ask, "stop an export")))

    def models_delete(ask: Any) -> Reply:
        return _answer(lambda: _delete(studio, _owned(ask, "delete a model")))

    def models_clean(ask: Any) -> Reply:
        return _answer(lambda: _clean(studio, _owned(ask, "clean the workspace up")))

    return [
        models_open, models_jobs, models_mark, models_export, models_cancel, models_delete,
        models_clean,
    ]  # fmt: skip


def _answer(work: Callable[[], Reply]) -> Reply:
    try:
        return work()
    except Exception as error:  # logged by `sentence` unless it is one of ours
        return {"error": sentence(error)}


def _owned(ask: Any, what: str) -> Ask:
    """The question, from somebody who may change things."""
    person().must_own(what)
    return ask if isinstance(ask, Mapping) else {}


def _text(ask: Ask, name: str) -> str:
    value = ask.get(name)
    if not isinstance(value, str):
        raise ConfigError(f"{name} must be a text.")
    return value


def _open(studio: Studio, jobs: Jobs) -> Reply:
    items = studio.collection.items()
    return {
        "cards": views.cards(items),
        "disk": views.disk(studio.collection.usage(), studio.collection.waste()),
        "counts": views.counted(items),
        **_jobs(jobs),
    }


def _jobs(jobs: Jobs) -> Reply:
    shown = jobs.shown()
    return {
        "jobs": "".join(views.working(job) for job in reversed(shown)),
        "busy": any(not job["finished"] for job in shown),
    }


def _mark(studio: Studio, ask: Ask) -> Reply:
    changes: dict[str, Any] = {}
    if isinstance(ask.get("star"), bool):
        changes["star"] = ask["star"]
    if "tags" in ask:
        changes |= {"tags": _text(ask, "tags").split(","), "note": _text(ask, "note")}
    studio.collection.mark(_text(ask, "id"), **changes)
    return {}


def _export(studio: Studio, jobs: Jobs, ask: Ask) -> Reply:
    run = studio.runs.get(_text(ask, "id"))
    out = studio.workspace.exports / new_id("export")
    outtype = _text(ask, "outtype") or "q8_0"
    job = studio.export(ExportRequest(run.id, _text(ask, "to"), out, outtype))
    return {"job": jobs.put(job, run.name)}


def _cancel(jobs: Jobs, ask: Ask) -> Reply:
    jobs.get(_text(ask, "job")).cancel()
    return {}


def _delete(studio: Studio, ask: Ask) -> Reply:
    identifier = _text(ask, "id")
    if ask.get("undo"):
        studio.collection.restore(identifier)
        return {}
    name = studio.collection.get(identifier).name
    studio.collection.delete(identifier)
    return {"deleted": name}


def _clean(studio: Studio, ask: Ask) -> Reply:
    return {"freed": views.bytes_text(studio.collection.clean())}
