"""Server functions of the labeling panel, one per request of the page.

Gradio exposes a panel's server functions to whoever can open the page (behind its login, if any)
and runs them with whatever was posted. So every request is validated by a pydantic model, and every
response holds either what was asked for or `error`, one sentence. Until the results, nothing that
is sent contains a model's name or says which stored answer is which. Where there is a login, votes
are stored under the login's name (`components.ui.access`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.ui.access import Person, person
from components.ui.answer_html import calls, thought, tools_given
from components.ui.handlers import sentence
from components.ui.markdown import rendered
from studio.core.answers import AnswerParts, said
from studio.core.errors import DataError
from studio.core.messages import tools_of
from studio.labels import LabelStore, Project, ShownItem, Standing, Vote, export_items
from studio.labels.annotator_report import report
from studio.labels.types import ADJUDICATION
from studio.labels.vote_writes import MAX_EDITED, MAX_KEY, MAX_NAME, MAX_NOTE, VoteInput
from studio.labels.win_rates import tally

Response = dict[str, Any]
ServerFunction = Callable[[Any], Response]
About = Callable[[str], Response]

_AHEAD = 2  # items on the page: the current one and the next
_HISTORY = 40
_SNIPPET = 140

Whole = Annotated[int, Field(ge=0, lt=2**53)]
Word = Annotated[str, Field(max_length=40)]
Key = Annotated[str, Field(min_length=1, max_length=MAX_KEY)]


class Seat(BaseModel):
    """The project and the annotator's name that every request carries."""

    model_config = ConfigDict(strict=True)

    project: str = Field(min_length=1, max_length=40)
    annotator: str = Field(min_length=1, max_length=MAX_NAME)

    @property
    def person(self) -> Person:
        return person(self.annotator)

    def owner(self, what: str) -> Person:
        """The person; `DataError` unless an owner. `what` is what was asked for."""
        who = self.person
        who.must_own(what)
        return who


class OneItem(Seat):
    item: Whole


class VoteRequest(OneItem):
    choice: Literal["left", "right", "tie", "both_bad", "skip", "broken"]
    strength: Whole
    seconds: float
    key: Key
    note: str = Field("", max_length=MAX_NOTE)
    edited: str = Field("", max_length=MAX_EDITED)
    turn: Whole = 0
    reasons: list[Word] = Field(default=[], max_length=40)
    aspects: dict[Word, Word] = Field(default={}, max_length=40)


class UndoRequest(Seat):
    key: Key


class ExportRequest(Seat):
    format: Literal["dpo", "kto", "reward"]


class GuidelinesRequest(Seat):
    text: str


R = TypeVar("R", bound=Seat)


def server_functions(
    labels: Callable[[], LabelStore], about: About = lambda project_id: {}
) -> list[ServerFunction]:
    """The functions to hand to `gr.HTML(server_functions=...)`.

    `labels` gives the store; `about(project_id)` adds to the response of `label_open`: whether
    more pairs are being written, and the age of the last backup.
    """

    def server(name: str, model: type[R], work: Callable[[LabelStore, R], Response]) -> Any:
        def function(request: Any) -> Response:
            return _answer(lambda: work(labels(), _checked(model, request)))

        function.__name__ = name  # by which the page calls it
        return function

    return [
        server("label_open", Seat, lambda store, request: _open(store, request, about)),
        server("label_vote", VoteRequest, _vote),
        server("label_undo", UndoRequest, _undo),
        server("label_show", OneItem, _show),
        server("label_history", Seat, _history),
        server("label_results", Seat, _results),
        server("label_retire", OneItem, _retire),
        server("label_export", ExportRequest, _export),
        server("label_guidelines", GuidelinesRequest, _guidelines),
    ]


def _checked(model: type[R], request: object) -> R:
    """The request as its model, or one sentence about the first field that is wrong."""
    try:
        return model.model_validate(request)
    except ValidationError as error:
        first = error.errors()[0]
    key, limits = str(first["loc"][0]) if first["loc"] else "request", first.get("ctx", {})
    if first["type"] == "string_too_long" and len(first["loc"]) == 1:
        size, most = len(first["input"]), limits["max_length"]
        raise DataError(f"The {key} has {size:,} characters; the most is {most:,}.")
    if first["type"] == "literal_error":
        raise DataError(f"The {key} must be {limits['expected']}.")
    raise DataError(f"The page sent no usable {key}; reload it.")


def _answer(work: Callable[[], Response]) -> Response:
    try:
        return work()
    except Exception as error:  # logged by `sentence` unless it is one of ours
        return {"error": sentence(error)}


