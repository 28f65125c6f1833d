"""Rankings of a list of answers that say one of two things: the place of each answer, or the
answers in order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.data.formats.base import Mapping, Match, asked
from studio.data.formats.chat_turns import unwrapped
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.verdicts import position
from studio.data.types import RowError

_NAMES = ("ranking", "rankings", "order", "ranked")


def order_or_ranks(profile: Profile, lists: str, ranks: str, mapping: Mapping) -> Match | None:
    """Ranks that are numbers of answers too: the place of each answer, or the answers in order."""
    first = first_of_order(profile.columns[ranks])
    if first is None:
        return None
    places = f'"{ranks}" holds the place of each of "{lists}", the lowest being the best.'
    listing = f'"{ranks}" lists the numbers of "{lists}" from the best to the worst.'
    return asked(
        [
            Match("ranked", 0.9, places, {**mapping, "ranks": ranks, "rank_form": "places"}),
            Match(
                "ranked", 0.9, listing, {**mapping, "ranks": ranks, "rank_form": f"order{first}"}
            ),
        ]
    )


def first_of_order(column: Column) -> int | None:
    """Whether 0 or 1 is the first number of rankings that may list places or answers in order;
    None where they say the same or are no such numbers."""
    if column.key not in _NAMES:
        return None
    values = [value for value in column.values if isinstance(value, list)]
    first = 0 if any(0 in value for value in values) else 1
    orders = all(_numbers_in_turn(value, first) for value in values)
    if not values or not orders or all(_own_inverse(value, first) for value in values):
        return None
    return first


def _numbers_in_turn(value: list[object], first: int) -> bool:
    whole = all(type(number) is int for number in value)
    return whole and sorted(map(int, map(str, value))) == [*range(first, first + len(value))]


def _own_inverse(order: list[int], first: int) -> bool:
    """Whether a permutation says the same as places and as an order."""
    return all(order[at - first] - first == place for place, at in enumerate(order))


def written_order(value: object, columns: Sequence[str]) -> list[list[int]] | None:
    """Answers from the best to the worst, those that are equal together, of `A > B = C` or of a
    list of names; None where not each answer is named once."""
    if isinstance(value, str) and not re.search("[>\u227b]", value):
        value = unwrapped(value)
    if isinstance(value, str):
        groups = [re.split(r"\s*=+\s*", part) for part in re.split(r"\s*[>\u227b]+\s*", value)]
    elif isinstance(value, list) and all(isinstance(one, str) for one in value):
        groups = [[one] for one in value]
    else:
        return None
    try:
        order = [[position(name, columns) for name in group] for group in groups]
    except LookupError:
        return None
    named = [at for group in order for at in group if at is not None]
    if sorted(named) != [*range(len(columns))] or len(named) != sum(map(len, order)):
        return None
    return [[at for at in group if at is not None] for group in order]


def order_column(profile: Profile, columns: Sequence[str]) -> str | None:
    """A column whose every value names all answers in order; two answers are a verdict's matter."""
    for column in profile.columns.values():
        if column.name in columns or not column.values:
            continue
        if all(written_order(value, columns) for value in column.values):
            return column.name
    return None


def letters(count: int) -> list[str]:
    """What the answers of a list are called: by number from 1 and by letter."""
    return [f"answer_{at}" for at in range(1, count + 1)]


def places(order: object, form: str) -> object:
    """An order of answers as the place of each."""
    if form == "names":
        count = len(re.findall(r"[^\s>=\u227b]+", order)) if isinstance(order, str) else 0
        count = len(order) if isinstance(order, list) else count
        found = written_order(order, letters(count))
        if found is None:
            raise RowError("wrong_type", "The order does not name each answer once.")
        where = {at: place for place, group in enumerate(found) for at in group}
        return [where[at] for at in range(count)]
    if not form.startswith("order") or not isinstance(order, list):
        return order
    first = int(form.removeprefix("order"))
    try:
        return [order.index(first + at) for at in range(len(order))]
    except ValueError:
        raise RowError(
            "wrong_type", "The order names an answer twice or one that is not there."
        ) from None
