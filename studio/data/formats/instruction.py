"""Alpaca and its cousins: an instruction, perhaps an input, a system prompt, earlier turns, and
an answer."""

from __future__ import annotations

import re
from dataclasses import replace

from studio.core import answers
from studio.data.formats import column_names, text_calls, thoughts
from studio.data.formats.base import Family, Mapping, Match, Row, asked, listed, mapped
from studio.data.formats.chat import tools_of
from studio.data.formats.chat_turns import to_messages
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.field_values import answer_of, is_json, prompt_messages, text_of
from studio.data.formats.transcripts import open_transcript, parse_transcript


def prompt_columns(profile: Profile, without: set[str], labels: bool = True) -> Mapping:
    """Which columns make the prompt, leaving out those in `without`; no "prompt" where none does.

    `labels`: whether a column that only says what kind of row this is may be it, for want of any
    other.
    """
    history = _history(profile, without)
    taken = without | ({history} if history else set())
    kinds = {column.name for column in profile.columns.values() if _kind_only(column)}
    prompt = profile.find(column_names.PROMPT, "string", "turns", without=taken | kinds)
    if prompt is None and labels:
        prompt = profile.find(column_names.PROMPT, "string", "turns", without=taken)
    if prompt is None:
        prompt = profile.find(_SAID_BEFORE, "strings", without=taken)
    if prompt is None and history and profile.columns[history].is_("turns", "strings"):
        prompt, history = history, None  # the last of the earlier turns asks
    if prompt is None:
        return {}
    taken = taken | kinds | {prompt}
    system = profile.system(taken)
    extra = profile.find(column_names.INPUT, "string", without=taken)
    extra = extra or profile.find(column_names.CHOICES, "string", without=taken)
    if extra and profile.columns[prompt].key in ("input", "context", "inputs", "source", "history"):
        extra = None
    return mapped(prompt=prompt, input=extra, system=system, history=history)


_SAID_BEFORE = ("context", "dialogue", "dialog", "utterances", "turns", "conversation")


def _kind_only(column: Column) -> bool:
    """One word, the same for many rows, or an address: it says what kind of row this is."""
    words = column.distinct
    if column.key not in ("task", "source", "user", "document", "goal", "src", "inputs"):
        return False
    if any(" " in word.strip() or not word.isascii() for word in words):
        return False
    marked = sum(bool(_ADDRESS.search(word)) for word in words)
    return 2 * len(words) < column.filled or marked >= 0.8 * len(words) > 0


_ADDRESS = re.compile(r"://|[/\\_#-]|\.\w|\d")


def _history(profile: Profile, without: set[str]) -> str | None:
    """The column of earlier turns; of texts only where they are said in turn, or transcripts."""
    found = profile.find(
        column_names.HISTORY, "pairs", "turns", "strings", "string", without=without
    )
    if found is None or profile.columns[found].is_("pairs", "turns"):
        return found
    values = profile.columns[found].values
    told = sum(isinstance(value, list) or parse_transcript(value) is not None for value in values)
    return found if told >= 0.8 * len(values) else None


def _recognise(profile: Profile) -> Match | None:
    instances = profile.find(("instances",), "pairs", "objects")
    if instances and (question := profile.find(("instruction",), "string")):
        why = f'"{question}" is asked of "{instances}" (Self-Instruct); the first input counts.'
        return Match("self-instruct", 0.95, why, {"prompt": question, "completion": instances})
    answer = profile.find(column_names.COMPLETION[:-1], "string", "object", "strings", "turn")
    answer = answer or profile.find(column_names.COMPLETION[-1:], "string", "object")
    if answer is None or _is_button(profile, answer):
        return None
    found = thoughts.beside(profile, answer)
    prompt = prompt_columns(profile, {answer} | found.columns)
    if not prompt or _repeats(profile, prompt["prompt"], answer):
        return None
    tools = profile.tools()
    mapping = mapped(**prompt, completion=answer, tools=tools)
    name = _name(profile, mapping)
    sure = 0.97 if profile.columns[prompt["prompt"]].key in column_names.PROMPT[:5] else 0.88
    sure *= min(1.0, profile.coverage(prompt["prompt"], answer) + 0.05)
    why = f"{listed(mapping.values())} read as a prompt and its answer."
    column = profile.columns[answer]
    if column.is_("object") and any(map(is_json, column.values)):
        why += f' "{answer}" is JSON and is learned as such.'
    made = Match(name, sure, why, mapping)
    if not _several(column):
        return thoughts.readings(made, found, profile)
    first = replace(made, mapping={**mapping, "take": "first"}, why=f"{why} The first of each.")
    return asked([first, _each(made, answer)])


def _is_button(profile: Profile, answer: str) -> bool:
    """Whether the column holds what an annotator pressed in Prodigy, which is no answer."""
    pressed = profile.columns[answer].distinct
    beside = profile.columns.keys() & {"meta", "_input_hash", "_task_hash", "spans", "_view_id"}
    return bool(pressed) and pressed <= {"accept", "reject", "ignore"} and bool(beside)


def _several(column: Column) -> bool:
    """Whether most rows list several answers that are not the same."""
    lists = [value for value in column.values if isinstance(value, list)]
    several = sum(len(set(map(str, value))) > 1 for value in lists)
    return column.is_("strings") and 2 * several > len(lists)


def _each(made: Match, answer: str) -> Match:
    """The reading of a list of answers as a row each, beside the one that takes the first."""
    why = f'Each text in "{answer}" is an answer of its own: a row each.'
    return replace(made, why=why, mapping={**made.mapping, "take": "each"})