# ---- requests -----------------------------------------------------------------------------------


def _open(store: LabelStore, request: Seat, about: About) -> Response:
    project, who = store.get(request.project), request.person
    standing = _standing(store.standing(project.id, who.name))
    seen = {"name": who.name, "owner": who.owner, "login": who.login}
    return {"project": _project(project), "person": seen, **about(project.id), **standing}


def _vote(store: LabelStore, request: VoteRequest) -> Response:
    who = request.person
    if request.turn == ADJUDICATION:
        who.must_own("decide a pair that annotators disagree on")
    ballot = VoteInput.checked(
        who.name,
        request.choice,
        request.strength,
        request.seconds,
        request.note,
        request.edited,
        request.key,
        request.turn,
        request.reasons,
        request.aspects,
    )
    receipt, standing = store.cast(request.project, request.item, ballot, count=_AHEAD)
    # The receipt's choice says a or b, which the page must not learn.
    kept = {"vote": receipt.vote_id, "version": receipt.version, "repeated": receipt.repeated}
    return {"receipt": kept, **_standing(standing)}


def _undo(store: LabelStore, request: UndoRequest) -> Response:
    name = request.person.name
    undone = store.undo(request.project, name, request.key) is not None
    return {"undone": undone, **_standing(store.standing(request.project, name))}


def _show(store: LabelStore, request: OneItem) -> Response:
    return {"item": _item(store.show(request.project, request.item, request.person.name))}


def _history(store: LabelStore, request: Seat) -> Response:
    name = request.person.name
    votes = store.history(request.project, name, _HISTORY)
    return {"votes": [_past(store, request.project, name, vote) for vote in votes]}


def _results(store: LabelStore, request: Seat) -> Response:
    who = request.owner("see a project's results")
    judged = list(store.labelled_pairs(request.project))
    return {
        "results": [rate.as_dict() for rate in tally(judged)],
        "summary": export_items(judged, "dpo").summary.as_dict(),
        "progress": store.progress(request.project, who.name).as_dict(),
        "report": report(judged, store.repeat_votes(request.project)),
    }


def _retire(store: LabelStore, request: OneItem) -> Response:
    request.owner("remove a pair from a project")
    store.retire(request.project, request.item)
    return _results(store, request)


def _export(store: LabelStore, request: ExportRequest) -> Response:
    request.owner("export a project's votes")
    project = store.get(request.project)
    export = store.export(project.id, request.format)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in export.rows)
    name = "".join(c if c.isalnum() else "-" for c in project.name.lower()).strip("-") or "labels"
    return {"name": f"{name}-{request.format}.jsonl", "jsonl": lines, "rows": len(export.rows)}


def _guidelines(store: LabelStore, request: GuidelinesRequest) -> Response:
    request.owner("edit a project's guidelines")
    return {"project": _project(store.revise_guidelines(request.project, request.text))}


# ---- responses ----------------------------------------------------------------------------------


def _project(project: Project) -> Response:
    return {
        "id": project.id,
        "name": project.name,
        "question": project.question,
        "guidelines": project.guidelines and rendered(project.guidelines),
        "guidelines_text": project.guidelines,
        "guideline_version": project.guideline_version,
        "aspects": project.aspects,
        "reasons": project.reasons,
    }


def _standing(standing: Standing | None) -> Response:
    """The current item, the next one, the annotator's progress, and the guidelines' version."""
    if standing is None:
        raise DataError("No pair was assigned; reload the page.")
    upcoming = [_item(shown) for shown in standing.upcoming]
    return {
        "item": upcoming[0] if upcoming else None,
        "after": upcoming[1] if len(upcoming) > 1 else None,
        "progress": standing.progress.as_dict(),
        "guideline_version": standing.guideline_version,
    }


def _item(shown: ShownItem) -> Response:
    return {
        "id": shown.item_id,
        "prompt": shown.prompt,
        "left": shown.left,
        "right": shown.right,
        "turn": shown.turn,
        "html": {
            "tools": tools_given(tools_of(shown.prompt)),
            "prompt": [_markup(said(turn)) for turn in shown.prompt],
            "left": _markup(shown.left, shown.left_reasoning),
            "right": _markup(shown.right, shown.right_reasoning),
        },
    }


def _markup(text: str, reasoning: str = "") -> str:
    """Markup of a text: the thinking folded, calls as their names with their arguments."""
    spoken = AnswerParts(text).spoken
    folded = thought(reasoning, 0, False, True)
    return f"{folded}{rendered(spoken) if spoken else ''}{calls(text)}"


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
