"""What the labelling panel may ask of the server, one function a question.

Gradio exposes a panel's server functions to whoever can open the page (behind its login, where
there is one) and runs them with whatever was posted: so every function takes one mapping, checks
each part of it, and answers with a mapping that holds either what was asked for or `error`, a
sentence. What is sent for labelling never contains a model's name or which stored answer is which.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from components.common import sentence
from studio.errors import DataError
from studio.preference import FORMATS, LabelStore, ShownItem, Vote

Ask = Mapping[str, Any]
Reply = dict[str, Any]
Question = Callable[[Any], Reply]

_CHOICES = ("left", "right", "tie", "both_bad", "skip")
_HISTORY = 40
_SNIPPET = 140


def questions(labels: Callable[[], LabelStore]) -> list[Question]:
    """The functions to hand to `gr.HTML(server_functions=...)`; `labels` gives the store."""

    def label_open(ask: Any) -> Reply:
        return _answer(lambda: _open(labels(), _mapping(ask)))

    def label_vote(ask: Any) -> Reply:
        return _answer(lambda: _vote(labels(), _mapping(ask)))

    def label_undo(ask: Any) -> Reply:
        return _answer(lambda: _undo(labels(), _mapping(ask)))

    def label_show(ask: Any) -> Reply:
        return _answer(lambda: _show(labels(), _mapping(ask)))

    def label_history(ask: Any) -> Reply:
        return _answer(lambda: _history(labels(), _mapping(ask)))

    def label_results(ask: Any) -> Reply:
        return _answer(lambda: _results(labels(), _mapping(ask)))

    def label_export(ask: Any) -> Reply:
        return _answer(lambda: _export(labels(), _mapping(ask)))

    return [
        label_open,
        label_vote,
        label_undo,
        label_show,
        label_history,
        label_results,
        label_export,
    ]


def _answer(work: Callable[[], Reply]) -> Reply:
    try:
        return work()
    except Exception as error:  # logged by `sentence` unless it is one of ours
        return {"error": sentence(error)}


# ---- the questions ------------------------------------------------------------------------------


def _open(store: LabelStore, ask: Ask) -> Reply:
    project = store.get(_text(ask, "project", 40))
    about = {"id": project.id, "name": project.name, "question": project.question}
    about |= {"guidelines": project.guidelines}
    return {"project": about, **_standing(store, project.id, _name(ask))}


def _vote(store: LabelStore, ask: Ask) -> Reply:
    project_id, annotator = _text(ask, "project", 40), _name(ask)
    choice = _text(ask, "choice", 10)
    if choice not in _CHOICES:
        raise DataError(f"A vote from the page is one of {', '.join(_CHOICES)}.")
    receipt = store.vote(
        project_id,
        _whole(ask, "item"),
        annotator,
        choice,
        strength=_whole(ask, "strength"),
        seconds=_number(ask, "seconds"),
        idempotency_key=_text(ask, "key", 100),
        note=_text(ask, "note", 4_000, required=False),
        edited=_text(ask, "edited", 100_000, required=False),
    )
    # The receipt's choice says a or b, which the page must not learn.
    kept = {"vote": receipt.vote_id, "version": receipt.version, "repeated": receipt.repeated}
    return {"receipt": kept, **_standing(store, project_id, annotator)}


def _undo(store: LabelStore, ask: Ask) -> Reply:
    project_id, annotator = _text(ask, "project", 40), _name(ask)
    taken = store.undo(project_id, annotator, _text(ask, "key", 100))
    return {"undone": taken is not None, **_standing(store, project_id, annotator)}


def _show(store: LabelStore, ask: Ask) -> Reply:
    shown = store.show(_text(ask, "project", 40), _whole(ask, "item"), _name(ask))
    return {"item": _item(shown)}


def _history(store: LabelStore, ask: Ask) -> Reply:
    project_id, annotator = _text(ask, "project", 40), _name(ask)
    votes = store.history(project_id, annotator, _HISTORY)
    return {"votes": [_past(store, project_id, annotator, vote) for vote in votes]}


def _results(store: LabelStore, ask: Ask) -> Reply:
    project_id = _text(ask, "project", 40)
    progress = store.progress(project_id, _name(ask))
    return {
        "results": [rate.as_dict() for rate in store.results(project_id)],
        "summary": store.export(project_id, "dpo").summary.as_dict(),
        "progress": progress.as_dict(),
    }


def _export(store: LabelStore, ask: Ask) -> Reply:
    format = _text(ask, "format", 10)
    if format not in FORMATS:
        raise DataError(f"An export is one of {', '.join(FORMATS)}.")
    project = store.get(_text(ask, "project", 40))
    export = store.export(project.id, format)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in export.rows)
    name = "".join(c if c.isalnum() else "-" for c in project.name.lower()).strip("-") or "labels"
    return {"name": f"{name}-{format}.jsonl", "jsonl": lines, "rows": len(export.rows)}


# ---- what goes out ------------------------------------------------------------------------------


def _standing(store: LabelStore, project_id: str, annotator: str) -> Reply:
    """Where this person stands: the item to judge, the one after it, and their progress."""
    upcoming = [_item(shown) for shown in store.upcoming(project_id, annotator, 2)]
    return {
        "item": upcoming[0] if upcoming else None,
        "after": upcoming[1] if len(upcoming) > 1 else None,
        "progress": store.progress(project_id, annotator).as_dict(),
    }


def _item(shown: ShownItem) -> Reply:
    return {
        "id": shown.item_id,
        "prompt": shown.prompt,
        "left": shown.left,
        "right": shown.right,
    }


def _past(store: LabelStore, project_id: str, annotator: str, vote: Vote) -> Reply:
    shown = store.show(project_id, vote.item_id, annotator)
    sides = {"a": "left", "b": "right"} if shown.order == "ab" else {"a": "right", "b": "left"}
    asked = shown.prompt[-1]["content"] if shown.prompt else ""
    return {
        "item": vote.item_id,
        "choice": sides.get(vote.choice, vote.choice),
        "strength": vote.strength,
        "note": vote.note[:_SNIPPET],
        "edited": bool(vote.edited),
        "asked": asked[:_SNIPPET],
        "created": vote.created,
    }


# ---- what comes in ------------------------------------------------------------------------------


def _mapping(ask: object) -> Ask:
    if not isinstance(ask, dict) or len(ask) > 20:
        raise DataError("The page sent something that is not a question; reload it.")
    return ask


def _name(ask: Ask) -> str:
    return _text(ask, "annotator", 80)


def _text(ask: Ask, key: str, most: int, required: bool = True) -> str:
    value = ask.get(key)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        raise DataError(f"The page sent no usable {key}; reload it.")
    if len(value) > most:
        raise DataError(f"The {key} has {len(value):,} characters; the most is {most:,}.")
    return value


def _whole(ask: Ask, key: str) -> int:
    value = ask.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise DataError(f"The page sent no usable {key}; reload it.")
    return value


def _number(ask: Ask, key: str) -> float:
    value = ask.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"The page sent no usable {key}; reload it.")
    return float(value)
