"""What columns hold, over many rows: the evidence of the detector."""

from studio.data.formats.column_profile import flattened, profile

ROWS = [
    {"toy_input": "Why?", "output": "Because.", "score": n, "empty": "" if n else None}
    for n in range(10)
]


def test_columns_are_found_by_name_and_by_what_they_hold():
    seen = profile(ROWS, keep=3)
    assert (seen.rows, len(seen.sample)) == (10, 3)
    assert seen.find(("output", "input"), "string") == "output"
    assert seen.find(("input",), "string") == "toy_input"
    assert seen.find(("input",), "string", without=["toy_input"]) is None
    assert seen.find(("score",), "string") is None and seen.find(("score",), "number") == "score"


def test_shares_are_of_the_filled_rows_and_coverage_of_all():
    rows = [{"a": "x"}, {"a": 3}, {"a": None}, {"a": "y"}]
    seen = profile(rows)
    assert seen.columns["a"].share("string") == 2 / 3
    assert seen.coverage("a") == 0.75 and seen.coverage(None) == 0.0
    assert profile(ROWS).columns["empty"].filled == 0


def test_objects_are_opened_one_level_and_turns_are_not():
    row = {"info": {"post": "p"}, "turn": {"role": "user", "content": "a"}, "n": 1}
    assert flattened(row) == {"info.post": "p", "turn": row["turn"], "n": 1}
