"""Prodigy's exports (`db-out`): options to a prompt with the one that was accepted, or a text with
a label that was accepted or rejected.

Rule for options: of an accepted row the option in `accept` is chosen and the first other one is
rejected. Rows that were rejected or ignored are left out, as are those with no option or with
several accepted. Rule for labels: the label, or the answer beside a prompt, is a good answer where
it was accepted and a bad one where it was rejected (KTO); what was ignored is left out.
"""

from __future__ import annotations

from studio.data.formats import column_names
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


def _recognise_binary(profile: Profile) -> Match | None:
    verdict = profile.columns.get("answer")
    if verdict is None or not verdict.distinct or not verdict.distinct <= _ANSWERS:
        return None
    if "accept" in profile.columns and "options" in profile.columns:
        return None
    learned = profile.columns.get("label")
    said = learned.name if learned and learned.is_("string") else None
    said = said or profile.find(column_names.COMPLETION, "string", without=["answer"])
    prompt = prompt_columns(profile, {"answer", said or "answer"})
    if not said or not prompt:
        return None
    why = (
        f'Prodigy\'s annotations: "{said}" is a good answer to "{prompt["prompt"]}" where "answer" '
        "is accept, a bad one where it is reject; what was ignored is left out."
    )
    return Match("prodigy-binary", 0.95, why, {**prompt, "completion": said, "answer": "answer"})


def _convert_binary(row: Row, mapping: Mapping) -> Row:
    column = mapping["answer"]
    answer = row.get(column)
    if answer is None or answer == "ignore":
        raise RowError("not_judged", "The annotator accepted or rejected nothing here.", column)
    if not isinstance(answer, str) or answer not in _ANSWERS:
        raise RowError("wrong_type", f'"{column}" is none of accept, reject and ignore.', column)
    said = {"role": "assistant", "content": answer_of(row, mapping["completion"])}
    prompt = open_transcript(prompt_messages(row, mapping))
    return {"prompt": prompt, "completion": [said], "label": answer == "accept"}


FAMILIES = [
    Family(
        "prodigy-binary",
        "unpaired_preference",
        "Labels or answers accepted or rejected (Prodigy)",
        {
            "prompt": "the prompt, or the text that is labeled",
            "input": "what the prompt is about, added below it",
            "system": "a system prompt",
            "history": "earlier turns",
            "completion": "the label or the answer",
            "answer": "accept, reject or ignore",
        },
        ("prompt", "completion", "answer"),
        _recognise_binary,
        _convert_binary,
    ),
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
    ),
]
