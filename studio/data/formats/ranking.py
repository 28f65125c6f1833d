"""Which of several answers is the better one: by a verdict, by scores, by ranks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from studio.data.formats import column_names
from studio.data.formats.base import Mapping, Row
from studio.data.formats.chat_turns import Message, kind_of, to_messages
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.orders import first_of_order, order_column, places, written_order
from studio.data.formats.verdicts import Way, answer_named, coded, position, turned, ways
from studio.data.types import RowError

VERDICT_FIELDS = {
    "answers": "a list of answers (instead of answer1, answer2)",
    "better": "which answer is better: its number, letter or column name",
    "better_first": "how preferences count: 0, 1, name, or codes such as 0=tie,1=1,2=2",
    **{f"model{at}": f"the model of answer {at}, where a vote names it" for at in range(1, 10)},
    "scores": "a number for each answer, higher is better",
    "ranks": "a number for each answer, lower is better",
    "rank_form": "places (of each answer), or order0, order1 (answers from the best, from 0 or 1)",
    "rejected_one": "which answer of a list is rejected: lowest (the default) or next",
    **{f"score{at}": f"the score of answer {at}" for at in range(1, 10)},
    **{f"rank{at}": f"the rank of answer {at}" for at in range(1, 10)},
}

_OUT_OF = re.compile(r"\s*(?:/\s*\d+|out of \d+)\s*$")
_TEXT_KEYS = ("text", "answer", "response", "content", "output", "completion", "value")
_SCORE_KEYS = (
    "score",
    "rating",
    "overall_score",
    "reward",
    "fine-grained_score",
    "pm_score",
    "fine_grained_score",
    *("elo", "win_rate", "quality", "stars", "grade", "points", "upvotes", "votes", "likes"),
)


def verdicts_of(profile: Profile, answers: list[str]) -> list[tuple[Mapping, str]]:
    """What decides between `answers`: a mapping and the rule in words for every way to read it;
    empty where nothing decides."""
    models = _model_columns(profile, answers)
    for column in (*_verdict_columns(profile, answers), *_spoken_verdicts(profile, answers)):
        found = ways_of(profile, column, answers)
        by_model = {f"model{at}": name for at, name in enumerate(models, 1)} if models else {}
        if not found and by_model and _names_models(profile, column, models):
            found = [Way("name", " by its model")]
        if found:
            which = "worse" if _of_the_worse(column) else "better"
            how = f'"{column.name}" names the {which} one{{}}; ties are set aside.'
            base = {"better": column.name, **(by_model if found[0].first == "name" else {})}
            return [({**base, "better_first": way.first}, how.format(way.words)) for way in found]
    if text := _repeating(profile, answers):
        how = f'"{text}" repeats the better one.'
        return [({"better": text, "better_first": "text"}, how)]
    if order := order_column(profile, answers):
        how = (
            f'"{order}" lists them from the best to the worst: the first and the last make a pair.'
        )
        return [({"better": order, "better_first": "order"}, how)]
    if scored := _score_columns(profile, answers):
        return [scored]
    return _listed_numbers(profile, answers) or _margins(profile, answers)


def _repeating(profile: Profile, answers: list[str]) -> str | None:
    """A column that holds the text of one of the answers in every row, not always of the same."""
    for column in profile.columns.values():
        if column.name in answers or not column.is_("string"):
            continue
        rows = [row for row in profile.sample if row.get(column.name)]
        same = [[row.get(answer) == row[column.name] for answer in answers] for row in rows]
        if rows and all(map(any, same)) and len({tuple(one) for one in same}) > 1:
            return column.name
    return None


def _margins(profile: Profile, answers: list[str]) -> list[tuple[Mapping, str]]:
    """A column of signed differences between two answers (`margin`, `score_diff`): asked about,
    for it may be of the first over the second or the other way round."""
    for column in profile.columns.values():
        words = set(column.key.split("_"))
        if not words & column_names.MARGINS or words & column_names.COUNTED or len(answers) != 2:
            continue
        found = ways_of(profile, column, answers) if column.is_("number", "string") else []
        if found and found[0].first in ("sign", "-sign"):
            how = f'"{column.name}" is the distance between the two{{}}; 0 is set aside.'
            base = {"better": column.name}
            return [({**base, "better_first": way.first}, how.format(way.words)) for way in found]
    return []


def ways_of(profile: Profile, column: Column, answers: list[str]) -> list[Way]:
    """Every way to read a column's verdicts, the told one alone where a person has told it.

    Rows whose answers are the same tell which code is a tie.
    """
    if told := profile.told.get("better_first"):
        return [Way(told, ", as you said")]
    found = ways([*column.values, *column.distinct], answers, column.key)
    if _of_the_worse(column):
        found = [back for way in found if (back := turned(way, column.distinct, answers))]
    if len(found) > 1 and len(answers) == 2:
        same = [
            row.get(column.name)
            for row in profile.sample
            if row.get(answers[0]) == row.get(answers[1]) and row.get(column.name) is not None
        ]
        fit = [way for way in found if same and all(_ties(value, way, answers) for value in same)]
        if len(fit) == 1:
            return [Way(fit[0].first, f"{fit[0].words}, as rows with equal answers show")]
    return found


def _ties(value: object, way: Way, answers: list[str]) -> bool:
    try:
        return coded(value, way.first, answers) is None
    except LookupError:
        return False


def _model_columns(profile: Profile, answers: list[str]) -> list[str]:
    """The columns that name each answer's model: `model_a` beside `response_a`."""
    found = {}
    for column in profile.columns.values():
        stem, suffix = _apart(column.name)
        if stem.split("_")[-1] in ("model", "generator", "policy") and column.is_("string"):
            found[suffix] = column.name
    suffixes = [_apart(answer)[1] for answer in answers]
    return [found[s] for s in suffixes] if all(s in found for s in suffixes) else []


