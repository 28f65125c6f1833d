"""Prodigy's `choice` exports (`db-out`): options to a prompt, and the one that was accepted.

Rule: of an accepted row the option in `accept` is chosen and the first other one is rejected. Rows
that were rejected or ignored are left out, as are those with no option or with several accepted.
"""

from __future__ import annotations

from studio.data.formats.base import Family, Mapping, Match, Row
from studio.data.formats.column_profile import Profile
from studio.data.formats.field_values import answer_of, prompt_messages
from studio.data.formats.instruction import prompt_columns
from studio.data.formats.transcripts import open_transcript
from studio.data.types import RowError

_ANSWERS = {"accept", "reject", "ignore"}


def _recognise(profile: Profile) -> Match | None:
    columns = {"options", "accept", "answer"}
    if not columns <= profile.columns.keys() or not profile.columns["options"].is_("objects"):
        return None
    seen = profile.columns["answer"].distinct
    prompt = prompt_columns(profile, columns)
    if not prompt or not seen or not seen <= _ANSWERS:
        return None
    why = (
        'Prodigy\'s choice interface: of "options" the one in "accept" is chosen and the first '
        'other one rejected, where "answer" is accept; all other rows are left out.'
    )
    return Match("prodigy-choice", 0.97, why, {**prompt, **{name: name for name in columns}})


def _convert(row: Row, mapping: Mapping) -> Row:
    answer = row.get(mapping["answer"])
    if answer in ("reject", "ignore"):
        raise RowError(
            "not_judged",
            f"The annotator chose {answer} for this row, and no option.",
            mapping["answer"],
        )
    if answer != "accept":
        raise RowError(
            "wrong_type",
            f'"{mapping["answer"]}" is none of accept, reject and ignore.',
            mapping["answer"],
        )
    options = _options(row, mapping["options"])
    chosen = _accepted(row, mapping["accept"], options)
    rejected = next(name for name in options if name != chosen)
    return {
        "prompt": open_transcript(prompt_messages(row, mapping)),
        "chosen": [{"role": "assistant", "content": options[chosen]}],
        "rejected": [{"role": "assistant", "content": options[rejected]}],
    }


def _options(row: Row, column: str) -> dict[str, str]:
    """Id -> text, as long as each option has both and no two share an id."""
    given = row.get(column)
    if not isinstance(given, list) or len(given) < 2:
        raise RowError("too_few_answers", f'"{column}" has fewer than two options.', column)
    options: dict[str, str] = {}
    for option in given:
        if not isinstance(option, dict) or "id" not in option:
            raise RowError("wrong_type", f'An option in "{column}" has no id.', column)
        name = str(option["id"])
        if name in options:
            raise RowError("wrong_type", f'Two options in "{column}" have the id {name}.', column)
        options[name] = answer_of({column: option}, column)
    return options


def _accepted(row: Row, column: str, options: dict[str, str]) -> str:
    """The id of the only accepted option."""
    given = row.get(column)
    names = [str(name) for name in given] if isinstance(given, list) else []
    if not names:
        raise RowError("not_judged", f'"{column}" names no option.', column)
    if len(names) > 1:
        raise RowError("tie", f'"{column}" names {len(names)} options, not the best one.', column)
    if names[0] not in options:
        raise RowError("wrong_type", f'"{column}" is {names[0][:30]}, which is no option.', column)
    return names[0]


FAMILIES = [
    Family(
        "prodigy-choice",
        "preference",
        "Options with the accepted one (Prodigy's choice)",
        {
            "prompt": "the prompt",
            "input": "what the prompt is about, added below it",
            "system": "a system prompt",
            "history": "earlier turns",
            "options": "the options, each with an id and a text",
            "accept": "the ids of the accepted options",
            "answer": "accept, reject or ignore",
        },
        ("prompt", "options", "accept", "answer"),
        _recognise,
        _convert,
    )
]
