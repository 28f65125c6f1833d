"""A better and a worse answer: strings, messages or objects, the prompt explicit or inside both
sides."""

from __future__ import annotations

import re

from studio.data.formats import column_names, thoughts
from studio.data.formats.base import Family, Mapping, Match, Row, listed, mapped
from studio.data.formats.chat import asks, tools_of, turns_column, with_system
from studio.data.formats.chat_turns import Message, to_messages
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.field_values import (
    prompt_messages,
    side_messages,
    system_of,
    text_of,
    turns_in,
)
from studio.data.formats.instruction import prompt_columns
from studio.data.formats.transcripts import open_transcript, parse_transcript
from studio.data.types import RowError

_NEGATED = re.compile(r"(?<![a-z])(non|not|un|dis)_(?=[a-z])")
_SIDE_SHAPES = ("string", "turns", "turn", "object", "strings", "objects")


def sides(profile: Profile) -> tuple[str, str] | None:
    """The two columns whose names differ only in a pair of words such as chosen/rejected."""
    usable = [c for c in profile.columns.values() if c.is_(*_SIDE_SHAPES)]
    single = [c for c in usable if c.is_("string", "turns", "turn")]  # lists are references
    return (
        _named_sides(usable, column_names.SIDES)
        or _corrected(usable)
        or _rejected_beside(usable)
        or _named_sides(single, column_names.RIGHT_SIDES)
        or _foreign(usable)
    )


def _named_sides(
    usable: list[Column], pairs: tuple[tuple[str, str], ...]
) -> tuple[str, str] | None:
    found: list[tuple[int, int, str, str]] = []
    for order, (better, worse) in enumerate(pairs):
        for column in usable:
            rest = _without_word(column, better)
            if rest is None or rest & column_names.NOT_TEXT:
                continue
            like = (rest, rest | {"1"})  # the first of several worse ones
            others = [o for o in usable if o is not column and _without_word(o, worse) in like]
            found += [(len(rest), order, column.name, other.name) for other in others[:1]]
    return min(found)[2:] if found else None


def _foreign(usable: list[Column]) -> tuple[str, str] | None:
    """Sides in another language: one name with the word for the better or for the worse one."""
    for better, worse in column_names.FOREIGN_SIDES:
        for column in usable:
            if better not in (column.key if not better.isascii() else column.key.split("_")):
                continue
            other = column.key.replace(better, worse, 1)
            names = (other, f"{other}_1")
            found = next((o for o in usable if o.key in names and o is not column), None)
            if found:
                return column.name, found.name
    return None


def _corrected(usable: list[Column]) -> tuple[str, str] | None:
    """A corrected answer and the one before it: `revised_response` beside `original_response`, or
    beside an answer that is called as any other is."""
    for better in column_names.CORRECTED:
        for column in usable:
            rest = _without_word(column, better)
            if rest is None or rest & column_names.NOT_TEXT:
                continue
            for other in usable:
                if other is not column and _uncorrected(other, rest, better):
                    return column.name, other.name
    edited = [c for c in usable if _edited_by_people(c)]
    answers = [c for c in usable if c.key in column_names.COMPLETION]
    if len(edited) == len(answers) == 1:
        return edited[0].name, answers[0].name
    return _corrected_turn(usable)


def _edited_by_people(column: Column) -> bool:
    """Whether a column is called after an edit and who made it: `human_edit`."""
    words = set(column.key.split("_"))
    of_people, corrects = words & column_names.PEOPLE, words & column_names.CORRECTIONS
    return len(words) == 2 and bool(of_people and corrects)


def _corrected_turn(usable: list[Column]) -> tuple[str, str] | None:
    """A corrected answer beside a conversation that ends with the uncorrected one."""
    chats = [c for c in usable if c.is_("turns") and not asks(c)]
    for better in column_names.CORRECTED if len(chats) == 1 else ():
        for column in usable:
            rest = _without_word(column, better)
            named = rest is not None and (not rest or "_".join(rest) in column_names.COMPLETION)
            if named and column.is_("string") and better != "final":
                return column.name, chats[0].name
    return None