def _names_models(profile: Profile, column: Column, models: list[str]) -> bool:
    rows = [row for row in profile.sample if isinstance(row.get(column.name), str)]
    hits = sum(row[column.name] in [row.get(model) for model in models] for row in rows)
    return bool(rows) and hits >= 0.3 * len(rows) and hits > 0


_LAST = (
    *("id", "index", "idx", "strength", "answer", "response", "completion", "model", "score"),
    *("label", "result", "side", "decision"),
)


def _spoken_verdicts(profile: Profile, answers: list[str]) -> Iterator[Column]:
    """Columns of few words that all name an answer, whatever they are called."""
    for column in profile.columns.values():
        if column.name in answers or not column.is_("string") or len(column.distinct) > 6:
            continue
        if column.mean_characters <= 24 and _all_name(column, answers):
            yield column


def _all_name(column: Column, answers: list[str]) -> bool:
    named = set()
    for value in column.distinct:
        try:
            named.add(position(value, answers))
        except LookupError:
            return False
    return len(named - {None}) >= 2


def _verdict_columns(profile: Profile, answers: list[str]) -> Iterator[Column]:
    """Columns whose names speak of a verdict, the plainest name first."""
    for word in (*column_names.VERDICT, *column_names.VERDICT_WORSE):
        for column in profile.columns.values():
            if column.name in answers or column_names.numbered(column.name):
                continue
            words = column.key.split("_")
            if column.key == word or (word in words and words[-1] in (*_LAST, word)):
                yield column


def _of_the_worse(column: Column) -> bool:
    """Whether a column says which answer is the worse one (`worse`, `rejected_index`)."""
    turns = sum(word in column_names.VERDICT_WORSE for word in column.key.split("_"))
    return turns % 2 == 1  # "less harmful" is the better one


def verdict_column(profile: Profile, answers: list[str]) -> str | None:
    """A column of numbers whose name speaks of a verdict for the better answer."""
    found = (
        column.name
        for column in _verdict_columns(profile, answers)
        if column.is_("number") and not _of_the_worse(column)
    )
    return next(found, None)


