"""Whatever goes in: a valid TRL row or a problem with a row number; no crash, no text changed."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.core.errors import DataError
from studio.data import TYPES, inspect
from studio.data.arrow_schema import Shape, tables
from studio.data.checks.row_checks import check, texts_of
from studio.data.formats import FAMILIES
from studio.data.readers.in_memory import given_format
from studio.data.types import RowError
from tests.unit.data.making import write

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
SCALAR = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | TEXT
ROLE = st.sampled_from(
    ["user", "Human", "assistant", "gpt", "system", "tool", "function_call", "elf"]
)
TURN = st.fixed_dictionaries({"role": ROLE, "content": TEXT}) | st.fixed_dictionaries(
    {"from": ROLE, "value": SCALAR}
)
VALUE = st.recursive(
    SCALAR | TURN | st.lists(TURN, max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    *("instruction", "input", "output", "response", "question", "answer", "prompt", "completion"),
    *(
        "messages",
        "conversations",
        "tools",
        "chosen",
        "rejected",
        "label",
        "text",
        "system",
        "history",
    ),
    *("choices", "option_a", "option_b", "answerKey", "replies", "en", "de", "pos", "neg"),
    *("answer1", "answer2", "winner", "turns", "answers", "scores", "annotator1", "response_j"),
)
ROW = st.dictionaries(st.sampled_from(NAMES) | TEXT, VALUE, max_size=6)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(ROW | SCALAR, min_size=1, max_size=5))
def test_any_rows_give_trl_rows_or_numbered_problems(tmp_path, rows):
    try:
        seen = inspect(write(tmp_path, rows))
    except DataError as error:
        assert len(str(error)) < 700
        return
    assert seen.type in TYPES
    assert seen.rows == len(rows)
    errors = {problem.row for problem in seen.problems if problem.severity == "error"}
    assert None not in errors
    assert seen.kept == seen.rows - len(errors)
    assert len(seen.sample) == min(seen.kept, 5)
    shape = Shape()
    for row in seen.sample:
        given_format(seen.type).row(row)
        shape.see(row)
    if seen.sample:
        assert next(iter(tables([seen.sample], shape))).num_rows == len(seen.sample)
    json.dumps(seen.as_dict())


@settings(max_examples=300, deadline=None)
@given(family=st.sampled_from(FAMILIES), values=st.lists(VALUE, min_size=16, max_size=16))
def test_any_converter_gives_a_trl_row_or_says_why_not(family, values):
    fields = [name for name in family.fields if not name.startswith("vote")][: len(values)]
    mapping = {name: name for name in fields}
    row = dict(zip(fields, values, strict=False))
    row = {name: value for name, value in row.items() if value != ""}
    if family.name == "ranked":
        mapping["better_first"] = "1"
    try:
        made = family.convert(row, mapping)
    except RowError as error:
        assert error.message.endswith(".")
        return
    given_format(family.type).row(made)
    check(made, family.type)
    shape = Shape()
    shape.see(made)
    assert next(iter(tables([[made]], shape))).num_rows == 1


WORDS = TEXT.filter(lambda text: text.strip())
PLACES = [
    lambda a, b: {"instruction": a, "output": b},
    lambda a, b: {"question": a, "answer": b},
    lambda a, b: {"prompt": a, "completion": b},
    lambda a, b: {"conversations": [{"from": "human", "value": a}, {"from": "gpt", "value": b}]},
    lambda a, b: {
        "messages": [{"role": "user", "content": a}, {"role": "assistant", "content": b}]
    },
    lambda a, b: {"prompt": a, "chosen": b, "rejected": b + "!"},
    lambda a, b: {"prompt": a, "completion": b, "label": True},
    lambda a, b: {"prompt": a, "answer1": b, "answer2": b + "?"},
]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=WORDS, second=WORDS, place=st.sampled_from(PLACES))
def test_text_survives_byte_for_byte(tmp_path, first, second, place):
    seen = inspect(write(tmp_path, [place(first, second)]))
    assert seen.kept == 1
    texts = [text for _, text in texts_of(seen.sample[0])]
    assert first in texts
    assert second in texts
