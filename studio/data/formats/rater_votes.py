"""Two answers and the votes of several raters: the majority makes the pair.

Rule: the answer that more than half of a row's votes name is chosen; a row without such an answer
(a tie, or votes spread over tie and both answers) is set aside as a tie.
"""

from __future__ import annotations

from studio.data.formats import column_names
from studio.data.formats.answer_columns import answer_columns, vote_columns
from studio.data.formats.base import Family, Mapping, Match, Row, listed
from studio.data.formats.column_profile import Profile
from studio.data.formats.field_values import prompt_messages, side_messages
from studio.data.formats.instruction import prompt_columns
from studio.data.formats.ranking import counts_from, named_answer
from studio.data.formats.transcripts import open_transcript
from studio.data.types import RowError


def _recognise(profile: Profile) -> Match | None:
    answers = answer_columns(profile)
    if len(answers) != 2:
        return None
    several = vote_columns(profile)
    listed_votes = profile.find(column_names.VOTE_LISTS, "strings", "numbers", without=answers)
    prompt = prompt_columns(profile, {*answers, *several, listed_votes or ""})
    if not prompt or not (len(several) >= 2 or listed_votes):
        return None
    if len(several) >= 2:
        seen = {value for name in several for value in profile.columns[name].distinct}
        mapping = {f"vote{at}": name for at, name in enumerate(several, 1)}
        who = f"{len(several)} raters"
    else:
        held = profile.columns[listed_votes or ""].values
        seen = {str(vote) for votes in held for vote in votes}
        mapping, who = {"votes": listed_votes or ""}, f'the raters in "{listed_votes}"'
    first = counts_from(seen, answers)
    if first is None:
        return None
    mapping = {
        **prompt,
        "answer1": answers[0],
        "answer2": answers[1],
        **mapping,
        "better_first": first,
    }
    why = (
        f"{who} vote between {listed(answers)}: the one with more than half of the votes is "
        "chosen, and rows without one are dropped as ties. Choose comparison to label them again."
    )
    return Match("majority", 0.95, why[:1].upper() + why[1:], mapping)


def _convert(row: Row, mapping: Mapping) -> Row:
    columns = [mapping["answer1"], mapping["answer2"]]
    sides = [side_messages(row, column) for column in columns]
    chosen = _majority(_votes(row, mapping), mapping.get("better_first", "1"), columns)
    prompt = open_transcript(prompt_messages(row, mapping))
    return {"prompt": prompt, "chosen": sides[chosen], "rejected": sides[1 - chosen]}


def _votes(row: Row, mapping: Mapping) -> list[object]:
    if "votes" in mapping:
        value = row.get(mapping["votes"])
        votes = value if isinstance(value, list) else [value]
    else:
        votes = [row.get(column) for field, column in mapping.items() if field.startswith("vote")]
    votes = [vote for vote in votes if vote is not None and vote != ""]
    if not votes:
        raise RowError("not_judged", "No rater voted on this row.")
    return votes


def _majority(votes: list[object], first: str, columns: list[str]) -> int:
    named = [named_answer(vote, first, columns, "votes") for vote in votes]
    for at in range(2):
        if 2 * named.count(at) > len(named):
            return at
    counts = f"{named.count(0)} to {named.count(1)}, {named.count(None)} ties"
    raise RowError("tie", f"No answer has more than half of the votes ({counts}).")


FAMILIES = [
    Family(
        "majority",
        "preference",
        "Two answers and several raters' votes",
        {
            "prompt": "the prompt",
            "input": "what the prompt is about, added below it",
            "system": "a system prompt",
            "history": "earlier turns",
            "answer1": "answer 1",
            "answer2": "answer 2",
            "votes": "a list of votes (instead of a column a rater)",
            **{f"vote{at}": f"vote of rater {at}" for at in range(1, 10)},
            "better_first": "whether a numeric vote counts from 0 or from 1",
        },
        ("prompt", "answer1", "answer2"),
        _recognise,
        _convert,
    )
]
