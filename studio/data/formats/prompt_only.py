"""Prompts without answers, of one turn or several."""

from __future__ import annotations

import json

from studio.data.formats import column_names
from studio.data.formats.base import ASKED, Family, Mapping, Match, Row, asked, listed, mapped
from studio.data.formats.chat import answered, tools_of, turns_column
from studio.data.formats.chat_turns import kind_of, to_messages
from studio.data.formats.column_profile import Profile
from studio.data.formats.field_values import optional_text, prompt_messages, system_of, text_of
from studio.data.formats.left_out import is_sentence
from studio.data.formats.transcripts import open_transcript
from studio.data.types import RowError


def _recognise(profile: Profile) -> Match | None:
    several = profile.find(column_names.PROMPT_TURNS, "strings")
    system = profile.system()
    if several:
        why = f'"{several}" holds the user\'s turns, and no column holds answers.'
        return Match("prompt-only", 0.9, why, mapped(prompt=several, system=system))
    turns = turns_column(profile)
    if turns and not answered(turns):
        why = f'"{turns.name}" holds turns of the user, and the assistant answers in none of them.'
        known = _reference(profile, {turns.name, system or ""})
        if known:
            why += f' "{known}" holds accepted answers, kept for checking.'
        tools = profile.tools()
        return Match(
            "prompt-only", 0.9, why,
            mapped(prompt=turns.name, system=system, answers=known, tools=tools),
        )  # fmt: skip
    numbered_turns = _numbered(profile)
    if numbered_turns:
        why = f"{listed(numbered_turns)} are the user's turns one by one; no column answers them."
        later = {f"follow_up{at}": name for at, name in enumerate(numbered_turns[1:], 1)}
        return Match(
            "prompt-only", 0.85, why, {**mapped(prompt=numbered_turns[0], system=system), **later}
        )
    prompt = profile.find(column_names.ASKING, "string", without=[system] if system else [])
    if prompt:
        known = _reference(profile, {prompt, system or ""})
        why = f'"{prompt}" is a prompt, and no column holds an answer to learn.'
        other = _unread(profile, {prompt, system or "", known or ""})
        if other:
            why = f'"{prompt}" is a prompt; map "{other}" as its completion if that answers it.'
        extra = (
            None
            if profile.columns[prompt].key in column_names.INPUT
            else profile.find(
                column_names.INPUT, "string", without=[prompt, system or "", known or ""]
            )
        )
        if known:
            why += f' "{known}" lists accepted answers, kept for checking.'
        found = Match(
            "prompt-only",
            (0.6 if other else 0.85) * profile.coverage(prompt),
            why,
            mapped(prompt=prompt, input=extra, system=system, answers=known),
        )
        return asked([found, *_as_answer(profile, found)])
    keys = {column.key for column in profile.columns.values()}
    text = profile.find(column_names.TEXT, "string")
    numbered = {"question_id", "prompt_id", "query_id", "instruction_id"} & keys
    if text and numbered and not {"answer_id", "model_id", "model", "review_id"} & keys:
        why = f'"{text}" is numbered by "{min(numbered)}" and no column holds an answer.'
        return Match("prompt-only", 0.75, why, mapped(prompt=text, system=system))
    return None


def _as_answer(profile: Profile, found: Match) -> list[Match]:
    """Texts that a rule may compare with, or that may be the answers to learn themselves."""
    known = profile.columns.get(found.mapping.get("answers", ""))
    if known is None or not known.is_("string"):
        return []
    if sum(is_sentence(value) for value in known.values) < 0.5 * len(known.values):
        return []
    prompt = found.mapping["prompt"]
    why = f"{listed((prompt, known.name))} read as a prompt and its answer."
    kept = {field: column for field, column in found.mapping.items() if field != "answers"}
    return [Match("instruction", ASKED, why, {**kept, "completion": known.name})]


def _reference(profile: Profile, used: set[str]) -> str | None:
    """The column of accepted answers, also inside an object (`reward_model.ground_truth`)."""
    return profile.find(column_names.REFERENCES, "strings", without=used) or profile.find(
        column_names.TRUTHS, "string", "number", "strings", "object", without=used
    )


def _unread(profile: Profile, used: set[str]) -> str | None:
    """Another column of texts, long and different enough to be an answer."""
    for column in profile.columns.values():
        remark = set(column.key.split("_")) & (
            column_names.NOT_TEXT | {"category", "subject", "topic"}
        )
        if column.name in used or remark or not column.is_("string"):
            continue
        if column.mean_characters >= 12 and len(column.distinct) >= min(20, 0.5 * column.filled):
            return column.name
    return None


def _numbered(profile: Profile) -> list[str]:
    """Columns such as turn1, turn2 that hold the user's turns; empty where there are none."""
    for stem in column_names.PROMPT_STEMS:
        found = [
            (named[1], column.name)
            for column in profile.columns.values()
            if (named := column_names.numbered(column.name))
            and named[0] == stem
            and column.is_("string")
        ]
        if len(found) >= 2 and found[0][0] in ("0", "1", "a"):
            return [name for _, name in sorted(found)]
    return []


def _convert(row: Row, mapping: Mapping) -> Row:
    """The first turn is the prompt; later ones become `follow_ups`; accepted `answers` are kept."""
    result = _prompt(row, mapping)
    answers = _accepted(row.get(mapping["answers"])) if "answers" in mapping else None
    columns = [c for f, c in mapping.items() if f.startswith("follow_up")]
    later = [text for c in columns if (text := optional_text(row, c)) and text.strip()]
    if later:
        result["follow_ups"] = later
    if answers:
        result["answers"] = answers
    tools = tools_of(row, mapping.get("tools"))
    return {**result, "tools": tools} if tools is not None else result


def _accepted(value: object) -> list[str]:
    """Accepted answers as texts; one text or number is a list of one, an object holds them."""
    if isinstance(value, dict):
        held = next((value[name] for name in column_names.TRUTHS if name in value), None)
        return _accepted(held) if held is not None else []
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [json.dumps(value)]
    texts = value if isinstance(value, list) else []
    return list(texts) if all(isinstance(text, str) for text in texts) else []


def _prompt(row: Row, mapping: Mapping) -> Row:
    column = mapping["prompt"]
    value = row.get(column)
    system = system_of(row, mapping.get("system"))
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
    if "input" in mapping:
        return {"prompt": prompt_messages(row, mapping)}
    return {"prompt": open_transcript([*start, {"role": "user", "content": text_of(row, column)}])}


FAMILIES = [
    Family(
        "prompt-only",
        "prompt_only",
        "Prompts without answers",
        {
            "prompt": "the prompt, or the list of the user's turns",
            "input": "what the prompt is about, added below it",
            "system": "a system prompt",
            "answers": "accepted answers, kept for checking",
            "tools": "the tools the assistant may call",
            **{f"follow_up{at}": f"turn {at + 1} of the user" for at in range(1, 9)},
        },
        ("prompt",),
        _recognise,
        _convert,
    )
]
