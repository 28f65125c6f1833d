"""Rankings of a list of answers that say one of two things: the place of each answer, or the
answers in order."""

from __future__ import annotations

from studio.data.formats.base import Mapping, Match, asked
from studio.data.formats.column_profile import Profile
from studio.data.types import RowError

_NAMES = ("ranking", "rankings", "order", "ranked")


def order_or_ranks(profile: Profile, lists: str, ranks: str, mapping: Mapping) -> Match | None:
    """Ranks that are numbers of answers too: the place of each answer, or the answers in order."""
    if profile.columns[ranks].key not in _NAMES:
        return None
    values = [value for value in profile.columns[ranks].values if isinstance(value, list)]
    first = 0 if any(0 in value for value in values) else 1
    orders = all(_numbers_in_turn(value, first) for value in values)
    if not values or not orders or all(_own_inverse(value, first) for value in values):
        return None
    places = f'"{ranks}" holds the place of each of "{lists}", the lowest being the best.'
    listing = f'"{ranks}" lists the numbers of "{lists}" from the best to the worst.'
    return asked(
        [
            Match("ranked", 0.9, places, {**mapping, "ranks": ranks}),
            Match(
                "ranked", 0.9, listing, {**mapping, "ranks": ranks, "rank_form": f"order{first}"}
            ),
        ]
    )


def _numbers_in_turn(value: list[object], first: int) -> bool:
    whole = all(type(number) is int for number in value)
    return whole and sorted(map(int, map(str, value))) == [*range(first, first + len(value))]


def _own_inverse(order: list[int], first: int) -> bool:
    """Whether a permutation says the same as places and as an order."""
    return all(order[at - first] - first == place for place, at in enumerate(order))


def places(order: object, form: str) -> object:
    """An order of answers as the place of each."""
    if not form.startswith("order") or not isinstance(order, list):
        return order
    first = int(form.removeprefix("order"))
    try:
        return [order.index(first + at) for at in range(len(order))]
    except ValueError:
        raise RowError(
            "wrong_type", "The order names an answer twice or one that is not there."
        ) from None