def _uncorrected(other: Column, rest: frozenset[str], better: str) -> bool:
    if any(_without_word(other, worse) == rest for worse in column_names.UNCORRECTED):
        return True
    if better == "final":  # a final answer may close a longer one
        return False
    same = frozenset(other.key.split("_")) == rest
    return same or (not rest and other.key in column_names.COMPLETION)


def _rejected_beside(usable: list[Column]) -> tuple[str, str] | None:
    """An answer, or a conversation, and the same name with `rejected` before or after it."""
    for worse in column_names.WORSE:
        for column in usable:
            rest = _without_word(column, worse)
            for other in usable if rest else ():
                if other is not column and frozenset(other.key.split("_")) == rest:
                    return other.name, column.name
            if rest == frozenset():
                answers = [c for c in usable if c.key in column_names.COMPLETION]
                if len(answers) == 1:
                    return answers[0].name, column.name
    return None


def _without_word(column: Column, word: str) -> frozenset[str] | None:
    words = _NEGATED.sub(r"\1", column.key).split("_")
    return frozenset(w for w in words if w != word) if word in words else None


def _recognise(profile: Profile) -> Match | None:
    pair = sides(profile)
    if pair is None:
        return None
    better, worse = pair
    taken = {better, worse}
    turns = turns_column(profile, taken)
    rest = profile.columns[better].key.split("_")
    if turns and not asks(turns):
        # a finished conversation beside the pair repeats one of its sides
        taken.add(turns.name)
        turns = None
    prompt = {"prompt": turns.name} if turns else prompt_columns(profile, taken, labels=False)
    if not turns and _hold_prompt(profile.columns[better], profile.columns[worse]):
        prompt = {}  # whatever the column is called, the sides' own prompt is the prompt
    system = profile.system(taken)
    tools = profile.tools()
    thinking = {f"{side}_reasoning": thoughts.of_side(profile, name)
                for side, name in (("chosen", better), ("rejected", worse))}  # fmt: skip
    mapping = mapped(
        **{**prompt, "system": system, "tools": tools, "chosen": better, "rejected": worse},
        **(thinking if all(thinking.values()) else {}),
    )
    sure = 0.98 if "chosen" in rest else 0.92
    sure *= min(1.0, profile.coverage(better, worse) + 0.05)
    return _named(profile, mapping, sure)


def _hold_prompt(*sides: Column) -> bool:
    """Whether most values of both sides are whole conversations, from the prompt on."""
    return all(
        side.values and sum(map(_begins, side.values)) >= 0.6 * len(side.values) for side in sides
    )


def _begins(value: object) -> bool:
    value = turns_in(value)
    if isinstance(value, str):
        return parse_transcript(value) is not None
    if not isinstance(value, list) or len(value) < 2:
        return False
    try:
        return to_messages(value, "")[0]["role"] != "assistant"
    except RowError:
        return False


def _named(profile: Profile, mapping: Mapping, sure: float) -> Match | None:
    chosen, rejected = mapping["chosen"], mapping["rejected"]
    if "prompt" in mapping:
        why = f'"{chosen}" is preferred over "{rejected}"; the prompt is in "{mapping["prompt"]}".'
        if "chosen_reasoning" in mapping:
            why += " The thought before each stands in a column of its own."
        if profile.columns[chosen].is_("strings", "objects"):
            why += " Each side lists several texts: the first of each makes the pair."
        return Match("preference", sure, why, mapping)
    values = [v for v in profile.columns[chosen].values if isinstance(turns_in(v), str)]
    if values and profile.columns[rejected].is_("turns"):
        why = f'"{chosen}" is preferred over the last answer of "{rejected}".'
        return Match("preference-corrected", sure, why, mapping)
    if values and sum(parse_transcript(value) is not None for value in values) > 0.6 * len(values):
        why = f"{listed((chosen, rejected))} are whole transcripts; the prompt is what they share."
        return Match("preference-transcripts", sure, why, mapping)
    why = f'"{chosen}" is preferred over "{rejected}"; the prompt is what both sides share.'
    turns = [turns_in(v) for v in profile.columns[chosen].values]
    shared = any(len(v) > 1 for v in turns if isinstance(v, list))
    implicit = sure if not values and shared else 0.4
    return Match("preference-implicit", implicit, why, mapping)


