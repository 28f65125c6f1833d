"""Where the rows are in a JSON object: under a key, a column a key, or a row a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from studio.core.errors import DataError
from studio.data.types import RawRow, Row

_SPLITS = ("train", "training", "test", "validation", "valid", "val", "dev", "eval")

_PEOPLE = {"participants", "members", "users", "recipients", "joinableMode", "magic_words"}


def is_conversation(value: list[object]) -> bool:
    """Whether a list is turns rather than rows."""
    return bool(value) and all(
        isinstance(turn, dict) and ("role" in turn or "from" in turn) for turn in value
    )


def rows_in(root: Row, file: str, note: Callable[[str], None]) -> list[object]:
    """The rows of a root object; itself, where it is a single row.

    Known are: one list of objects under a key (or one level deeper), the splits of a dataset (the
    training rows are taken), a list a column, and pandas' `columns`, `index` and `split`.
    """
    lists = _lists_of_rows(root)
    if len(lists) > 1 and _is_chat(root):
        return [{key: value for key, value in root.items() if key not in _PEOPLE}]
    if served := _served(lists.get("rows")):
        note(f"{file} is an answer of the Hub's dataset viewer: its rows were taken out of it.")
        return served
    if len(lists) == 1:
        key, rows = next(iter(lists.items()))
        note(f'{file} holds its rows under "{key}".')
        return rows
    if len(lists) > 1:
        return _one_split(lists, file, note)
    if pairs := _asked_and_answered(root):
        note(f"{file} is one object of questions with their answers: each is a row.")
        return pairs
    table = _table(root, file, note) or _nested(root, file, note)
    return [root] if table is None else table


def _served(rows: list[object] | None) -> list[object]:
    """The rows of the dataset viewer's answer, each under `row` beside its number."""
    found = [one.get("row") for one in rows or () if isinstance(one, dict) and "row_idx" in one]
    whole = rows and len(found) == len(rows) and all(isinstance(row, dict) for row in found)
    return list(found) if whole else []


def _is_chat(root: Row) -> bool:
    """Whether an object is one chat: its messages beside the people who take part."""
    return isinstance(root.get("messages"), list) and bool(_PEOPLE & root.keys())


def opened(rows: Iterator[RawRow], note: Callable[[str], None]) -> Iterator[RawRow]:
    """SQuAD's articles as a row a question: its context, the question, the answer. Other rows as
    they are."""
    number = 0
    for raw in rows:
        paragraphs = raw.data.get("paragraphs")
        if not isinstance(paragraphs, list) or not all(map(_asks, paragraphs)):
            yield raw
            continue
        note(f"{raw.file} holds questions inside paragraphs (SQuAD): each is a row.")
        for paragraph in paragraphs:
            for asked in paragraph["qas"]:
                number += 1
                row = {"context": paragraph.get("context"), "question": asked.get("question")}
                yield RawRow(number, {**row, "answer": _answer(asked)}, raw.file)


def _asks(paragraph: object) -> bool:
    if not isinstance(paragraph, dict) or not isinstance(paragraph.get("qas"), list):
        return False
    return all(isinstance(asked, dict) for asked in paragraph["qas"])


def _answer(asked: Row) -> str:
    """The first rater's answer; empty where the context holds none (SQuAD 2)."""
    given = asked.get("answers") or ([asked["answer"]] if asked.get("answer") else [])
    given = given if isinstance(given, list) else [given]
    texts = [one.get("text") if isinstance(one, dict) else one for one in given]
    return next((text for text in texts if isinstance(text, str)), "")


def _lists_of_rows(root: Row) -> dict[str, list[object]]:
    return {
        key: value
        for key, value in root.items()
        if isinstance(value, list)
        and value
        and all(isinstance(item, dict) for item in value)
        and not is_conversation(value)
    }


def _one_split(
    lists: dict[str, list[object]], file: str, note: Callable[[str], None]
) -> list[object]:
    names = ", ".join(f'"{key}"' for key in lists)
    split = next((name for name in _SPLITS if name in lists), None)
    if split and all(key in _SPLITS for key in lists):
        note(f'{file} holds the splits {names}; "{split}" was read.')
        return lists[split]
    raise DataError(f"{file} holds several lists ({names}). Save the one you mean as its own file.")


def _table(root: Row, file: str, note: Callable[[str], None]) -> list[object] | None:
    """Rows of a table kept by columns or by keys; None where it is not one."""
    values = list(root.values())
    if isinstance(root.get("columns"), list) and isinstance(root.get("data"), list):
        names = [str(name) for name in root["columns"]]
        if all(isinstance(cells, list) and len(cells) == len(names) for cells in root["data"]):
            note(f"{file} holds a table as pandas splits it.")
            return [dict(zip(names, cells, strict=True)) for cells in root["data"]]
    if len(values) > 1 and all(isinstance(value, list) for value in values):
        if len({len(value) for value in values}) == 1 and not is_conversation(values[0]):
            note(f"{file} holds a list per column.")
            return [dict(zip(root, cells, strict=True)) for cells in zip(*values, strict=True)]
        return None
    if not values or not all(isinstance(value, dict) and value for value in values):
        return None
    first = values[0]
    if all(key.isdigit() for key in first) and all(v.keys() == first.keys() for v in values):
        note(f"{file} holds a table as pandas writes it, a column a key.")
        return [{name: column[at] for name, column in root.items()} for at in first]
    if len(values) > 1 and sum(v.keys() == first.keys() for v in values) > 0.5 * len(values):
        note(f"{file} holds a row per key; the keys are not kept.")
        return values
    return None


def _asked_and_answered(root: Row) -> list[object]:
    """The keys of an object as questions and its texts as answers, where the keys are sentences
    or too many to be columns; empty where it is a row."""
    if len(root) < 2 or not all(isinstance(value, str) for value in root.values()):
        return []
    sentences = sum(" " in name.strip() or name.rstrip()[-1:] in "?\uff1f\u061f" for name in root)
    if 2 * sentences < len(root) and len(root) <= 50:
        return []
    return [{"question": name, "answer": value} for name, value in root.items()]


def _nested(root: Row, file: str, note: Callable[[str], None]) -> list[object] | None:
    """A list of rows one level deeper, where there is exactly one."""
    found = [
        (f"{outer}.{inner}", rows)
        for outer, value in root.items()
        if isinstance(value, dict)
        for inner, rows in _lists_of_rows(value).items()
    ]
    if len(found) != 1:
        return None
    note(f'{file} holds its rows under "{found[0][0]}".')
    return found[0][1]
