"""Several answers to one prompt: unlabeled (for Label), with a winner, with scores, or with votes.

Rules: a winner column or a score per answer makes a preference pair (best against worst; ties are
dropped). Rows with votes of several raters stay comparisons and keep the votes.
"""

from __future__ import annotations

import json

from studio.data.formats import column_names
from studio.data.formats.answer_columns import answer_columns, numbered_answers, vote_columns
from studio.data.formats.base import Family, Mapping, Match, Row, asked, listed
from studio.data.formats.chat_turns import Message
from studio.data.formats.column_profile import Profile
from studio.data.formats.field_values import listed_texts, prompt_messages, side_messages
from studio.data.formats.instruction import prompt_columns
from studio.data.formats.orders import letters, order_column, order_or_ranks, places
from studio.data.formats.preference import split_shared
from studio.data.formats.ranking import (
    VERDICT_FIELDS,
    listed_answers,
    pair_from_list,
    pair_from_numbers,
    pair_from_scores,
    pair_from_verdict,
    verdict_column,
    verdicts_of,
    ways_of,
)
from studio.data.formats.transcripts import open_transcript
from studio.data.types import RowError


def _prompt(profile: Profile, answers: list[str]) -> Mapping:
    return prompt_columns(profile, set(answers))


def _recognise(profile: Profile) -> Match | None:
    answers = answer_columns(profile)
    if len(answers) < 2:
        return _recognise_unjudged(profile)
    prompt = _prompt(profile, answers)
    if not prompt and not profile.columns[answers[0]].is_("turns"):
        return None
    mapping = {**prompt, **{f"answer{at}": name for at, name in enumerate(answers, 1)}}
    votes = vote_columns(profile)
    mapping.update({f"vote{at}": name for at, name in enumerate(votes, 1)})
    voted = f" Votes of {len(votes)} raters are kept with each row." if votes else ""
    why = f"{listed(answers)} answer the same prompt, and no column says which is better."
    return Match("comparison", 0.94 * profile.coverage(*answers) + 0.03, why + voted, mapping)


def _recognise_unjudged(profile: Profile) -> Match | None:
    """A list of two answers or more a row, without a verdict."""
    lists = profile.find(column_names.ANSWER_LISTS, "strings", "objects", "turns")
    if lists is None or profile.find(column_names.COMPLETION[:-1], "string", without=[lists]):
        return None
    values = profile.columns[lists].values
    several = sum(len(value) >= 2 for value in values) >= 0.8 * len(values)
    if lists.lower() == "answers" and profile.columns[lists].is_("strings"):
        return None  # accepted answers to a question, kept for checking
    prompt = prompt_columns(profile, {lists})
    if not several or not prompt or _steps(profile, lists):
        return None
    why = f'"{lists}" holds several answers to each prompt, and nothing says which is better.'
    return Match("comparison", 0.85, why, {**prompt, "answers": lists})


def _steps(profile: Profile, lists: str) -> bool:
    """Whether each text of a list is judged by itself: steps of one answer, not several answers."""
    judged = (
        [value for value in column.values if isinstance(value, list)]
        for column in profile.columns.values()
        if column.name != lists
    )
    return any(
        values and all(value and all(isinstance(one, bool) for one in value) for value in values)
        for values in judged
    )


def _recognise_ranked(profile: Profile) -> Match | None:
    answers = answer_columns(profile)
    if len(answers) >= 2:
        mapping = {
            **_prompt(profile, answers),
            **{f"answer{n}": c for n, c in enumerate(answers, 1)},
        }
        if "prompt" not in mapping and not profile.columns[answers[0]].is_("turns"):
            return None
        return asked(
            Match("ranked", _sure(extra), f"{listed(answers)}: {why}", {**mapping, **extra})
            for extra, why in verdicts_of(profile, answers)
        )
    return _recognise_list(profile)


def _sure(verdict: Mapping) -> float:
    """A scale has a usual direction, and no more than that."""
    return 0.8 if verdict.get("better_first", "").startswith("scale") else 0.93


def _ways_by_hand(profile: Profile, mapping: Mapping) -> list[Match]:
    """How the verdicts of columns mapped by hand may be read."""
    column, answers = profile.columns.get(mapping.get("better", "")), numbered_answers(mapping)
    if column is None or len(answers) < 2 or "better_first" in mapping:
        return []
    why = f'Mapped by hand: "{column.name}" names the better one of {listed(answers)}{{}}.'
    return [
        Match("ranked", 1.0, why.format(way.words), {**mapping, "better_first": way.first})
        for way in ways_of(profile, column, answers)
    ]