def _repeats(profile: Profile, prompt: str, answer: str) -> bool:
    """Whether the answer column holds the prompt too: then it is a finished text."""
    one, other = profile.columns[prompt], profile.columns[answer]
    if one.mean_characters < 15 or len(one.values) != len(other.values):
        return False
    pairs = zip(one.values, other.values, strict=True)
    # A thought may well say the question again.
    both = ((a, b) for a, b in pairs if isinstance(a, str) and isinstance(b, str))
    told = ((a, answers.read(b).spoken) for a, b in both)
    inside = sum(a in b != a for a, b in told)
    return inside >= 0.9 * len(one.values)


def _name(profile: Profile, mapping: Mapping) -> str:
    keys = {profile.columns[column].key for column in mapping.values()}
    answer = profile.columns[mapping["completion"]]
    wrapped = answer.is_("object") and not any(map(is_json, answer.values))
    if wrapped or "aliases" in profile.columns:
        return "triviaqa"
    ratings = [
        c
        for c in profile.columns.values()
        if c.is_("number") and len(c.distinct) <= 10 and "id" not in c.key
    ]
    if {"prompt", "response"} <= keys and len(ratings) >= 3:
        return "helpsteer"
    if {"instruction", "context", "response"} <= keys:
        return "dolly"
    if "instruction" in keys:
        return "alpaca"
    if "question" in keys:
        return "question-answer"
    return "query-response" if "query" in keys else "instruction"


def _convert(row: Row, mapping: Mapping) -> Row:
    first = row.get(mapping["completion"])
    if isinstance(first, list) and first and isinstance(first[0], dict) and "output" in first[0]:
        row = {**row, "input": first[0].get("input"), "output": first[0]["output"]}
        mapping = {**mapping, "input": "input", "completion": "output"}
    prompt, column = open_transcript(prompt_messages(row, mapping)), mapping["completion"]
    tools = tools_of(row, mapping.get("tools"))
    # With tools, an answer may be nothing but calls of them.
    calls = text_calls.calls_of(row.get(column), column) if tools is not None else None
    answer: Row = {
        "role": "assistant",
        "content": "" if calls else answer_of(row, column, data=True),
    }
    if calls:
        answer["tool_calls"] = calls
    answer = thoughts.with_thought(answer, row, mapping.get("reasoning"))
    made: Row = {"prompt": prompt, "completion": [answer]}
    return {**made, "tools": tools} if tools is not None else made


def _recognise_ready(profile: Profile) -> Match | None:
    columns = profile.columns
    prompt, completion = columns.get("prompt"), columns.get("completion")
    if prompt is None or completion is None or completion.is_("object"):
        return None
    if not (prompt.is_("string", "turns") and completion.is_("string", "turns", "turn")):
        return None
    why = '"prompt" and "completion" are already TRL\'s own columns'
    if prompt.is_("string") and completion.is_("string"):
        why += "; their texts become a user's and an assistant's turn, as the model will be asked"
    mapping = mapped(
        prompt="prompt", completion="completion", tools="tools" if "tools" in columns else None
    )
    made = Match(
        "prompt-completion", 0.98 * profile.coverage("prompt", "completion"), f"{why}.", mapping
    )
    return thoughts.readings(made, thoughts.beside(profile, "completion"), profile)


def _convert_ready(row: Row, mapping: Mapping) -> Row:
    """Both sides as messages: a model is asked through its chat template, and what it learns from
    is rendered by the same. A thought beside the completion goes with it."""
    tools = tools_of(row, mapping.get("tools"))
    ready = _ready_sides(row, mapping, tools is not None)
    return {**ready, "tools": tools} if tools is not None else ready


def _ready_sides(row: Row, mapping: Mapping, has_tools: bool) -> Row:
    prompt, completion = mapping["prompt"], mapping["completion"]
    if isinstance(row.get(prompt), list | dict):
        before = to_messages(row[prompt], prompt)
    else:
        before = open_transcript([{"role": "user", "content": text_of(row, prompt)}])
    if isinstance(row.get(completion), list | dict):
        after = to_messages(row[completion], completion)
    else:
        calls = text_calls.calls_of(row.get(completion), completion) if has_tools else None
        said = {"tool_calls": calls} if calls else {}
        text = "" if calls else text_of(row, completion)
        after = [{"role": "assistant", "content": text, **said}]
    if after and after[-1]["role"] == "assistant":
        after = [*after[:-1], thoughts.with_thought(after[-1], row, mapping.get("reasoning"))]
    return {"prompt": before, "completion": after}


_FIELDS = {
    "prompt": "the instruction or question",
    "input": "what the instruction is about, added below it",
    "system": "a system prompt",
    "history": "earlier turns",
    "completion": "the answer to learn",
    "reasoning": "what is thought before the answer",
    "take": "of a list of answers: first, or each as a row of its own",
    "tools": "the tools the assistant may call",
}

FAMILIES = [
    Family(
        "prompt-completion",
        "prompt_completion",
        "TRL's prompt and completion",
        {
            "prompt": "the prompt",
            "completion": "the completion to learn",
            "reasoning": "what is thought before the completion",
            "tools": "the tools the assistant may call",
        },
        ("prompt", "completion"),
        _recognise_ready,
        _convert_ready,
    ),
    Family(
        "instruction",
        "prompt_completion",
        "Instruction and answer (Alpaca and its cousins)",
        _FIELDS,
        ("prompt", "completion"),
        _recognise,
        _convert,
        (
            "alpaca",
            "dolly",
            "question-answer",
            "query-response",
            "helpsteer",
            "triviaqa",
            "self-instruct",
        ),
    ),
]
