"""Answers and the votes of several raters: the majority makes the pair.

Rule: the answer that more than half of a row's votes name is chosen, and of the others the one with
the fewest votes rejected; a row without such an answer (a tie, or votes spread over tie and the
answers) is set aside as a tie.
"""

from __future__ import annotations

from studio.data.formats import column_names
from studio.data.formats.answer_columns import answer_columns, numbered_answers, vote_columns
from studio.data.formats.base import Family, Mapping, Match, Row, asked, listed
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.field_values import prompt_messages, side_messages
from studio.data.formats.instruction import prompt_columns
from studio.data.formats.ranking import ways_of
from studio.data.formats.transcripts import open_transcript
from studio.data.formats.verdicts import answer_named
from studio.data.types import RowError


def _recognise(profile: Profile) -> Match | None:
    answers = answer_columns(profile)
    if len(answers) < 2:
        return None
    several = vote_columns(profile)
    listed_votes = profile.find(column_names.VOTE_LISTS, "strings", "numbers", without=answers)
    listed_votes = listed_votes or _judgements(profile)
    prompt = prompt_columns(profile, {*answers, *several, listed_votes or ""})
    if not prompt or not (len(several) >= 2 or listed_votes):
        return None
    if len(several) >= 2:
        mapping = {f"vote{at}": name for at, name in enumerate(several, 1)}
        votes = _together([profile.columns[name] for name in several])
        who = f"{len(several)} raters"
    else:
        column = profile.columns[listed_votes or ""]
        flat = [str(_vote(vote)) for cell in column.values for vote in cell]
        votes = Column(column.name, column.key, values=list(flat), distinct=set(flat))
        mapping, who = {"votes": column.name}, f'the raters in "{listed_votes}"'
    mapping = {**prompt, **{f"answer{n}": c for n, c in enumerate(answers, 1)}, **mapping}
    fewest = " and the one with the fewest rejected" if len(answers) > 2 else ""
    why = (
        f"{who} vote between {listed(answers)}{{}}: the one with more than half of the votes is "
        f"chosen{fewest}, and rows without one are dropped as ties. Choose comparison to label "
        "them again."
    )
    why = why[:1].upper() + why[1:]
    return asked(
        Match("majority", 0.95, why.format(way.words), {**mapping, "better_first": way.first})
        for way in ways_of(profile, votes, answers)
    )


def _judgements(profile: Profile) -> str | None:
    """A column of objects, each of which holds one rater's verdict."""
    found = profile.find(column_names.VOTE_LISTS, "objects")
    cells = profile.columns[found].values if found else []
    votes = [vote for cell in cells if isinstance(cell, list) for vote in cell]
    return found if votes and all(isinstance(_vote(v), str | int) for v in votes) else None


def _vote(vote: object) -> object:
    """What a rater said, also inside an object beside who said it."""
    if not isinstance(vote, dict):
        return vote
    names = {column_names.key(str(name)): held for name, held in vote.items()}
    return next((names[word] for word in ("vote", *column_names.VERDICT) if word in names), None)


def _together(columns: list[Column]) -> Column:
    """Several raters' votes as one column, under the first one's name."""
    first = columns[0]
    seen = {value for column in columns for value in column.distinct}
    values = [value for column in columns for value in column.values]
    return Column(first.name, first.key, values=values, distinct=seen)


def _convert(row: Row, mapping: Mapping) -> Row:
    columns = numbered_answers(mapping)
    chosen, rejected = _ends(_votes(row, mapping), mapping.get("better_first", "name"), columns)
    prompt = open_transcript(prompt_messages(row, mapping))
    better, worse = (side_messages(row, columns[at]) for at in (chosen, rejected))
    return {"prompt": prompt, "chosen": better, "rejected": worse}


def _votes(row: Row, mapping: Mapping) -> list[object]:
    if "votes" in mapping:
        value = row.get(mapping["votes"])
        votes = [_vote(vote) for vote in (value if isinstance(value, list) else [value])]
    else:
        votes = [row.get(column) for field, column in mapping.items() if field.startswith("vote")]
    votes = [vote for vote in votes if vote is not None and vote != ""]
    if not votes:
        raise RowError("not_judged", "No rater voted on this row.")
    return votes


def _ends(votes: list[object], first: str, columns: list[str]) -> tuple[int, int]:
    """The answer of the majority, and the one with the fewest votes."""
    named = [answer_named(vote, first, columns, "votes") for vote in votes]
    counts = [named.count(at) for at in range(len(columns))]
    best = counts.index(max(counts))
    if 2 * counts[best] > len(named):
        others = [at for at in range(len(columns)) if at != best]
        return best, min(others, key=lambda at: counts[at])
    told = f"{' to '.join(map(str, counts))}, {named.count(None)} ties"
    raise RowError("tie", f"No answer has more than half of the votes ({told}).")


FAMILIES = [
    Family(
        "majority",
        "preference",
        "Answers and several raters' votes",
        {
            "prompt": "the prompt",
            "input": "what the prompt is about, added below it",
            "system": "a system prompt",
            "history": "earlier turns",
            **{f"answer{at}": f"answer {at}" for at in range(1, 10)},
            "votes": "a list of votes (instead of a column a rater)",
            **{f"vote{at}": f"vote of rater {at}" for at in range(1, 10)},
            "better_first": "how votes count: 0, 1, name, or codes such as 0=tie,1=1,2=2",
        },
        ("prompt", "answer1", "answer2"),
        _recognise,
        _convert,
    )
]