def _recognise_list(profile: Profile) -> Match | None:
    lists = profile.find(column_names.ANSWER_LISTS, "strings", "objects", "pairs", "list")
    if lists is None:
        return None
    mapping = {**prompt_columns(profile, {lists}), "answers": lists}
    words = (*column_names.SCORE_STEMS, *column_names.RANK_STEMS)
    faults = {
        column.name
        for column in profile.columns.values()
        if not column_names.SCORE_FAULTS.isdisjoint(column.key.split("_"))
    }
    scores = profile.find(words, "numbers", without={lists, *faults})
    scores = scores or _written_numbers(profile, words, faults) or _weights(profile, lists)
    verdict = verdict_column(profile, [lists])
    counts = {len(value) for value in profile.columns[lists].values if isinstance(value, list)}
    named = (
        order_column(profile, letters(counts.pop())) if len(counts) == 1 and not scores else None
    )
    if named and named != lists:
        told = f'"{named}" lists "{lists}" from the best to the worst, by letter or number.'
        ordered = {**mapping, "ranks": named, "rank_form": "names"}
        return Match("ranked", 0.9, told, ordered) if "prompt" in mapping else None
    if scores and (orders := order_or_ranks(profile, lists, scores, mapping)):
        return orders if "prompt" in mapping else None
    if scores:
        key = "ranks" if profile.columns[scores].key in column_names.RANK_STEMS else "scores"
        rule = "lowest rank" if key == "ranks" else "highest score"
        other = "highest" if key == "ranks" else "lowest"
        why = (
            f'"{scores}" holds a number for each of "{lists}": the {rule} is chosen, the '
            f"{other} rejected; ties are set aside."
        )
        mapping[key] = scores
    elif verdict:
        first = "1" if _from_one(profile, lists, verdict) else "0"
        why = f'"{verdict}" is the index of the better one of "{lists}", counted from {first}.'
        mapping.update(better=verdict, better_first=first)
    elif profile.columns[lists].is_("objects", "pairs") and _scored(profile.columns[lists].values):
        why = f'Each of "{lists}" carries its own score: the best is chosen, the worst rejected.'
    else:
        return None
    return Match("ranked", 0.9, why, mapping) if "prompt" in mapping else None


def _weights(profile: Profile, lists: str) -> str | None:
    """A verdict that has a number with a fraction for each answer of a list."""
    found = profile.find(column_names.VERDICT, "numbers", without={lists})
    values = [n for value in profile.columns[found].values for n in value] if found else []
    return found if any(isinstance(n, float) and n != int(n) for n in values) else None


def _written_numbers(profile: Profile, words: tuple[str, ...], faults: set[str]) -> str | None:
    """A column of scores that are written as texts, as some files keep them."""
    found = profile.find(words, "strings", without=faults)
    values = profile.columns[found].values if found else []
    read = sum(any(text.replace(".", "", 1).isdigit() for text in value) for value in values)
    return found if values and read >= 0.8 * len(values) else None


def _from_one(profile: Profile, lists: str, verdict: str) -> bool:
    """Whether an index counts from 1: never 0, and as high as there are answers."""
    seen = {int(float(value)) for value in profile.columns[verdict].distinct}
    longest = max((len(value) for value in profile.columns[lists].values), default=0)
    return 0 not in seen and longest in seen


def _scored(values: list[object]) -> bool:
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
            places(row.get(numbers), mapping.get("rank_form", "")) if numbers else None,
            _index(row, mapping),
            "ranks" if "ranks" in mapping else "scores",
            column,
            mapping.get("rejected_one", "lowest"),
        )
    else:
        columns = numbered_answers(mapping)
        if "better" in mapping:
            at, other = pair_from_verdict(row, mapping, columns)
        elif "scores" in mapping or "ranks" in mapping:
            at, other = pair_from_numbers(row, mapping, len(columns))
        else:
            at, other = pair_from_scores(row, mapping, len(columns))
        better, worse = side_messages(row, columns[at]), side_messages(row, columns[other])
    if spoken := _alternating(row, mapping, better, worse):
        return spoken
    if "prompt" in mapping:
        prompt = open_transcript(prompt_messages(row, mapping))
        return {"prompt": prompt, "chosen": better, "rejected": worse}
    prompt, better, worse = split_shared(better, worse, "the better answer", "the worse answer")
    return {"prompt": prompt, "chosen": better, "rejected": worse}


def _alternating(
    row: Row, mapping: Mapping, better: list[Message], worse: list[Message]
) -> Row | None:
    """The pair of a row whose prompt and answers are lists of texts that alternate (the arena's):
    what both sides share is the prompt, the rest of each side the answer."""
    said = listed_texts(row.get(mapping.get("prompt", "")))
    if said is None or len(better) != 1 or len(worse) != 1:
        return None
    sides = []
    for side in (better, worse):
        answers = listed_texts(side[0]["content"])
        if answers is None:
            return None
        both = zip(said, answers, strict=False)
        texts = [text for pair in both for text in pair]
        roles = ("user", "assistant")
        sides.append([{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)])
    first, second = sides
    same = 1
    while same < min(len(first), len(second)) - 1 and first[same] == second[same]:
        same += 1
    same -= first[same]["role"] == "user"
    return {"prompt": first[:same], "chosen": first[same:], "rejected": second[same:]}


def _index(row: Row, mapping: Mapping) -> int | None:
    if "better" not in mapping:
        return None
    column = mapping["better"]
    try:
        return int(float(row[column])) - int(mapping.get("better_first", "0") or 0)
    except (KeyError, TypeError, ValueError):
        raise RowError("wrong_type", f'"{column}" is no number of an answer.', column) from None


def _convert(row: Row, mapping: Mapping) -> Row:
    if "answers" in mapping:
        sides = listed_answers(row.get(mapping["answers"]), mapping["answers"])
    else:
        sides = [side_messages(row, column) for column in numbered_answers(mapping)]
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
        "Several answers with a winner, scores or ranks",
        {**_PROMPT_FIELDS, **VERDICT_FIELDS},
        ("prompt",),
        _recognise_ranked,
        _convert_ranked,
        readings=_ways_by_hand,
    ),
    Family(
        "comparison",
        "comparison",
        "Several answers without a preference",
        {
            **_PROMPT_FIELDS,
            "answers": "a list of answers (instead of answer1, answer2)",
            **{f"vote{at}": f"vote of rater {at}" for at in range(1, 10)},
        },
        ("prompt",),
        _recognise,
        _convert,
    ),
]