def _convert(row: Row, mapping: Mapping) -> Row:
    chosen, rejected = mapping["chosen"], mapping["rejected"]
    system = system_of(row, mapping.get("system"))
    if "prompt" in mapping:
        result = _explicit(row, mapping, system)
    else:
        sides = _corrected_sides(row, chosen, rejected)
        sides = sides or (_whole(row, chosen), _whole(row, rejected))
        prompt, better, worse = split_shared(*sides, chosen, rejected)
        result = {"prompt": with_system(prompt, system), "chosen": better, "rejected": worse}
    for side in ("chosen", "rejected"):
        *before, last = result[side]
        thought = thoughts.with_thought(last, row, mapping.get(f"{side}_reasoning"))
        result[side] = [*before, thought]
    tools = tools_of(row, mapping.get("tools"))
    return {**result, "tools": tools} if tools is not None else result


def _explicit(row: Row, mapping: Mapping, system: str | None) -> Row:
    chosen, rejected, column = mapping["chosen"], mapping["rejected"], mapping["prompt"]
    if isinstance(turns_in(row.get(column)), list):
        prompt = with_system(to_messages(row[column], column), system)
    else:
        prompt = prompt_messages(row, mapping)
        prompt = open_transcript(prompt)
    better, worse = side_messages(row, chosen), side_messages(row, rejected)
    if better[0]["role"] != "assistant" or worse[0]["role"] != "assistant":
        # UltraFeedback: each side repeats the conversation from its start
        shared, better, worse = split_shared(better, worse, chosen, rejected)
        if len(shared) > len([m for m in prompt if m["role"] != "system"]) or not prompt:
            prompt = with_system(shared, system)
    return {"prompt": prompt, "chosen": better, "rejected": worse}


def _corrected_sides(
    row: Row, chosen: str, rejected: str
) -> tuple[list[Message], list[Message]] | None:
    """Both conversations where one column corrects the last answer of the other; else None."""
    text, turns = turns_in(row.get(chosen)), turns_in(row.get(rejected))
    if not isinstance(turns, list) or isinstance(text, list | dict):
        return None
    if isinstance(text, str) and parse_transcript(text) is not None:
        return None
    said = to_messages(turns, rejected)
    return [*said[:-1], {"role": "assistant", "content": text_of(row, chosen)}], said


def _whole(row: Row, column: str) -> list[Message]:
    value = turns_in(row.get(column))
    if isinstance(value, str):
        turns = parse_transcript(value)
        if turns is None:
            raise RowError(
                "no_prompt",
                f'"{column}" is one text without a prompt in it, and no column is one.',
                column,
            )
        return turns
    return side_messages(row, column)


def split_shared(
    better: list[Message], worse: list[Message], chosen: str, rejected: str
) -> tuple[list[Message], list[Message], list[Message]]:
    """Prompt, better and worse answer of two whole conversations that differ in their last turn
    only."""
    for side, column in ((better, chosen), (worse, rejected)):
        if side[-1]["role"] != "assistant":
            raise RowError(
                "no_assistant", f'"{column}" does not end with an answer of the assistant.', column
            )
        if len(side) == 1:
            raise RowError("no_prompt", f'"{column}" has no prompt before its answer.', column)
    if better[:-1] != worse[:-1]:
        at = next((n for n, (a, b) in enumerate(zip(better, worse, strict=False), 1) if a != b), 0)
        at = at or min(len(better), len(worse))
        raise RowError(
            "prompt_differs",
            f"The two sides differ from turn {at} on, before their last answer.",
            rejected,
        )
    return better[:-1], better[-1:], worse[-1:]


FAMILIES = [
    Family(
        "preference",
        "preference",
        "A better and a worse answer",
        {
            "prompt": "the prompt (leave out when both sides contain it)",
            "input": "what the prompt is about, added below it",
            "system": "a system prompt",
            "history": "earlier turns",
            "tools": "the tools the assistant may call",
            "chosen": "the better answer",
            "rejected": "the worse answer",
            "chosen_reasoning": "what is thought before the better answer",
            "rejected_reasoning": "what is thought before the worse answer",
        },
        ("chosen", "rejected"),
        _recognise,
        _convert,
        ("preference-transcripts", "preference-implicit", "preference-corrected", "hh"),
    )
]