def _score_columns(profile: Profile, answers: list[str]) -> tuple[Mapping, str] | None:
    suffixes = [_apart(column)[1] for column in answers]
    for field, stems in (("score", column_names.SCORE_STEMS), ("rank", column_names.RANK_STEMS)):
        found = {}
        for column in profile.columns.values():
            stem, suffix = _apart(column.name)
            if _speaks_of(stem.split("_"), stems) and column.is_("number", "string"):
                found[suffix] = column.name
        if len(set(suffixes)) == len(answers) and all(suffix in found for suffix in suffixes):
            mapping = {f"{field}{at}": found[suffix] for at, suffix in enumerate(suffixes, 1)}
            rule = "the higher score wins" if field == "score" else "the lower rank wins"
            return mapping, f"each has its {field}, and {rule}; ties are dropped."
    return None


def _listed_numbers(profile: Profile, answers: list[str]) -> list[tuple[Mapping, str]]:
    """A column that lists a number for each answer (`scores` or `ranks` beside `answer1`, ...);
    two readings where the numbers may also be those of the answers in order."""
    for field, stems in (("scores", column_names.SCORE_STEMS), ("ranks", column_names.RANK_STEMS)):
        for column in profile.columns.values():
            fits = all(isinstance(v, list) and len(v) == len(answers) for v in column.values)
            speaks = column.is_("numbers") and _speaks_of(column.key.split("_"), stems)
            if not (fits and speaks):
                continue
            wins = "the higher score" if field == "scores" else "the lower rank"
            rule = f'"{column.name}" holds a number for each, and {wins} wins; ties are dropped.'
            found = [({field: column.name}, rule)]
            if (first := first_of_order(column)) is not None:
                found = [({field: column.name, "rank_form": "places"}, rule)]
                order = f'"{column.name}" lists their numbers from the best to the worst.'
                found.append(({field: column.name, "rank_form": f"order{first}"}, order))
            return found
    return []


def _apart(column: str) -> tuple[str, str]:
    """What a column holds, and whose it is: by number or letter, or by the model before it."""
    if named := column_names.numbered(column):
        return named
    whose, _, stem = column_names.key(column).rpartition("_")
    return stem, whose


def _speaks_of(words: list[str], stems: tuple[str, ...]) -> bool:
    """A score by its last word, or a verdict a column (`winner_model_a`: 1 or 0); no score of harm,
    which the better answer has less of."""
    if not column_names.SCORE_FAULTS.isdisjoint(words):
        return False
    return words[-1] in stems or (
        words[0] in ("winner", "win") and stems is column_names.SCORE_STEMS
    )


def pair_from_verdict(row: Row, mapping: Mapping, columns: list[str]) -> tuple[int, int]:
    """Positions of the better and of another answer by the row's verdict."""
    column = mapping["better"]
    value = row.get(column)
    if value is None or value == "":
        raise RowError("not_judged", f'"{column}" is empty: nobody judged this row.', column)
    if mapping.get("better_first") == "text":
        said = [at for at, name in enumerate(columns) if row.get(name) == value]
        if len(said) != 1:
            kind = "tie" if said else "wrong_type"
            raise RowError(kind, f'"{column}" repeats {len(said)} of the answers.', column)
        return said[0], next(n for n in range(len(columns)) if n != said[0])
    if mapping.get("better_first") == "order":
        return _ends(written_order(value, columns), column)
    models = [row.get(name) for field, name in mapping.items() if field.startswith("model")]
    at = answer_named(value, mapping.get("better_first", "name"), columns, column, models)
    if at is None:
        raise RowError("tie", f'"{column}" calls the row a tie; it makes no pair.', column)
    return at, next(n for n in range(len(columns)) if n != at)


def _ends(order: list[list[int]] | None, column: str) -> tuple[int, int]:
    """The first and the last of an order of answers."""
    if order is None:
        raise RowError(
            "wrong_type", f'"{column}" does not name each answer once, in order.', column
        )
    if len(order) < 2 or len(order[0]) > 1:
        raise RowError("tie", f'"{column}" names no single best answer; it makes no pair.', column)
    return order[0][0], order[-1][0]


