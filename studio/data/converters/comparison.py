"""Several answers to one prompt: without a verdict (for Label), with one, with scores, or with
votes.

Rules: a single verdict column or one score an answer makes a preference pair (best against worst;
ties are set aside). Votes of several raters leave the row a comparison, and travel with it.
"""

from __future__ import annotations

import json
from typing import Any

from studio.data import names
from studio.data.converters.base import Family, Mapping, Match, Row, listed
from studio.data.converters.fields import prompt_messages, side_messages
from studio.data.converters.instruction import prompt_columns
from studio.data.converters.preference import split_shared
from studio.data.converters.ranked import (
    VERDICT_FIELDS,
    pair_from_list,
    pair_from_scores,
    pair_from_verdict,
    verdict_of,
)
from studio.data.converters.transcripts import open_transcript
from studio.data.profile import Profile
from studio.data.turns import Message
from studio.data.types import RowError


def answer_columns(profile: Profile) -> list[str]:
    """Two or more columns with one stem and different numbers or letters, holding answers."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for column in profile.columns.values():
        named = names.numbered(column.name)
        if named and column.is_("string", "turns", "turn"):
            groups.setdefault(named[0], []).append((named[1], column.name))
    for stem in names.ANSWER_STEMS:
        found = groups.get(stem) or next(
            (group for other, group in groups.items() if other.split("_")[-1] == stem), []
        )
        if len(found) >= 2:
            return [name for _, name in sorted(found)]
    return []


def _prompt(profile: Profile, answers: list[str]) -> Mapping:
    return prompt_columns(profile, set(answers))


def _recognise(profile: Profile) -> Match | None:
    answers = answer_columns(profile)
    if len(answers) < 2:
        return None
    prompt = _prompt(profile, answers)
    if not prompt and not profile.columns[answers[0]].is_("turns"):
        return None
    mapping = {**prompt, **{f"answer{at}": name for at, name in enumerate(answers, 1)}}
    votes = _vote_columns(profile)
    mapping.update({f"vote{at}": name for at, name in enumerate(votes, 1)})
    voted = f" Votes of {len(votes)} raters are kept with each row." if votes else ""
    why = f"{listed(answers)} answer the same prompt, and no column says which is better."
    return Match("comparison", 0.94 * profile.coverage(*answers) + 0.03, why + voted, mapping)


def _vote_columns(profile: Profile) -> list[str]:
    found = []
    for column in profile.columns.values():
        named = names.numbered(column.name)
        if named and named[0].split("_")[-1] in names.VOTE_STEMS and len(column.distinct) <= 8:
            found.append(column.name)
    return found


def _recognise_ranked(profile: Profile) -> Match | None:
    answers = answer_columns(profile)
    if len(answers) >= 2:
        mapping = {
            **_prompt(profile, answers),
            **{f"answer{n}": c for n, c in enumerate(answers, 1)},
        }
        found = verdict_of(profile, answers)
        if found and ("prompt" in mapping or profile.columns[answers[0]].is_("turns")):
            extra, why = found
            return Match("ranked", 0.93, f"{listed(answers)}: {why}", {**mapping, **extra})
        return None
    return _recognise_list(profile)


def _recognise_list(profile: Profile) -> Match | None:
    lists = profile.find(names.ANSWER_LISTS, "strings", "objects", "list")
    if lists is None:
        return None
    mapping = {**prompt_columns(profile, {lists}), "answers": lists}
    scores = profile.find((*names.SCORE_STEMS, *names.RANK_STEMS), "numbers", without=[lists])
    verdict = profile.find(names.VERDICT, "number", without=[lists])
    if scores:
        key = "ranks" if profile.columns[scores].key in names.RANK_STEMS else "scores"
        why = (
            f'"{scores}" holds a number for each of "{lists}": the best is chosen, the '
            "worst rejected."
        )
        mapping[key] = scores
    elif verdict:
        why = f'"{verdict}" is the index of the better one of "{lists}".'
        mapping["better"] = verdict
    elif profile.columns[lists].is_("objects") and _scored(profile.columns[lists].values):
        why = f'Each of "{lists}" carries its own score: the best is chosen, the worst rejected.'
    else:
        return None
    return Match("ranked", 0.9, why, mapping) if "prompt" in mapping else None


def _scored(values: list[Any]) -> bool:
    try:
        for value in values[:10]:
            pair_from_list(value, None, None, None, "answers")
    except RowError as error:
        return error.kind in ("tie", "too_few_answers")
    return bool(values)


def _convert_ranked(row: Row, mapping: Mapping) -> Row:
    if "answers" in mapping:
        column = mapping["answers"]
        numbers = mapping.get("scores") or mapping.get("ranks")
        better, worse = pair_from_list(
            row.get(column),
            row.get(numbers) if numbers else None,
            row.get(mapping["better"]) if "better" in mapping else None,
            "ranks" if "ranks" in mapping else "scores",
            column,
        )
    else:
        columns = _answers(mapping)
        if "better" in mapping:
            at, other = pair_from_verdict(row, mapping, columns)
        else:
            at, other = pair_from_scores(row, mapping, len(columns))
        better, worse = side_messages(row, columns[at]), side_messages(row, columns[other])
    if "prompt" in mapping:
        prompt = open_transcript(prompt_messages(row, mapping))
        return {"prompt": prompt, "chosen": better, "rejected": worse}
    prompt, better, worse = split_shared(better, worse, "the better answer", "the worse answer")
    return {"prompt": prompt, "chosen": better, "rejected": worse}


def _answers(mapping: Mapping) -> list[str]:
    numbered = sorted(
        (int(f[6:]), c) for f, c in mapping.items() if f.startswith("answer") and f[6:]
    )
    return [column for _, column in numbered]


def _convert(row: Row, mapping: Mapping) -> Row:
    columns = _answers(mapping)
    sides = [side_messages(row, column) for column in columns]
    prompt = prompt_messages(row, mapping) if "prompt" in mapping else _shared(sides)
    result: Row = {"prompt": prompt}
    for at, side in enumerate(sides, 1):
        result[f"answer{at}"] = side[-1]["content"]
    votes = [c for f, c in mapping.items() if f.startswith("vote")]
    if votes:
        result["votes"] = [
            {"annotator": name, "vote": str(row[name])}
            for name in votes
            if row.get(name) is not None
        ]
    used = set(mapping.values())
    rest = {
        k: v for k, v in row.items() if k not in used and isinstance(v, str | int | float | bool)
    }
    if rest:
        result["provenance"] = json.dumps(rest, ensure_ascii=False)
    return result


def _shared(sides: list[list[Message]]) -> list[Message]:
    if any(side[:-1] != sides[0][:-1] for side in sides):
        raise RowError("prompt_differs", "The answers follow different prompts.")
    if len(sides[0]) < 2:
        raise RowError("no_prompt", "There is no prompt before the answers.")
    return sides[0][:-1]


_PROMPT_FIELDS = {
    "prompt": "the prompt",
    "input": "what the prompt is about, added below it",
    "system": "a system prompt",
    "history": "earlier turns",
    **{f"answer{at}": f"answer {at}" for at in range(1, 10)},
}

FAMILIES = [
    Family(
        "ranked",
        "preference",
        "Several answers with a verdict, scores or ranks",
        {**_PROMPT_FIELDS, **VERDICT_FIELDS},
        ("prompt",),
        _recognise_ranked,
        _convert_ranked,
    ),
    Family(
        "comparison",
        "comparison",
        "Several answers without a verdict",
        {**_PROMPT_FIELDS, **{f"vote{at}": f"vote of rater {at}" for at in range(1, 10)}},
        ("prompt", "answer1", "answer2"),
        _recognise,
        _convert,
    ),
]
