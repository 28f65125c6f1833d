"""Prompts without answers, of one turn or several."""

from __future__ import annotations

from studio.data import names
from studio.data.converters.base import Family, Mapping, Match, Row, mapped
from studio.data.converters.chat import answered, turns_column
from studio.data.converters.fields import optional_text, text_of
from studio.data.profile import Profile
from studio.data.turns import kind_of, to_messages
from studio.data.types import RowError


def _recognise(profile: Profile) -> Match | None:
    several = profile.find(names.PROMPT_TURNS, "strings")
    system = profile.find(names.SYSTEM, "string")
    if several:
        why = f'"{several}" holds the user\'s turns, and no column holds answers.'
        return Match("prompt-only", 0.9, why, mapped(prompt=several, system=system))
    turns = turns_column(profile)
    if turns and not answered(turns):
        why = f'"{turns.name}" holds turns of the user, and the assistant answers in none of them.'
        return Match("prompt-only", 0.9, why, mapped(prompt=turns.name, system=system))
    prompt = profile.find(names.PROMPT[:13], "string", without=[system] if system else [])
    if prompt:
        known = profile.find(names.REFERENCES, "strings")
        why = f'"{prompt}" is a prompt, and no column holds an answer to learn.'
        if known:
            why += f' "{known}" lists accepted answers, kept for checking.'
        return Match(
            "prompt-only",
            0.85 * profile.coverage(prompt),
            why,
            mapped(prompt=prompt, system=system, answers=known),
        )
    keys = {column.key for column in profile.columns.values()}
    text = profile.find(names.TEXT, "string")
    numbered = {"question_id", "prompt_id", "query_id", "instruction_id"} & keys
    if text and numbered and not {"answer_id", "model_id", "model", "review_id"} & keys:
        why = f'"{text}" is numbered by "{min(numbered)}" and no column holds an answer.'
        return Match("prompt-only", 0.75, why, mapped(prompt=text, system=system))
    return None


def _convert(row: Row, mapping: Mapping) -> Row:
    """The first turn is the prompt; later ones become `follow_ups`; accepted `answers` are kept."""
    result = _prompt(row, mapping)
    answers = row.get(mapping["answers"]) if "answers" in mapping else None
    if isinstance(answers, list) and answers and all(isinstance(text, str) for text in answers):
        result["answers"] = list(answers)
    return result


def _prompt(row: Row, mapping: Mapping) -> Row:
    column = mapping["prompt"]
    value = row.get(column)
    system = optional_text(row, mapping.get("system"))
    start = [{"role": "system", "content": system}] if system and system.strip() else []
    if isinstance(value, list) and value and not all(isinstance(turn, str) for turn in value):
        if any(not isinstance(turn, dict) for turn in value):
            raise RowError(
                "wrong_type", f'"{column}" is {kind_of(value)} that mixes turns and text.', column
            )
        return {"prompt": [*start, *to_messages(value, column)]}
    if isinstance(value, list):
        if not value:
            raise RowError("empty_field", f'"{column}" has no turns.', column)
        row = {column: value[0]}
        prompt: Row = {"prompt": [*start, {"role": "user", "content": text_of(row, column)}]}
        return {**prompt, "follow_ups": list(value[1:])} if value[1:] else prompt
    return {"prompt": [*start, {"role": "user", "content": text_of(row, column)}]}


FAMILIES = [
    Family(
        "prompt-only",
        "prompt_only",
        "Prompts without answers",
        {
            "prompt": "the prompt, or the list of the user's turns",
            "system": "a system prompt",
            "answers": "accepted answers, kept for checking",
        },
        ("prompt",),
        _recognise,
        _convert,
    )
]
