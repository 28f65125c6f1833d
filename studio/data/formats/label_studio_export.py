"""A task of Label Studio's export with its annotations, by the type of each result.

Pairwise picks and rankings, ratings, single choices and texts are read. Anything else (spans of a
text, taxonomies, several choices at once, buckets of a ranker) is counted under its control's name,
so that nothing is left out unnamed.
"""

from __future__ import annotations

from typing import Any

from studio.data.formats.annotators_said import Said
from studio.data.types import Row

_ITEM_TEXTS = ("text", "body", "html", "answer", "response", "content", "title", "value")


def is_task(row: Row) -> bool:
    """Whether a row is a task with annotations."""
    results = row.get("annotations", row.get("completions"))
    return (
        isinstance(row.get("data"), dict)
        and isinstance(results, list)
        and all(isinstance(one, dict) and "result" in one for one in results)
    )


def read(row: Row) -> Said:
    """What a task holds and what its annotations say; those that were cancelled are left out."""
    said = Said(dict(row.get("data") or {}))
    for annotation in row.get("annotations") or row.get("completions") or []:
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        for result in annotation.get("result") or []:
            if isinstance(result, dict) and isinstance(result.get("value"), dict):
                _result(result, said)
    if row.get("predictions"):
        said.unread["predictions (of a model)"] += 1
    for items in [name for name, value in said.fields.items() if said.places and _items(value)]:
        del said.fields[items]  # they stand in `answers`
    return said


def _result(result: Row, said: Said) -> None:
    value: Row = result["value"]
    about = str(result.get("to_name", ""))
    name = str(result.get("from_name") or result.get("type") or "")
    choices, texts = value.get("choices"), value.get("text")
    if isinstance(value.get("selected"), str):
        said.votes.append(_answer_of(value["selected"], about, said.fields))
    elif isinstance(value.get("rating"), int | float):
        said.scored(_rated(name, about, said.fields), value["rating"])
    elif isinstance(choices, list) and len(choices) == 1:
        said.chose(name, str(choices[0]))
    elif isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        said.wrote(name, texts)  # a TextArea; the text of a span is a string
    elif not (isinstance(value.get("ranker"), dict) and _ranked(value["ranker"], said)):
        said.unread[f"{name} ({result.get('type') or 'result'})"] += 1


def _answer_of(side: str, about: str, fields: Row) -> str:
    """The field that left or right names, by the order in which they were shown."""
    shown = [name for name in about.split(",") if name in fields]
    if len(shown) == 2 and side in ("left", "right"):
        return shown[side == "right"]
    return side


def _rated(name: str, about: str, fields: Row) -> str:
    if about in fields:
        return about
    return next((field for field in fields if name.endswith(field)), about or name)


def _ranked(ranker: Row, said: Said) -> bool:
    """Whether one list of items, or of fields, in order could be read; several lists are buckets,
    whose order nothing tells."""
    lists = [ids for ids in ranker.values() if isinstance(ids, list) and ids]
    if len(lists) != 1:
        return False
    order = [str(key) for key in lists[0]]
    if set(order) <= said.fields.keys():
        if not said.ranks_fields({name: at for at, name in enumerate(order, 1)}):
            said.votes.append(order[0])
        return True
    for value in said.fields.values():
        items = _items(value)
        if items.keys() == set(order) and len(order) == len(items) > 1:
            keys = list(items)
            said.ranked = list(items.values())
            said.places.append([order.index(key) + 1 for key in keys])
            return True
    return False


def _items(value: Any) -> dict[str, str]:
    """The texts of a List's items by their ids; empty where the value is no such list."""
    if not isinstance(value, list) or not all(
        isinstance(one, dict) and "id" in one for one in value
    ):
        return {}
    found: dict[str, str] = {}
    for one in value:
        text = next((one[n] for n in _ITEM_TEXTS if isinstance(one.get(n), str) and one[n]), None)
        if text is not None:
            found[str(one["id"])] = text
    return found if len(found) == len(value) else {}
