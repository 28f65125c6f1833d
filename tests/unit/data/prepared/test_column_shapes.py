"""What stands in each column, against hand counts, and the figure of it."""

from __future__ import annotations

import json
from typing import Any

from components.data.column_figures import MOST, columns_figure, said
from studio.data.prepared.column_shapes import MOST_ROWS, column_shapes


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "prompt": "q" * (n % 30 + 1) + str(n),
            "messages": [{"role": "user", "content": "abc"}, {"role": "x", "content": "d"}],
            "label": n % 4 == 0,
            "rating": n % 5,
            "score": n / 7,
            "source": None if n % 10 == 0 else ("web", "<b>book")[n % 2],
            "tags": ["a"] * (n % 3 + 1),
            "nothing": "",
            "extra": {"a": 1},
        }
        for n in range(count)
    ]


def test_each_column_has_its_kind():
    shapes, looked = column_shapes(rows(100))
    found = {shape.name: shape for shape in shapes}
    assert looked == 100 and list(found) == [
        "prompt",
        "messages",
        "label",
        "rating",
        "score",
        "source",
        "tags",
    ]
    assert (found["prompt"].kind, found["prompt"].unit) == ("length", "characters")
    assert found["messages"].values.tolist() == [4] * 100
    assert found["label"].counts == (("False", 75), ("True", 25))
    assert [name for name, _ in found["rating"].counts] == list("01234")
    assert found["score"].kind == "number" and found["score"].values.max() == 99 / 7
    assert found["source"].counts == (("<b>book", 50), ("web", 40))
    assert found["source"].empty == 10 and found["tags"].unit == "items"


def test_of_many_rows_some_are_looked_at_from_first_to_last():
    class Counted(list[dict[str, Any]]):
        asked = 0

        def __getitem__(self, at: Any) -> Any:
            self.asked += 1
            return {"at": int(at) + 0.5}

        def __len__(self) -> int:
            return 50_000

    many = Counted()
    shapes, looked = column_shapes(many)
    assert many.asked == looked == MOST_ROWS
    assert (shapes[0].values.min(), shapes[0].values.max()) == (0.5, 49_999.5)
    assert "5,000 of 50,000 rows, evenly spaced" in said(shapes, looked, 50_000)
    assert column_shapes([]) == ([], 0) and said([], 0, 0) == ""


def test_the_figure_counts_every_row_and_shows_names_as_text():
    shapes, _ = column_shapes(rows(100))
    figure = columns_figure(shapes)
    assert figure is not None and columns_figure([]) is None
    drawn = json.loads(figure.to_json() or "")
    assert len(drawn["data"]) == len(shapes)
    assert "<b>book" not in json.dumps(drawn["data"]) and "&lt;b&gt;book" in str(drawn["data"])
    totals = [sum(trace.y) for trace in figure.data]  # pyright: ignore[reportAttributeAccessIssue]
    assert totals == [100, 100, 100, 100, 100, 90, 100]
    assert len(columns_figure([shapes[0]] * 20).data) == MOST  # pyright: ignore[reportOptionalMemberAccess]