def pair_from_scores(row: Row, mapping: Mapping, count: int) -> tuple[int, int]:
    """Positions of the best and the worst answer by their score or rank columns."""
    field = "score" if "score1" in mapping else "rank"
    numbers = [
        _number(row.get(mapping.get(f"{field}{at}", "")), field) for at in range(1, count + 1)
    ]
    return _best_and_worst(numbers, field == "rank", mapping.get(f"{field}1", field))


def pair_from_numbers(row: Row, mapping: Mapping, count: int) -> tuple[int, int]:
    """Positions of the best and the worst answer by a column that lists a number for each."""
    field = "scores" if "scores" in mapping else "ranks"
    column = mapping[field]
    values = places(row.get(column), mapping.get("rank_form", ""))
    if not isinstance(values, list) or len(values) != count:
        raise RowError("wrong_type", f'"{column}" holds no number for each answer.', column)
    return _best_and_worst([_number(v, field[:-1]) for v in values], field == "ranks", column)


def pair_from_list(
    answers: object,
    numbers: object,
    better: object,
    kind: str | None,
    column: str,
    rejected: str = "lowest",
) -> tuple[list[Message], list[Message]]:
    """Best and worst of a list of answers: by index, by numbers beside it, or by their own scores;
    `rejected`: whether the lowest is rejected, or the next below the best ("next")."""
    if not isinstance(answers, list):
        raise RowError(
            "wrong_type", f'"{column}" is {kind_of(answers)}, not a list of answers.', column
        )
    if len(answers) < 2:
        raise RowError("too_few_answers", f'"{column}" has fewer than two answers.', column)
    if isinstance(better, int) and not isinstance(better, bool):
        if not 0 <= better < len(answers):
            raise RowError(
                "wrong_type", f"The preference {better} names no answer of {column!r}.", column
            )
        at, other = better, next(n for n in range(len(answers)) if n != better)
    else:
        values = (
            numbers if isinstance(numbers, list) else [_own_score(item, column) for item in answers]
        )
        if len(values) != len(answers):
            raise RowError(
                "wrong_type", f"{len(values)} scores stand beside {len(answers)} answers.", column
            )
        found = [_number(v, "score") for v in values]
        at, other = _best_and_worst(found, kind == "ranks", column, rejected)
    return _answer(answers[at], column), _answer(answers[other], column)


def listed_answers(value: object, column: str) -> list[list[Message]]:
    """Every answer of a list, as messages; two at least."""
    if not isinstance(value, list) or len(value) < 2:
        raise RowError("too_few_answers", f'"{column}" has fewer than two answers.', column)
    return [_answer(item, column) for item in value[:9]]


def _best_and_worst(
    numbers: list[float], lower_wins: bool, column: str, rejected: str = "lowest"
) -> tuple[int, int]:
    if max(numbers) == min(numbers):
        raise RowError("tie", "All answers have the same score; the row makes no pair.", column)
    ordered = [-number for number in numbers] if lower_wins else numbers
    worse = sorted({number for number in ordered if number < max(ordered)})
    return ordered.index(max(ordered)), ordered.index(worse[-1 if rejected == "next" else 0])


def _own_score(item: object, column: str) -> Any:
    if isinstance(item, dict):
        for name in _SCORE_KEYS:
            if isinstance(item.get(name), int | float | str):
                return item[name]
        for name in ("rank", "ranking"):
            if isinstance(item.get(name), int | float):
                return -item[name]  # the lower rank wins
    raise RowError("missing_field", f"An answer of {column!r} has no score.", column)


def _number(value: Any, field: str) -> float:
    try:
        number = float(_OUT_OF.sub("", value) if isinstance(value, str) else value)
    except (TypeError, ValueError):
        raise RowError("wrong_type", f"The {field} is {kind_of(value)}, not a number.") from None
    if number != number:
        raise RowError("wrong_type", f"The {field} is not a number.")
    return number


def _answer(value: object, column: str) -> list[Message]:
    if isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    if isinstance(value, dict) and "role" not in value:
        text = next((value[name] for name in _TEXT_KEYS if isinstance(value.get(name), str)), None)
        if text is not None:
            return [{"role": "assistant", "content": text}]
    return to_messages(value, column)
