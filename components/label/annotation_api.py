"""What the labelling panel may ask of the server, one function a question.

Gradio exposes a panel's server functions to whoever can open the page (behind its login, where
there is one) and runs them with whatever was posted: so every function takes one mapping, checks
each part of it, and answers with a mapping that holds either what was asked for or `error`, a
sentence. What is sent for labelling never contains a model's name or which stored answer is which,
and who asks is the login's name where there is a login (`people`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from components.ui.access import Person, person
from components.ui.handlers import sentence
from components.ui.markdown import rendered
from studio.core.errors import DataError
from studio.labels import FORMATS, LabelStore, ShownItem, Standing, Vote, export_items
from studio.labels.annotator_report import report
from studio.labels.types import ADJUDICATION
from studio.labels.vote_writes import VoteInput
from studio.labels.win_rates import tally

Request = Mapping[str, Any]
Response = dict[str, Any]
Question = Callable[[Any], Response]

_CHOICES = ("left", "right", "tie", "both_bad", "skip", "broken")
_AHEAD = 2  # items on the page: the one being judged and the one after it
_HISTORY = 40
_SNIPPET = 140


def server_functions(
    labels: Callable[[], LabelStore], about: Callable[[str], Response] = lambda project_id: {}
) -> list[Question]:
    """The functions to hand to `gr.HTML(server_functions=...)`.

    `labels` gives the store; `about(project_id)` is told once a visit: whether more pairs are
    being written, and how old the last safe copy is.
    """

    def label_open(ask: Any) -> Response:
        return _answer(lambda: _open(labels(), _mapping(ask), about))

    def label_vote(ask: Any) -> Response:
        return _answer(lambda: _vote(labels(), _mapping(ask)))

    def label_undo(ask: Any) -> Response:
        return _answer(lambda: _undo(labels(), _mapping(ask)))

    def label_show(ask: Any) -> Response:
        return _answer(lambda: _show(labels(), _mapping(ask)))

    def label_history(ask: Any) -> Response:
        return _answer(lambda: _history(labels(), _mapping(ask)))

    def label_results(ask: Any) -> Response:
        return _answer(lambda: _results(labels(), _mapping(ask)))

    def label_retire(ask: Any) -> Response:
        return _answer(lambda: _retire(labels(), _mapping(ask)))

    def label_export(ask: Any) -> Response:
        return _answer(lambda: _export(labels(), _mapping(ask)))

    return [
        label_open,
        label_vote,
        label_undo,
        label_show,
        label_history,
        label_results,
        label_retire,
        label_export,
    ]


def _answer(work: Callable[[], Response]) -> Response:
    try:
        return work()
    except Exception as error:  # logged by `sentence` unless it is one of ours
        return {"error": sentence(error)}


# ---- the questions ------------------------------------------------------------------------------


def _open(store: LabelStore, ask: Request, about: Callable[[str], Response]) -> Response:
    project = store.get(_text(ask, "project", 40))
    shown = {"id": project.id, "name": project.name, "question": project.question}
    shown |= {"guidelines": project.guidelines and rendered(project.guidelines)}
    shown |= {"aspects": project.aspects, "reasons": project.reasons}
    who = _who(ask)
    told = {"name": who.name, "owner": who.owner, "login": who.login}
    standing = _standing(store.standing(project.id, who.name))
    return {"project": shown, "person": told, **about(project.id), **standing}


def _vote(store: LabelStore, ask: Request) -> Response:
    project_id, who = _text(ask, "project", 40), _who(ask)
    choice, turn = _text(ask, "choice", 10), _whole(ask, "turn") if "turn" in ask else 0
    if turn == ADJUDICATION:
        who.must_own("settle a disagreement")
    if choice not in _CHOICES:
        raise DataError(f"A vote from the page is one of {', '.join(_CHOICES)}.")
    ballot = VoteInput.checked(
        who.name,
        choice,
        _whole(ask, "strength"),
        _number(ask, "seconds"),
        _text(ask, "note", 4_000, required=False),
        _text(ask, "edited", 100_000, required=False),
        _text(ask, "key", 100),
        turn,
        _names(ask, "reasons", list),
        _names(ask, "aspects", dict),
    )
    receipt, standing = store.cast(project_id, _whole(ask, "item"), ballot, count=_AHEAD)
    # The receipt's choice says a or b, which the page must not learn.
    kept = {"vote": receipt.vote_id, "version": receipt.version, "repeated": receipt.repeated}
    return {"receipt": kept, **_standing(standing)}


def _undo(store: LabelStore, ask: Request) -> Response:
    project_id, annotator = _text(ask, "project", 40), _name(ask)
    taken = store.undo(project_id, annotator, _text(ask, "key", 100))
    return {"undone": taken is not None, **_standing(store.standing(project_id, annotator))}


def _show(store: LabelStore, ask: Request) -> Response:
    shown = store.show(_text(ask, "project", 40), _whole(ask, "item"), _name(ask))
    return {"item": _item(shown)}


def _history(store: LabelStore, ask: Request) -> Response:
    project_id, annotator = _text(ask, "project", 40), _name(ask)
    votes = store.history(project_id, annotator, _HISTORY)
    return {"votes": [_past(store, project_id, annotator, vote) for vote in votes]}


def _results(store: LabelStore, ask: Request) -> Response:
    project_id, who = _text(ask, "project", 40), _who(ask)
    who.must_own("see a project's results")
    judged = list(store.labelled_pairs(project_id))
    return {
        "results": [rate.as_dict() for rate in tally(judged)],
        "summary": export_items(judged, "dpo").summary.as_dict(),
        "progress": store.progress(project_id, who.name).as_dict(),
        "report": report(judged, store.repeat_votes(project_id)),
    }


def _retire(store: LabelStore, ask: Request) -> Response:
    _who(ask).must_own("take a pair out of a project")
    store.retire(_text(ask, "project", 40), _whole(ask, "item"))
    return _results(store, ask)


def _export(store: LabelStore, ask: Request) -> Response:
    _who(ask).must_own("export a project's votes")
    format = _text(ask, "format", 10)
    if format not in FORMATS:
        raise DataError(f"An export is one of {', '.join(FORMATS)}.")
    project = store.get(_text(ask, "project", 40))
    export = store.export(project.id, format)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in export.rows)
    name = "".join(c if c.isalnum() else "-" for c in project.name.lower()).strip("-") or "labels"
    return {"name": f"{name}-{format}.jsonl", "jsonl": lines, "rows": len(export.rows)}


# ---- what goes out ------------------------------------------------------------------------------


def _standing(standing: Standing | None) -> Response:
    """Where this person stands: the item to judge, the one after it, and their progress."""
    if standing is None:
        raise DataError("Nothing was handed out; reload the page.")
    upcoming = [_item(shown) for shown in standing.upcoming]
    return {
        "item": upcoming[0] if upcoming else None,
        "after": upcoming[1] if len(upcoming) > 1 else None,
        "progress": standing.progress.as_dict(),
    }


def _item(shown: ShownItem) -> Response:
    return {
        "id": shown.item_id,
        "prompt": shown.prompt,
        "left": shown.left,
        "right": shown.right,
        "turn": shown.turn,
        "html": {
            "prompt": [rendered(turn["content"]) for turn in shown.prompt],
            "left": rendered(shown.left),
            "right": rendered(shown.right),
        },
    }


def _past(store: LabelStore, project_id: str, annotator: str, vote: Vote) -> Response:
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


def _mapping(ask: object) -> Request:
    if not isinstance(ask, dict) or len(ask) > 20:
        raise DataError("The page sent something that is not a question; reload it.")
    return ask


def _who(ask: Request) -> Person:
    return person(_text(ask, "annotator", 80))


def _name(ask: Request) -> str:
    return _who(ask).name


def _names(ask: Request, key: str, kind: type) -> Any:
    """Reasons (a list of names) or aspects (sides by name); nothing where nothing was sent."""
    value = ask.get(key) or kind()
    if isinstance(value, kind):
        parts = [*value, *(value.values() if isinstance(value, dict) else ())]
        if len(parts) <= 40 and all(isinstance(part, str) and len(part) <= 40 for part in parts):
            return value
    raise DataError(f"The page sent no usable {key}; reload it.")


def _text(ask: Request, key: str, most: int, required: bool = True) -> str:
    value = ask.get(key)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        raise DataError(f"The page sent no usable {key}; reload it.")
    if len(value) > most:
        raise DataError(f"The {key} has {len(value):,} characters; the most is {most:,}.")
    return value


def _whole(ask: Request, key: str) -> int:
    value = ask.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise DataError(f"The page sent no usable {key}; reload it.")
    return value


def _number(ask: Request, key: str) -> float:
    value = ask.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"The page sent no usable {key}; reload it.")
    return float(value)
